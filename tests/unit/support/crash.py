"""Simulate the death of processes and servers at each step of a handover, in memory.

The steps are those of an ordinary simulated handover: its timeline events, and the phases that it
records for its standby. So a new step is simulated without a change here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.handover import Handover, HandoverResult
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.result import Timeline
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.fence import is_armed
from ansible_collections.sentinelops.redis.tests.unit.support.data_node import DataNode
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import SENTINELS, TARGET, Deployment
from ansible_collections.sentinelops.redis.tests.unit.support.healing import INFO_PERIOD_MS, Healing, named_by_majority
from ansible_collections.sentinelops.redis.tests.unit.support.sentinel import FakeSentinel
from ansible_collections.sentinelops.redis.tests.unit.support.servers import Killed
from ansible_collections.sentinelops.redis.tests.unit.support.standby import ProcessUndoFile, Standby

__all__ = ["OBSERVED_S", "WHO", "Outcome", "Step", "simulate", "steps"]

OBSERVED_S = 40.0  # long enough for the second failover of Sentinels whose leader died
SLICE_S = 2.0  # the clock makes 100 steps of a slice
REQUEST: dict[str, Any] = {"wait_s": 20, "disconnect_ms": 20}


@dataclass(frozen=True)
class Who:
    """The processes and servers that die together."""

    module: bool = False
    standby: bool = False
    servers: tuple[str, ...] = ()


WHO = {
    "the module": Who(module=True),
    "the module and its standby": Who(module=True, standby=True),
    "the leader": Who(servers=("leader",)),
    "the old master": Who(servers=("old master",)),
    "the target": Who(servers=("target",)),
    "another replica": Who(servers=("replica",)),
    "the module, its standby and the leader": Who(True, True, ("leader",)),
    "the module, its standby and another replica": Who(True, True, ("replica",)),
}


@dataclass(frozen=True)
class Step:
    """The n-th step of a handover; ``name`` is the beginning of its event, or its phase."""

    number: int
    name: str


class Steps:
    """The steps that a handover reaches, and the action at one of them."""

    def __init__(self, wanted: int = -1, action: Callable[[], None] = lambda: None) -> None:
        self.reached: list[Step] = []
        self._wanted = wanted
        self._action = action

    def __deepcopy__(self, _memo: object) -> Steps:
        return Steps()  # a standby reaches steps of its own

    def reach(self, name: str) -> None:
        self.reached.append(Step(len(self.reached), name))
        if self.reached[-1].number == self._wanted:
            self._action()


class SteppingTimeline(Timeline):
    """A timeline whose events are steps."""

    def __init__(self, result: HandoverResult, clock: Any, taken: Steps) -> None:
        super().__init__(result, clock)
        self._taken = taken

    def add(self, event: str) -> float:
        at_ms = super().add(event)
        self._taken.reach(re.split(":| by ", event, maxsplit=1)[0])
        return at_ms


class SteppingStandby(Standby):
    """A standby whose recorded phases are steps."""

    def __init__(self, deployment: Deployment, taken: Steps) -> None:
        super().__init__(deployment.wire)
        self._taken = taken

    def note(self, **state: Any) -> None:
        super().note(**state)
        if not self._wire.sender_is_dead:
            self._taken.reach(f"*{state['phase']}*")


@dataclass
class Outcome:
    """The observations after an accident.

    ``stopped_by``: the means that stopped the old master's writes, in order. ``gap_s``: the longest
    time in which a client cannot write that stays with the old master as long as that is a master,
    and asks the Sentinels else. ``writable``: the largest number of nodes that accepted writes at
    once. ``unsynced_bytes``: bytes that a dying master had not replicated, as in any such crash.
    ``recovered`` and ``moved_later``: of the later run. ``problems``: what a later run left wrong.
    """

    stopped_by: list[str] = field(default_factory=list)
    gap_s: float = 0.0
    writable: int = 0
    unsynced_bytes: int = 0
    lost_bytes: int = 0
    master: str = ""
    serves: bool = False
    finished_by: str = ""
    recovered: list[str] = field(default_factory=list)
    moved_later: bool = False
    problems: list[str] = field(default_factory=list)


class Observer:
    """The observation of a deployment from an accident on, at each step of its clock."""

    def __init__(self, deployment: Deployment, outcome: Outcome) -> None:
        self._deployment = deployment
        self._outcome = outcome
        self._old = deployment.master
        self._served_s = deployment.clock.now_s()

    def step(self, _seconds: float) -> None:
        outcome, now_s = self._outcome, self._deployment.clock.now_s()
        writable = [node for node in self._deployment.nodes if node.takes_writes]
        outcome.writable = max(outcome.writable, len(writable))
        stays = self._old.alive and (self._old.master is None or self._old.paused)
        if (self._old if stays else named_by_majority(self._deployment)) in writable:
            self._served_s = now_s
        outcome.gap_s = max(outcome.gap_s, now_s - self._served_s)
        means = self._means()
        if means and means not in outcome.stopped_by:
            outcome.stopped_by.append(means)

    def _means(self) -> str:
        old = self._old
        if not old.alive:
            return ""
        if old.paused:
            return "pause"
        if old.master is not None:
            return ""
        if old.fenced:
            return "explicit fence"
        armed = is_armed(int(old.config["min-replicas-max-lag"]))
        return "dead man's fence" if armed and old.lacks_replicas else ""


class Simulation:
    """One handover with one accident, and a later run. Use: ``run()``."""

    def __init__(self, folder: Path, mode: str, who: Who, number: int) -> None:
        self.deployment = Deployment(replicas=2)
        self.outcome = Outcome()
        self._folder = str(folder)
        self._mode = mode
        self._who = who
        self._before = self.deployment.settings()
        self._taken = Steps(number, self._die)
        self._undo_file = ProcessUndoFile(self._folder, self.deployment.wire)
        self._standby = SteppingStandby(self.deployment, self._taken)
        self._handover: Handover | None = None
        self._died_s = -1.0
        self._watch: Callable[[float], None] = lambda _seconds: None
        self.deployment.clock.limit(1000)
        self.deployment.clock.on_step.append(Healing(self.deployment).step)

    @property
    def steps(self) -> list[Step]:
        return self._taken.reached

    def run(self) -> None:
        self._hand_over()
        if self._died_s < 0:
            return
        self._observe()
        self._revive()
        self._run_later()
        self.outcome.lost_bytes = self.deployment.lost_bytes

    def _stepping(self) -> Handover:
        handover = self.deployment.handover(new_standby=self._standby, undo_file=self._undo_file, mode=self._mode, **REQUEST)
        timeline = SteppingTimeline(handover.result, self.deployment.clock, self._taken)
        handover.context = replace(handover.context, timeline=timeline)
        return handover

    def _hand_over(self) -> None:
        self._handover = self._stepping()
        try:
            self._handover.survey()
            self._handover.run()
            self.outcome.finished_by = "module"
        except SentinelOpsError:
            self.outcome.finished_by = "module, with an error"
        except Killed:
            self._after_the_death()

    def _after_the_death(self) -> None:
        """Let the standby take over, unless the standby is dead too."""
        roles = self.deployment.roles()
        if not self._who.standby:
            self._standby.awake()
        self.deployment.wire.sender_is_dead = False
        self._undo_file.release()
        self._rest()
        moved = self.deployment.roles() != roles
        if self._who.standby:
            self.outcome.finished_by = "Sentinel" if moved else "nobody"
        else:
            self.outcome.finished_by = "standby"

    def _die(self) -> None:
        """Let the accident happen, now."""
        self._died_s = self.deployment.clock.now_s()
        for what in self._who.servers:
            server = self._server(what)
            if isinstance(server, DataNode) and server.takes_writes:
                replicas = [node.offset for node in self.deployment.nodes if node.master is server]
                self.outcome.unsynced_bytes = int(server.offset - min(replicas, default=server.offset)) + 1
            server.alive = False
        self._watch = Observer(self.deployment, self.outcome).step
        self.deployment.clock.on_step.append(self._watch)
        if self._who.module:
            self.deployment.wire.sender_is_dead = True
            for server in (*self.deployment.nodes, *self.deployment.sentinels):
                server.close()
            raise Killed

    def _server(self, what: str) -> DataNode | FakeSentinel:
        deployment, leader = self.deployment, self._handover.result.leader if self._handover else ""
        if what == "leader":
            return deployment.sentinels[SENTINELS.index(leader or SENTINELS[0])]
        return {"old master": deployment.master, "target": deployment.target, "replica": deployment.replicas[1]}[what]

    def _rest(self) -> None:
        """Let time pass until the end of the observation."""
        clock = self.deployment.clock
        while clock.now_s() < self._died_s + OBSERVED_S:
            clock.pass_s(SLICE_S)

    def _observe(self) -> None:
        self._rest()
        self.deployment.clock.on_step.remove(self._watch)
        master = named_by_majority(self.deployment)
        self.outcome.master = str(master.address) if master else ""
        self.outcome.serves = master is not None and master.takes_writes

    def _revive(self) -> None:
        """Start the dead servers again, with the settings that they had saved."""
        deployment = self.deployment
        for sentinel in deployment.sentinels:
            if not sentinel.alive:
                sentinel.alive, sentinel.failover, sentinel.info_period_ms = True, None, INFO_PERIOD_MS
                sentinel.master = sentinel.others[0].master
                sentinel.config_epoch = sentinel.others[0].config_epoch
        for node in deployment.nodes:
            if not node.alive:
                node.alive, node.config, node.paused_until_s = True, dict(node.saved_config), 0.0
                master = named_by_majority(deployment)
                if master and master is not node:
                    node.follow(master)
        deployment.read_again()
        for _slice in range(round(OBSERVED_S / SLICE_S)):
            deployment.clock.pass_s(SLICE_S)

    def _run_later(self) -> None:
        """Run the same handover again, and record what is wrong after it."""
        outcome, deployment = self.outcome, self.deployment
        handover = deployment.handover(undo_file=ProcessUndoFile(self._folder, deployment.wire), mode=self._mode)
        try:
            outcome.moved_later = not handover.survey()
            if outcome.moved_later or handover.leftovers:
                handover.run()
        except SentinelOpsError as error:
            outcome.problems.append(f"the later run failed: {error}")
            return
        outcome.recovered = handover.result.recovered
        outcome.moved_later = outcome.moved_later and handover.result.old_master != TARGET
        outcome.problems += self._wrong()

    def _wrong(self) -> list[str]:
        deployment = self.deployment
        found = [
            f"{name} is {now}, and was {self._before[name]}" for name, now in deployment.settings().items() if now != self._before[name]
        ]
        if any(str(node.master.address if node.master else node.address) != TARGET for node in deployment.nodes):
            found.append(f"roles: {deployment.roles()}")
        if self._undo_file.left_behind()[0]:
            found.append("an undo file is left")
        return found


def steps(folder: Path, mode: str) -> list[Step]:
    """Return the steps of an ordinary handover."""
    simulation = Simulation(folder, mode, Who(), -1)
    simulation.run()
    return simulation.steps


def simulate(folder: Path, mode: str, who: str, step: Step) -> Outcome:
    """Return the outcome of a handover in which these die at a step."""
    simulation = Simulation(folder, mode, WHO[who], step.number)
    simulation.run()
    return simulation.outcome
