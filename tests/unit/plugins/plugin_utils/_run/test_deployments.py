"""A run over several deployments: which are chosen, the commands, and what begins when."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.deployments import (
    REDIS_GROUP,
    SENTINEL_GROUP,
    Run,
    choose,
    command,
    prompts,
    run_all,
    verdict_lines,
)

FOUND = [{"name": name, "redis_hosts": [f"{name}-r"], "sentinel_hosts": [f"{name}-s"], "shards": 1} for name in ("a", "b", "c")]


@pytest.mark.parametrize(
    ("wanted", "first", "names"),
    [([], "", ["a", "b", "c"]), (["c", "a"], "", ["a", "c"]), ([], "c", ["c", "a", "b"]), (["b", "c"], "c", ["c", "b"])],
)
def test_chosen(wanted: list[str], first: str, names: list[str]) -> None:
    assert [one["name"] for one in choose(FOUND, wanted, first)] == names


@pytest.mark.parametrize(
    ("wanted", "first", "told"),
    [
        (["a", "d"], "", "there is no deployment d; the inventory has a, b, c"),
        ([], "d", "there is no deployment d"),
        (["a"], "b", "the canary b .* is not among the chosen"),
    ],
)
def test_a_wrong_choice_is_told(wanted: list[str], first: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        choose(FOUND, wanted, first)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"ask_pass": False, "vault_ids": ["dev@file"]}, []),
        ({"ask_pass": True, "become_ask_pass": True}, ["--ask-pass", "--ask-become-pass"]),
        ({"vault_ids": ["dev@prompt"]}, ["--vault-id dev@prompt"]),
    ],
)
def test_options_that_ask(options: dict[str, Any], found: list[str]) -> None:
    assert prompts(options) == found


@pytest.mark.parametrize(
    ("argv", "sources"),
    [
        (["ansible-playbook", "-i", "hosts.yml", "x.upgrade"], []),
        (["ansible-playbook", "x.upgrade"], ["-i", "/etc/ansible/hosts"]),
        (["ansible-playbook", "--inventory=hosts.yml", "x.upgrade", "--check"], []),
    ],
)
def test_the_command_is_that_of_this_run(tmp_path: Path, argv: list[str], sources: list[str]) -> None:
    words = command(FOUND[0], tmp_path, argv, ["/etc/ansible/hosts"])
    inventory, variables = tmp_path / "a.inventory.json", tmp_path / "a.variables.json"
    assert words == [sys.executable, "-u", *argv, *sources, "-i", str(inventory), "-e", f"@{variables}"]
    groups = json.loads(inventory.read_text())["all"]["children"]
    assert groups == {REDIS_GROUP: {"hosts": {"a-r": None}}, SENTINEL_GROUP: {"hosts": {"a-s": None}}}
    given = json.loads(variables.read_text())
    assert (given["redis_upgrade_redis_group"], given["__redis_upgrade_deployment"]) == (REDIS_GROUP, "a")


def runs(folder: Path, *codes: int) -> list[Run]:
    script = "echo PLAY '[(4/8) Sentinels] ***'; echo; echo 'fatal: [x]: broken'; sleep 0.1; exit {}"
    return [Run(f"d{number}", folder, ["sh", "-c", script.format(code)]) for number, code in enumerate(codes)]


def test_all_run_and_each_play_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    done = runs(tmp_path, 0, 0, 0)
    run_all(done, False, 2, 0, said.append)
    assert [run.code for run in done] == [0, 0, 0]
    assert said.count("d2: (4/8) Sentinels") == 1
    begun = [said.index(f"d{number}: begun, see {tmp_path}/d{number}.log") for number in range(3)]
    ended = [number for number, line in enumerate(said) if " done in " in line]
    assert begun[1] < ended[0] < begun[2], "two side by side, and no third one"
    assert verdict_lines(done)[0] == "3 deployments: 3 done, 0 failed, 0 not begun"


def test_after_a_failure_no_other_one_begins(tmp_path: Path) -> None:
    said: list[str] = []
    done = runs(tmp_path, 0, 2, 0, 0)
    run_all(done, False, 2, 0, said.append)
    assert [run.code for run in done] == [0, 2, None, None], "the one under way has ended as planned"
    assert "d1:   fatal: [x]: broken" in said
    lines = verdict_lines(done)
    assert lines[0] == "4 deployments: 1 done, 1 failed, 2 not begun"
    assert "d3: not begun" in lines
    assert "run the same command again" in lines[-1]


def test_a_failure_may_be_allowed(tmp_path: Path) -> None:
    done = runs(tmp_path, 2, 0, 2, 0)
    run_all(done, False, 1, 1, lambda _line: None)
    assert [run.code for run in done] == [2, 0, 2, None]


def test_a_canary_is_alone(tmp_path: Path) -> None:
    said: list[str] = []
    done = runs(tmp_path, 0, 0, 0)
    run_all(done, True, 3, 0, said.append)
    canary = next(number for number, line in enumerate(said) if line.startswith("d0: done"))
    assert all(number > canary for number, line in enumerate(said) if line.startswith(("d1: begun", "d2: begun")))
    failed = runs(tmp_path, 1, 0)
    run_all(failed, True, 3, 0, said.append)
    assert [run.code for run in failed] == [1, None]


def test_the_output_that_is_read_is_that_of_the_default_callback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run over all may have another callback."""
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "sentinelops.redis.upgrade")
    program = "import os; print(f\"PLAY [(4/8) {os.environ['ANSIBLE_STDOUT_CALLBACK']}] ***\")"
    said: list[str] = []
    run_all([Run("a", tmp_path, [sys.executable, "-c", program])], False, 1, 0, said.append)
    assert "a: (4/8) ansible.builtin.default" in said
