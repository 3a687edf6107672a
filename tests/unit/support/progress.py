"""Events of a run for tests of its progress, with the names that the role has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.rendering import plan_lines
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.events import OK, Result, Task
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.run import Run
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.text import Line, laid_out

SWITCH = "Stop, put the wanted version in place, and start it"
REVERT = "Stop, put the previous version back in place, and start it"
COLLECTION, BUILTIN = "sentinelops.redis.", "ansible.builtin."
GATE = "Refuse to begin unless every gate is open"
VERIFIED = "Every instance runs the version that it should run, and the master is where it should be."


@dataclass
class Told:
    """A run, its clock, and the lines that it has returned."""

    run: Run = field(default_factory=lambda: Run(0.0, "upgrade"))
    now: float = 0.0
    lines: list[Line] = field(default_factory=list)
    tasks: int = 0

    def play(self, name: str, hosts: bool = True) -> None:
        self.lines += self.run.play_begun(name, self.now)
        if not hosts:
            self.run.no_hosts()

    def begin(self, name: str, action: str, hosts: Sequence[str], own: bool = True, shows: str = "") -> Task:
        """Begin a task on hosts, and leave it running."""
        self.tasks += 1
        task = Task(str(self.tasks), name, action, own, shows)
        self.lines += self.run.task_begun(self.now)
        for host in hosts:
            self.run.host_begun(task, host, self.now)
        return task

    def end(self, task: Task, host: str, seconds: float = 0.0, state: str = OK, ignored: bool = False, **data: Any) -> None:
        self.now += seconds
        self.lines += self.run.ended(Result(task, host, data, state, ignored), self.now)

    def task(
        self, name: str, action: str, hosts: Sequence[str], seconds: float = 1.0, own: bool = True, state: str = OK, **data: Any
    ) -> None:
        """Let a task begin and end on hosts."""
        task = self.begin(name, action, hosts, own)
        for number, host in enumerate(hosts):
            self.end(task, host, 0.0 if number else seconds, state, **data)

    def survey(self, plan: dict[str, Any], **findings: Any) -> None:
        """Go through the plays until the preflight, with this plan."""
        hosts = sorted({step["host"] for step in plan["steps"].values()})
        self.play("(0/8) One run, on all instances")
        self.task("Ask for the lock", f"{COLLECTION}redis_run_lock", hosts)
        self.play("(1/8) Survey and plan")
        self.task("Survey the instances of this host", f"{COLLECTION}redis_survey", hosts, results=[{}])
        self.task("Compute the plan", f"{BUILTIN}set_fact", hosts[:1], ansible_facts={"__redis_upgrade_plan": plan})
        self.task("Show the plan", f"{BUILTIN}debug", hosts[:1], msg=plan_lines(plan))
        self.play("(2/8) Preflight")

    def switch(self, title: str, host: str, seconds: float = 3.2) -> None:
        self.play(title)
        self.task(SWITCH, f"{COLLECTION}redis_instance", [host], seconds, changed=True)

    def hand_over(self, title: str, old: str, new: str, host: str, pause_ms: float) -> None:
        self.play(title)
        name = f"Hand the master role to {host}"
        result = {"old_master": old, "new_master": new, "pause_ms": pause_ms, "full_resyncs": 0, "loss": "none", "changed": True}
        self.task(name, f"{COLLECTION}redis_sentinel_failover", [host], 8.1, **result)

    def finish(self, failed: bool = False) -> None:
        self.lines += self.run.finished(failed, self.now)

    @property
    def text(self) -> str:
        return "\n".join(self.screen())

    def screen(self, width: int = 80) -> list[str]:
        return [row for line in self.lines for row in laid_out(line, "12:01:07", width)]


def upgrade(plan: dict[str, Any]) -> Told:
    """Return a whole upgrade of three data nodes and three Sentinels."""
    told = Told()
    told.survey(plan)
    told.task("Show warnings", f"{BUILTIN}debug", ["redis-1"], msg=["there is no way back. Have a backup."])
    told.task(GATE, f"{BUILTIN}assert", ["redis-1"], msg="Every gate is open.")
    told.play("(3/8) Recover an interrupted handover", hosts=False)
    told.play("(3/8) Stage the new version")
    hosts = plan["touched_hosts"]
    told.task("Prepare the instances of this host, before anything is stopped", f"{COLLECTION}redis_stage", hosts, 5.0)
    for host in plan["sentinel_hosts"]:
        told.switch("(4/8) Sentinels", host)
    for host in plan["replica_hosts"]:
        told.switch("(5/8) Replicas", host)
    told.hand_over("(6/8) Handover", "10.0.0.1:6379", "10.0.0.2:6379", "redis-2", 327.4)
    told.switch("(7/8) Old masters", "redis-1")
    told.hand_over("(8/8) Fail back", "10.0.0.2:6379", "10.0.0.1:6379", "redis-1", 346.0)
    told.play("(8/8) Verify")
    told.task("Refuse to end while anything is not as it should be", f"{BUILTIN}assert", ["redis-1"], msg=VERIFIED)
    told.play("(8/8) Report")
    told.task("Show the report", f"{BUILTIN}debug", ["redis-1"], msg=["instance   before   now   role", "shard mymaster: ..."])
    told.play("(8/8) End", hosts=False)
    told.finish()
    return told
