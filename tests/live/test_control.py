"""The operator's control over runs: one at a time, deadline, confirmation, hooks, canary, --limit.

One upgrade under load is stopped in all these ways; each test begins with the deployment that the
test before has left.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment, Writers
from states import journals_left, locks_left, settled, wait_until

from playbooks import WANTED, command, in_terminal, run, started, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"
SENTINELS = ["sentinel-1", "sentinel-2", "sentinel-3"]


@pytest.fixture(scope="module")
def writers(deployment: Deployment) -> Iterator[Writers]:
    with Writers(deployment, duration_s=1800, writers=2, writes_per_second=100) as writing:
        yield writing


def upgraded(deployment: Deployment) -> list[str]:
    return sorted(name for name, version in deployment.versions().items() if version == WANTED)


def hook(folder: Path, name: str, *tasks: dict[str, Any]) -> dict[str, str]:
    path = folder / f"{name}.yml"
    path.write_text(json.dumps([*tasks]), encoding="utf-8")
    return {name: str(path)}


def waits_for(path: Path) -> dict[str, Any]:
    return {"name": f"Wait for {path.name}", "ansible.builtin.wait_for": {"path": str(path), "timeout": 1200, "sleep": 1}}


@pytest.mark.usefixtures("writers")
@pytest.mark.parametrize(("playbook", "variables"), [("upgrade", {}), ("plan", {}), ("handover", {"redis_upgrade_handover_to": "redis-2"})])
def test_a_limit_is_refused_and_not_half_obeyed(deployment: Deployment, playbook: str, variables: dict[str, Any]) -> None:
    before = deployment.pids()
    done = run(deployment, playbook, "--limit", "redis-2", **variables)
    assert done.returncode != 0
    assert "Nothing was touched. --limit redis-2 keeps this run from a part of the deployment: redis-1, redis-3" in words(done.stdout)
    assert "redis_upgrade_canary=1" in done.stdout
    assert (deployment.pids(), deployment.masters()) == (before, ["redis-1"])
    assert not (deployment.folder / "journal").exists()


@pytest.mark.usefixtures("writers")
def test_wishes_that_cannot_be_met_are_refused_together_before_anything_is_touched(deployment: Deployment) -> None:
    before = deployment.pids()
    hooks = {"before_node": "/nowhere/hook.yml"}
    wishes = {"redis_upgrade_confirm": "all", "redis_upgrade_deadline": "2020-01-01T00:00Z", "redis_upgrade_hooks": hooks}
    done = run(deployment, "upgrade", **wishes)
    said = words(done.stdout)
    assert done.returncode != 0
    assert "Nothing was touched." in said
    assert "redis_upgrade_deadline: it is 2020-01-01 00:00:00+00:00, which has passed" in said
    assert "redis_upgrade_confirm: it is all, and this run has no terminal" in said
    assert "redis_upgrade_hooks, before_node: the task file /nowhere/hook.yml does not exist on the controller" in said
    assert deployment.pids() == before
    assert not (deployment.folder / "journal").exists(), "the lock was released"


@pytest.mark.usefixtures("writers")
def test_a_second_run_is_refused_and_the_first_stops_at_its_deadline(deployment: Deployment, tmp_path: Path) -> None:
    """A hook on the first node holds the first run while others try, and then lets the deadline
    pass.
    """
    reached, go_on = tmp_path / "reached", tmp_path / "go-on"
    touch = {"name": "Say that it is here", "ansible.builtin.file": {"path": str(reached), "state": "touch", "mode": "0600"}}
    now = "{{ __redis_upgrade_plan | combine({'deadline': {'at_s': now().timestamp(), 'text': __redis_upgrade_plan.deadline.text}}) }}"
    passes = {
        "name": "Let the deadline pass",
        "ansible.builtin.set_fact": {"__redis_upgrade_plan": now},
        "delegate_to": "{{ item }}",
        "delegate_facts": True,
        "loop": SENTINELS,
    }
    hooks = hook(tmp_path, "before_node", touch, waits_for(go_on), passes)
    # the lease is six times redis_upgrade_wait_s, the longest step, even if less is asked for
    wishes = {"redis_upgrade_hooks": hooks, "redis_upgrade_deadline": "+10h", "redis_upgrade_lock_s": 1}
    first = command(deployment, "upgrade", **wishes)
    with started(first, tmp_path / "log") as running:
        running.wait_for(reached.exists)
        before, held = deployment.pids(), [path.read_text() for path in locks_left(deployment)]
        second = run(deployment, "upgrade")
        other = run(deployment, "handover", redis_upgrade_handover_to="redis-2")
        plan = run(deployment, "plan")
        assert (deployment.pids(), deployment.masters()) == (before, ["redis-1"])
        assert [path.read_text() for path in locks_left(deployment)] == held
        go_on.touch()
        assert running.end() != 0
        said = words(running.output)
    assert [json.loads(text)["lease_s"] for text in held] == [1800] * 3
    for refused in (second, other):
        assert refused.returncode != 0
        assert "Nothing was touched. - " in words(refused.stdout)
        assert f"process {running.process.pid}, run {json.loads(held[0])['run']['id']}, since 20" in words(refused.stdout)
        assert "on this controller: wait until it ends" in words(refused.stdout)
        assert "PLAY [(1/8)" not in refused.stdout
    assert plan.returncode == 0
    assert "Another run is at work on this deployment" in plan.stdout
    assert "Every gate is open" in plan.stdout
    assert "note: no step begins after 20" in said
    assert "has passed, so no new step begins." in said
    assert "Done in this run: the Sentinel of sentinel-1." in said
    assert "Left: the Sentinel of sentinel-2, the Sentinel of sentinel-3, the replica redis-2, the replica redis-3," in said
    assert "The master of mymaster is redis-1" in said
    assert upgraded(deployment) == ["sentinel-1"], "what was begun was ended, nothing else"
    assert locks_left(deployment) == []


@pytest.mark.usefixtures("writers")
def test_a_canary_and_a_hook_that_fails_after_it(deployment: Deployment, tmp_path: Path) -> None:
    told = tmp_path / "told"
    note = {
        "name": "Note what the hook is told",
        "ansible.builtin.lineinfile": {"path": str(told), "line": "{{ redis_upgrade_hook | to_json }}", "create": True, "mode": "0600"},
    }
    fail = {"name": "Ask the monitoring", "ansible.builtin.fail": {"msg": "too many errors"}, "when": "redis_upgrade_hook.kind == 'redis'"}
    hooks = {**hook(tmp_path, "before_node", note), **hook(tmp_path, "after_node", note, fail)}
    done = run(deployment, "upgrade", redis_upgrade_canary=1, redis_upgrade_hooks=hooks)
    said = words(done.stdout)
    assert done.returncode != 0
    assert "(stop) after the canary, without a handover; left for the next run: redis-1, redis-3" in said
    assert f"The hook after_node ({hooks['after_node']}) failed on redis-2: Ask the monitoring: too many errors." in said
    assert "Done in this run: the Sentinel of sentinel-2, the Sentinel of sentinel-3, the replica redis-2." in said
    assert "Left: nothing; deferred to a run without redis_upgrade_canary: redis-1, redis-3." in said
    assert upgraded(deployment) == ["redis-2", *SENTINELS]
    assert locks_left(deployment) == []
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    assert [(line["name"], line["host"]) for line in lines] == [
        (name, host) for host in ("sentinel-2", "sentinel-3", "redis-2") for name in ("before_node", "after_node")
    ]
    address = deployment.address("redis-2")
    assert lines[-1] == {
        "name": "after_node",
        "host": "redis-2",
        "kind": "redis",
        "shard": "mymaster",
        "address": address,
        "version_before": VERSION,
        "version": WANTED,
        "masters": {"mymaster": deployment.address("redis-1")},
        "master_host": "redis-1",
    }


@pytest.mark.usefixtures("writers")
def test_a_canary_that_is_there_already_is_enough(deployment: Deployment) -> None:
    before = deployment.pids()
    done = run(deployment, "upgrade", redis_upgrade_canary=1)
    assert done.returncode == 0, done.stdout
    assert "stopped after the canary, as requested. Left: redis-1, redis-3." in words(done.stdout)
    assert "changed=1" not in done.stdout
    assert (deployment.pids(), deployment.masters()) == (before, ["redis-1"])
    assert (deployment.folder / "journal").exists(), "the next run still knows the original master"
    assert locks_left(deployment) == []


@pytest.mark.usefixtures("writers")
def test_asked_before_the_handover(deployment: Deployment, tmp_path: Path) -> None:
    with in_terminal(command(deployment, "upgrade", redis_upgrade_confirm="handover"), tmp_path / "log") as (running, type_line):
        running.wait_for(lambda: running.has_printed("Type yes to continue"))
        assert deployment.masters() == ["redis-1"]
        type_line("no")
        assert running.end() != 0
        said = words(running.output)
    assert "Next: the handover of mymaster to redis-2. Master now: mymaster redis-1." in said
    assert "The answer was 'no', not yes, so no new step begins." in said
    assert "Done in this run: the replica redis-3." in said
    assert "Left: the handover of mymaster to redis-2, the old master redis-1, the fail back of mymaster to redis-1." in said
    assert upgraded(deployment) == ["redis-2", "redis-3", *SENTINELS]
    assert deployment.masters() == ["redis-1"]
    assert locks_left(deployment) == []


@pytest.mark.usefixtures("writers")
def test_a_dead_run_holds_nobody_up_on_its_controller(deployment: Deployment, tmp_path: Path) -> None:
    """A run is killed between the handover and the old master; two more runs follow.

    The first of them is of the same controller, the second of another controller.
    """
    reached, orphan = tmp_path / "reached", tmp_path / "what its module waits for"
    touch = {"name": "Say that it is here", "ansible.builtin.file": {"path": str(reached), "state": "touch", "mode": "0600"}}
    hooks = hook(tmp_path, "after_handover", touch, waits_for(orphan))
    wishes = {"redis_upgrade_hooks": hooks, "redis_upgrade_confirm": "handover", "redis_upgrade_lock_s": 7200}
    with in_terminal(command(deployment, "upgrade", **wishes), tmp_path / "log") as (running, type_line):
        running.wait_for(lambda: running.has_printed("Type yes to continue"))
        type_line("yes")
        running.wait_for(reached.exists)
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
    orphan.touch()
    wait_until(lambda: settled(deployment), 60)
    assert deployment.masters() == ["redis-2"]
    left = {path: path.read_text() for path in locks_left(deployment)}
    assert len(left) == 3

    # The same controller takes the lock at once, and releases it if it may not begin.
    done = run(deployment, "upgrade", redis_upgrade_deadline="2020-01-01T00:00Z")
    assert "Another run" not in done.stdout
    assert "which has passed" in words(done.stdout)
    assert locks_left(deployment) == []

    # Another controller does not know whether that run is dead.
    for path, text in left.items():
        path.write_text(text.replace('"machine": "', '"machine": "another one '), encoding="utf-8")
    done = run(deployment, "upgrade")
    assert done.returncode != 0
    dead = json.loads(next(iter(left.values())))["run"]["id"]
    assert f"If you know that it is dead, and do not want to wait: -e redis_upgrade_override_lock={dead}." in words(done.stdout)
    assert "its lock expires in at most" in words(done.stdout)
    assert upgraded(deployment) == ["redis-2", "redis-3", *SENTINELS]
    assert len(locks_left(deployment)) == 3


def test_overridden_by_name_the_upgrade_ends_and_no_write_is_lost(deployment: Deployment, writers: Writers) -> None:
    dead = json.loads(locks_left(deployment)[0].read_text())["run"]["id"]
    done = run(deployment, "upgrade", redis_upgrade_override_lock=dead)
    verdict = writers.verdict()
    assert done.returncode == 0, done.stdout
    assert upgraded(deployment) == sorted(deployment.ports)
    assert deployment.masters() == ["redis-1"]
    assert journals_left(deployment) == []
    assert verdict["acknowledged"] > 1000
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
