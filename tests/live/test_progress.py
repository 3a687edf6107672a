"""The callback upgrade on real runs: all that matters, in few lines of 80 columns."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.terminal import run_in_terminal
from ansible_collections.sentinelops.redis.tests.unit.support.tmux import run_in_tmux
from deployment import Deployment

from playbooks import command

pytestmark = pytest.mark.extended

VERSION = "6.2.9"
ENVIRONMENT = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "sentinelops.redis.upgrade"}


def shown(deployment: Deployment, *words: str, code: int = 0, **variables: Any) -> str:
    """Run a playbook without a terminal; return its output, which is short and narrow."""
    done = subprocess.run(
        command(deployment, *words, **variables), env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    check(done.stdout)
    return done.stdout


def check(text: str) -> None:
    print(text)  # pytest shows it if a test fails
    lines = text.splitlines()
    assert len(lines) <= 100
    assert max(len(line) for line in lines) <= 80
    for word in ("skipping", "included", "PLAY", "TASK", "ok: [", "changed: [", "Traceback"):
        assert word not in text


def last(text: str) -> str:
    """Return the verdict, which may have several rows."""
    return " ".join(re.split(r"^\d\d:\d\d:\d\d  ", text, flags=re.MULTILINE)[-1].split())


def test_a_refusal_is_whole(deployment: Deployment) -> None:
    text = shown(deployment, "upgrade", code=2, redis_upgrade_version="6.2.7")
    assert "(2/8) Preflight: REFUSED\nNothing was touched. Before the upgrade may begin:\n- " in text
    assert "a downgrade is refused" in " ".join(text.split())
    assert "REFUSED: nothing was touched." in last(text)


@pytest.mark.parametrize("words", [["plan"], ["upgrade", "--check"], ["upgrade", "--tags", "preflight"]])
def test_a_plan_says_that_nothing_was_changed(deployment: Deployment, words: list[str]) -> None:
    text = shown(deployment, *words)
    assert "\n(4/8) Sentinel  sentinel-1: 6.2.9 -> 6.2.14\n" in text
    assert "Preflight: Every gate is open" in text
    assert "Nothing was changed: the upgrade may begin" in last(text)


def test_an_upgrade_names_every_node_and_both_handovers(deployment: Deployment) -> None:
    text = shown(deployment, "upgrade")
    stamp = r"^\d\d:\d\d:\d\d  "
    for name in deployment.sentinels:
        assert re.search(rf"{stamp}\(4/8\) Sentinel   {name}: 6\.2\.9 -> 6\.2\.14  \d+\.\d s$", text, re.MULTILINE)
    for name in ("redis-2", "redis-3"):
        assert re.search(rf"{stamp}\(5/8\) replica    {name}: 6\.2\.9 -> 6\.2\.14  \d+\.\d s$", text, re.MULTILINE)
    assert re.search(rf"{stamp}\(7/8\) old master redis-1: 6\.2\.9 -> 6\.2\.14  \d+\.\d s$", text, re.MULTILINE)
    for label in (r"6/8\) handover   mymaster: redis-1 -> redis-2", r"8/8\) fail back  mymaster: redis-2 -> redis-1"):
        assert re.search(rf"{stamp}\({label}, paused \d+ ms  \d+\.\d s$", text, re.MULTILINE)
    assert "Stage the new version: 6 hosts" in text
    assert "\ninstance                     before     now        role\n" in text
    assert re.search(r"The upgrade is complete: 8 of 8 steps done, writes paused for \d+ ms and \d+ ms", last(text))


def test_a_second_upgrade_has_nothing_to_do(deployment: Deployment) -> None:
    assert "Nothing to do, and nothing was changed" in last(shown(deployment, "upgrade"))


def test_a_rollback_in_a_terminal(deployment: Deployment) -> None:
    code, terminal = run_in_terminal(command(deployment, "rollback"), ENVIRONMENT)
    text = terminal.text
    assert code == 0, text
    check(text)
    assert "The rollback is complete: 8 of 8 steps done" in last(text)
    assert any(re.search(r"\(5/8\) handover   mymaster: redis-1 -> redis-[23], for \d s$", line) for line in terminal.seen)
    assert not re.search(r", for \d+ s$", text, re.MULTILINE), "what was under way is not left on the screen"


def test_a_failure_and_the_revert_are_told(deployment: Deployment, tmp_path: Any) -> None:
    """A hook fails after the first Sentinel."""
    hook = tmp_path / "hook.yml"
    hook.write_text('[{"name": "Ask the monitoring", "ansible.builtin.fail": {"msg": "too many errors"}}]', encoding="utf-8")
    text = shown(deployment, "upgrade", code=2, redis_upgrade_hooks={"after_node": str(hook)})
    assert "(4/8) FAILED: Ask the monitoring on sentinel-" in text
    # the path may be wrapped
    assert re.search(r"\(4/8\) Sentinels: STOPPED\nThe hook after_node\s+\(", text)
    assert "Done in this run: the Sentinel of sentinel-1." in text
    assert "STOPPED after 1 of 8 steps" in last(text)


def test_a_handover_without_an_upgrade(deployment: Deployment) -> None:
    text = shown(deployment, "handover", redis_upgrade_handover_to="redis-2")
    assert re.search(r"handover 127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+, paused \d+ ms", text)
    assert "The handover has ended well" in last(text)


def test_a_whole_upgrade_in_a_real_terminal(deployment: Deployment) -> None:
    """The deployment is as the tests before have left it: one Sentinel is upgraded."""
    code, text, seen = run_in_tmux(command(deployment, "upgrade"), ENVIRONMENT)
    assert code == 0, text
    check(text)
    stamp = r"^\d\d:\d\d:\d\d  "
    for step in (r"Sentinel   sentinel-\d: 6\.2\.9", r"replica    redis-\d: 6\.2\.9", r"old master redis-\d: 6\.2\.9"):
        assert re.search(rf"{stamp}\(\d/8\) {step} -> 6\.2\.14  \d+\.\d s$", text, re.MULTILINE)
    assert "The upgrade is complete: " in last(text)
    drawn = [line for line in seen if re.search(rf"{stamp}\(\d/8\) .*, for \d+ s(: .*)?$", line)]
    assert len(drawn) > 10
    assert not re.search(r", for \d+ s", text), "what was under way is not left on the screen"
