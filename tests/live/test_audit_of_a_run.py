"""The write audit that an upgrade runs itself: refused, killed with its run, a loss, and a success.

One upgrade, in several runs.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from deployment import MASTER, ROOT, Deployment
from killing import VICTIMS, kill_controller
from states import locks_left, settled, wait_until

from playbooks import WANTED, command, run, started, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"
PREFIX = "sentinelops:audit"
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))


def variables(deployment: Deployment, **more: Any) -> dict[str, Any]:
    return {"redis_upgrade_audit": True, "redis_upgrade_report_file": str(deployment.folder / "report.json"), **more}


def report(deployment: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((deployment.folder / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, SCHEMA)
    return found


def keys(deployment: Deployment) -> list[str]:
    (master,) = deployment.masters()
    return [str(key) for key in deployment.command(master, "KEYS", f"{PREFIX}:*")]


def audits(deployment: Deployment) -> list[int]:
    """Return the process ids of audits."""
    found = []
    for pid in deployment.handing_over():
        with contextlib.suppress(OSError):
            if b"redis_write_audit" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def require_gone(deployment: Deployment) -> None:
    wait_until(lambda: not audits(deployment))
    assert keys(deployment) == []
    assert not (deployment.folder / "journal" / "audit").exists()


def test_a_check_writes_nothing(deployment: Deployment) -> None:
    before = deployment.info("redis-1")["master_repl_offset"]
    done = run(deployment, "upgrade", "--check", **variables(deployment))
    assert done.returncode == 0, done.stdout
    assert f"an audit writes to {PREFIX}:* of each shard 10 times per second" in words(done.stdout)
    assert keys(deployment) == []
    assert int(deployment.info("redis-1")["master_repl_offset"]) - int(before) < 100000


def test_an_audit_that_may_not_write_stops_the_run_before_it_begins(deployment: Deployment) -> None:
    before = deployment.pids()
    for name in deployment.nodes:
        deployment.administer(name, "ACL", "SETUSER", "default", "resetkeys", "~application:*")
        deployment.administer(name, "CONFIG", "REWRITE")
    try:
        done = run(deployment, "upgrade", **variables(deployment))
    finally:
        for name in deployment.nodes:
            deployment.administer(name, "ACL", "SETUSER", "default", "allkeys")
            deployment.administer(name, "CONFIG", "REWRITE")
    said = words(done.stdout)
    assert done.returncode != 0
    assert f"The write audit cannot write to {MASTER}: " in said
    assert "NOPERM" in said
    assert "Done in this run: nothing." in said
    assert deployment.pids() == before
    assert not locks_left(deployment)


def test_a_killed_run_leaves_an_audit_that_the_next_run_ends(deployment: Deployment, tmp_path: Path) -> None:
    words_of_run = command(deployment, "upgrade", **variables(deployment))
    with started(words_of_run, tmp_path / "log", deployment.mark) as running:
        running.wait_for(lambda: running.has_printed("Upgrade the replica"))
        kill_controller(deployment, VICTIMS[0])
    left = audits(deployment)
    assert left
    assert len(keys(deployment)) == 1
    settled(deployment)
    hook = tmp_path / "hook.yml"
    hook.write_text(json.dumps([{"name": "Stop", "ansible.builtin.fail": {"msg": "enough for now"}}]))
    done = run(deployment, "upgrade", **variables(deployment, redis_upgrade_hooks={"before_handover": str(hook)}))
    assert "enough for now" in done.stdout
    wait_until(lambda: not audits(deployment))
    assert keys(deployment) == [], "the second run released its lock, so its audit has ended as well"


def test_a_lost_write_is_a_problem_at_the_end(deployment: Deployment, tmp_path: Path) -> None:
    """Take one acknowledged write away while the run waits in its last hook."""
    settled(deployment)
    reached, go_on = tmp_path / "reached", tmp_path / "go-on"
    hook = tmp_path / "hook.yml"
    tasks = [
        {"name": "Say so", "ansible.builtin.file": {"path": str(reached), "state": "touch", "mode": "0600"}},
        {"name": "Wait", "ansible.builtin.wait_for": {"path": str(go_on), "timeout": 300}},
    ]
    hook.write_text(json.dumps(tasks))
    wanted = variables(deployment, redis_upgrade_hooks={"before_handover": str(hook)})
    with started(command(deployment, "upgrade", **wanted), tmp_path / "log", deployment.mark) as running:
        running.wait_for(reached.exists)
        (key,) = keys(deployment)
        (master,) = deployment.masters()
        assert deployment.command(master, "LPOP", key) == "1"
        go_on.touch()
        assert running.end() != 0
        output = words(running.output)
    assert f"the write audit of {MASTER}: 1 of " in output
    found = report(deployment)
    assert found["audits"][MASTER]["lost"] == 1
    assert found["outcome"] == "incomplete"
    assert set(deployment.versions().values()) == {WANTED}
    require_gone(deployment)


@pytest.mark.parametrize("playbook", ["rollback"])
def test_a_run_that_loses_nothing(deployment: Deployment, playbook: str) -> None:
    done = run(deployment, playbook, **variables(deployment))
    assert done.returncode == 0, done.stdout
    found = report(deployment)
    audit = found["audits"][MASTER]
    assert (audit["lost"], audit["unexpected"], audit["duplicates"]) == (0, 0, 0)
    assert audit["acknowledged"] > 50
    assert sum(audit["acknowledged_per_second"]["counts"]) == audit["acknowledged"]
    assert f"audit of {MASTER}: {audit['acknowledged']} writes acknowledged, 0 lost, longest gap" in words(done.stdout)
    assert set(deployment.versions().values()) == {VERSION}
    require_gone(deployment)
