"""Run the playbooks on a deployment whose instances share programs, and break into them.

usage: sequence.py STEP DEPLOYMENT    (JSON both)

DEPLOYMENT has inventory, ssh_config, layout, versions, password, machines, and baseline (a file,
which has the states before the first step). A wrong state fails. The steps:

  {step: kill, play, task, machine, module}   kill the controller and the module while MODULE runs
  {step: fail, machine, instance}             an instance cannot start the new version
  {step: complete, machine, instance}         upgrade; the instance is killed on the way
  {step: again}                               a second run, which changes nothing
  {step: rollback}
  {step: reserve}                             upgrade with a reserve per shard; restart these
  {step: finish}                              upgrade the reserves, too
  {step: restore}                             restore the backups of an upgrade
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from upgraded_host import as_root

from playbooks import Running, started, words

STATE = Path(__file__).with_name("state.py")
SECONDS = 600


class Deployment:
    """The hosts over SSH, and the playbooks on their inventory."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given, self.layout, self.versions = given, given["layout"], given["versions"]
        self.machines: list[str] = given["machines"]
        self.has_images = "store" in self.layout  # which commands of the administrator choose

    def programs(self, version: str, kept: bool = False) -> str:
        """Return the folder from which an instance runs a version that is in place, or kept."""
        folder: str = self.layout["kept" if kept else "programs"]
        return folder.replace("{version}", version)

    def ssh(self, machine: str, *command: str, text: str = "", check: bool = True) -> str:
        """Run a command as root on a machine; return what it prints."""
        return as_root(self.given["ssh_config"], machine, *command, text=text, check=check)

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the state of each instance, ``{"node-1/redis": ...}``."""
        found = {}
        for machine in self.machines:
            output = self.ssh(
                machine, "python3", "-", json.dumps(self.layout), self.given["password"], text=STATE.read_text(encoding="utf-8")
            )
            found.update({f"{machine}/{name}": state for name, state in json.loads(output).items()})
        return found

    def command(self, playbook: str, variables: Sequence[str] = ()) -> list[str]:
        given = [word for variable in variables for word in ("-e", variable)]
        return ["ansible-playbook", f"--inventory={self.given['inventory']}", f"sentinelops.redis.{playbook}", *given]

    def run(
        self, playbook: str, meanwhile: Callable[[Running], None] = lambda _running: None, variables: Sequence[str] = ()
    ) -> tuple[int, str]:
        """Run a playbook to its end; return its exit code and its output."""
        began = time.monotonic()
        log = Path(self.given["baseline"]).with_suffix(".log")
        with started(self.command(playbook, variables), log) as running:
            meanwhile(running)
            code = running.end(SECONDS)
        print(f"{playbook} ended with {code} after {time.monotonic() - began:.0f} s")
        return code, running.output

    def kill_server(self, machine: str, name: str) -> None:
        """Kill an instance, and start a plain process again by hand."""
        instance = next(found for found in self.layout["instances"] if found["name"] == name)
        pid = self.states()[f"{machine}/{name}"]["pid"]
        self.ssh(machine, "kill", "-KILL", str(pid))
        if not instance["type"]:
            self.ssh(machine, "sh", "-c", instance["by_hand"])


def in_play(play: str, task: str = "") -> Callable[[Running], bool]:
    pattern = re.compile(rf"PLAY \[{re.escape(play)}(?:(?!PLAY \[).)*TASK \[[^]]*{re.escape(task)}", re.DOTALL)
    return lambda running: bool(pattern.search(running.output))


# -- checks


def all_run(deployment: Deployment, version: str, baseline: dict[str, Any]) -> dict[str, Any]:
    """Check that each instance runs a version as it was started before; return the states."""
    states = deployment.states()
    assert states.keys() == baseline.keys(), f"these do not answer: {baseline.keys() - states.keys()}"
    for name, state in states.items():
        assert state["version"] == version, (name, state)
        assert state["runs"].startswith(f"{deployment.programs(version)}/redis-"), (name, state)
        never_restarted = state["pid"] == baseline[name]["pid"]  # a rollback may find it so
        assert never_restarted or not state["runs"].endswith("(deleted)"), (name, state)
        assert not state["drop_in"], (name, state)
        as_before(name, state, baseline[name])
    return states


def as_before(name: str, state: dict[str, Any], before: dict[str, Any]) -> None:
    """Check what no restart may change."""
    for part in ("as", "directory", "configuration"):
        assert state[part] == before[part], (name, part, state[part], before[part])
    assert state["link"] in ("", "up"), (name, state)
    if state["unit"]:
        assert state["unit"]["MainPID"] == str(state["main"]), (name, state)
        assert (state["unit"]["ActiveState"], state["unit"]["NeedDaemonReload"]) == ("active", "no"), (name, state)
        assert state["unit"]["UnitFileState"] == before["unit"]["UnitFileState"], (name, state)


def one_runs_kept(deployment: Deployment, failed: str, before: dict[str, Any], baseline: dict[str, Any]) -> None:
    """Check that one instance alone runs the kept programs, and that others were left alone."""
    states, old, new = deployment.states(), deployment.versions["old"], deployment.versions["new"]
    kept = deployment.programs(old, kept=True)
    assert states.keys() == baseline.keys()
    for name, state in states.items():
        as_before(name, state, baseline[name])
        if name == failed:
            assert (state["version"], state["runs"]) == (old, f"{kept}/redis-server"), (name, state)
            assert bool(state["drop_in"]) is (bool(state["unit"]) and not deployment.has_images), (name, state)
            assert not state["drop_in"] or f"ExecStart={kept}/redis-server {state['configuration'][0]}" in state["drop_in"], state
            continue
        assert not state["drop_in"], (name, state)
        assert state["version"] == new or state["pid"] == before[name]["pid"], f"{name} was restarted with the old version: {state}"
        assert state["version"] == new or state["role"] != "sentinel", (name, state)
        assert state["unit"].get("NRestarts", "0") == "0", (name, state)
    if not deployment.has_images:
        assert f"v={new} " in deployment.ssh(failed.partition("/")[0], f"{deployment.programs(new)}/redis-server", "--version")


# -- steps


def kill(deployment: Deployment, step: dict[str, Any], _baseline: dict[str, Any]) -> None:
    machine, module = step["machine"], step["module"]

    def modules() -> list[str]:
        return deployment.ssh(machine, "pgrep", "--full", f"^/usr/bin/python.*AnsiballZ_{module}", check=False).split()

    def break_in(running: Running) -> None:
        running.wait_for(lambda: in_play(step["play"], step["task"])(running))
        found: list[str] = []
        running.wait_for(lambda: bool(found.extend(modules())) or bool(found))
        subprocess.run(["kill", "-KILL", "--", f"-{running.process.pid}"], check=True)
        deployment.ssh(machine, "kill", "-KILL", *found, check=False)

    code, _output = deployment.run("upgrade", break_in)
    assert code == -signal.SIGKILL, code
    print({name: (state["version"], state["runs"]) for name, state in deployment.states().items()})


def fail(deployment: Deployment, step: dict[str, Any], baseline: dict[str, Any]) -> None:
    machine, name = step["machine"], step["instance"]
    config = next(found["config"] for found in deployment.layout["instances"] if found["name"] == name)
    before = deployment.states()
    refused = deployment.programs(deployment.versions["new"])
    deployment.ssh(machine, "tee", "/run/refuse", text=f"{refused}/redis-server {config.rpartition('/')[2]}\n")
    try:
        code, output = deployment.run("upgrade")
    finally:
        deployment.ssh(machine, "rm", "/run/refuse")
    assert code != 0, output
    assert "was restored and serves again" in words(output), output
    one_runs_kept(deployment, f"{machine}/{name}", before, baseline)


def complete(deployment: Deployment, step: dict[str, Any], baseline: dict[str, Any]) -> None:
    def break_in(running: Running) -> None:
        # after the survey, and long enough before the next look that systemd has started it again
        running.wait_for(lambda: in_play("(2/8) Preflight")(running))
        deployment.kill_server(step["machine"], step["instance"])

    code, output = deployment.run("upgrade", break_in)
    assert code == 0, output
    all_run(deployment, deployment.versions["new"], baseline)


def again(deployment: Deployment, _step: dict[str, Any], baseline: dict[str, Any]) -> None:
    before = all_run(deployment, deployment.versions["new"], baseline)
    code, output = deployment.run("upgrade")
    assert code == 0, output
    recap = output.partition("PLAY RECAP")[2]
    assert recap.count("changed=0 ") == recap.count("changed=") > 0, recap
    states = deployment.states()
    assert {name: state["pid"] for name, state in states.items()} == {name: state["pid"] for name, state in before.items()}


def rollback(deployment: Deployment, _step: dict[str, Any], baseline: dict[str, Any]) -> None:
    code, output = deployment.run("rollback")
    assert code == 0, output
    all_run(deployment, deployment.versions["old"], baseline)


def reserve(deployment: Deployment, _step: dict[str, Any], baseline: dict[str, Any]) -> None:
    old, kept = deployment.versions["old"], deployment.programs(deployment.versions["old"], kept=True)
    before = deployment.states()
    code, output = deployment.run("upgrade", variables=["redis_upgrade_reserve=true"])
    assert code == 0, output
    states = deployment.states()
    reserves = {name: state for name, state in states.items() if state["version"] == old}
    data_nodes = sorted({one["name"] for one in deployment.layout["instances"] if one.get("shard")})
    assert sorted(name.partition("/")[2] for name in reserves) == data_nodes, reserves
    for name, state in reserves.items():
        assert (state["pid"], state["link"]) == (before[name]["pid"], "up"), (name, state)
        assert f"ExecStart={kept}/redis-server" in state["drop_in"], (name, state)
        machine, unit = name.split("/")
        deployment.ssh(machine, "systemctl", "restart", unit)  # as a reboot does
    deadline = time.monotonic() + 60
    while any(state["link"] != "up" for state in deployment.states().values() if state["link"]):
        assert time.monotonic() < deadline, deployment.states()
        time.sleep(1)
    for name, state in deployment.states().items():
        as_before(name, state, baseline[name])
        if name in reserves:
            assert (state["version"], state["runs"]) == (old, f"{kept}/redis-server"), (name, state)
        else:
            assert (state["pid"], bool(state["drop_in"])) == (states[name]["pid"], False), (name, state)
    # the user may not read data, which is told; a rollback goes by the stream
    code, output = deployment.run("reserve")
    assert code != 0, output
    for text in ("is AT RISK", "its data could not be compared", "so a rollback is possible"):
        assert words(output).count(text) >= len(reserves), output


def finish(deployment: Deployment, _step: dict[str, Any], baseline: dict[str, Any]) -> None:
    code, output = deployment.run("finish")
    assert code == 0, output
    all_run(deployment, deployment.versions["new"], baseline)


def restore(deployment: Deployment, _step: dict[str, Any], baseline: dict[str, Any]) -> None:
    shards = sorted({one["shard"] for one in deployment.layout["instances"] if one.get("shard")})
    code, output = deployment.run("restore")
    assert code != 0, output
    assert "a restore loses all writes since the backup" in words(output), output
    all_run(deployment, deployment.versions["new"], baseline)
    code, output = deployment.run("restore", variables=[json.dumps({"redis_upgrade_restore_accept_loss": shards})])
    assert code == 0, output
    all_run(deployment, deployment.versions["old"], baseline)


STEPS = {
    "kill": kill,
    "fail": fail,
    "complete": complete,
    "again": again,
    "rollback": rollback,
    "reserve": reserve,
    "finish": finish,
    "restore": restore,
}


def main() -> None:
    step, deployment = json.loads(sys.argv[1]), Deployment(json.loads(sys.argv[2]))
    file = Path(deployment.given["baseline"])
    if not file.exists():
        file.write_text(json.dumps(deployment.states()), encoding="utf-8")
    STEPS[step["step"]](deployment, step, json.loads(file.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
