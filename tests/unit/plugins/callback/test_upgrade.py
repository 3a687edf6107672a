"""The callback upgrade: with constructed results, and with real runs of small playbooks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.utils.display import Display
from ansible_collections.sentinelops.redis.plugins.callback import upgrade
from ansible_collections.sentinelops.redis.plugins.callback.upgrade import CallbackModule
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.waiting import Waiting
from ansible_collections.sentinelops.redis.tests.unit.support.progress import GATE, SWITCH
from ansible_collections.sentinelops.redis.tests.unit.support.terminal import run_in_terminal

ROLE = "sentinelops.redis.redis_upgrade"
ENVIRONMENT = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "sentinelops.redis.upgrade", "ANSIBLE_LOCALHOST_WARNING": "false"}


class FakeTask:
    """A task as Ansible gives it to a callback; ``path`` is that of its file."""

    no_log = ignore_unreachable = False
    loop = None

    def __init__(self, name: str, action: str, path: str, **args: Any) -> None:
        self._uuid, self.name, self.action, self.resolved_action, self.path, self.args = name, name, action, action, path, args
        self._role = SimpleNamespace(get_name=lambda: ROLE)

    def get_name(self) -> str:
        return f"{ROLE} : {self.name}"

    def get_path(self) -> str:
        return f"{self.path}:7"


def own(name: str, action: str, **args: Any) -> FakeTask:
    return FakeTask(name, action, f"{upgrade._ROOT}/roles/redis_upgrade/tasks/x.yml", **args)


def result(task: FakeTask, public: bool, **data: Any) -> Any:
    """Return a result as of ansible-core 2.19, or of one before.

    It has no task_fields, whose use is deprecated since ansible-core 2.21.
    """
    fields = {
        "task": task,
        "host": SimpleNamespace(get_name=lambda: "redis-2", name="redis-2"),
        "result": data,
    }
    return SimpleNamespace(task_name=task.name, **(fields if public else {f"_{name}": value for name, value in fields.items()}))


@pytest.fixture
def callback(monkeypatch: pytest.MonkeyPatch) -> Iterator[CallbackModule]:
    made = CallbackModule()
    monkeypatch.setattr("ansible.context.CLIARGS", {"check": False})
    made.v2_playbook_on_start(SimpleNamespace(_file_name="/x/upgrade.yml"))
    yield made
    made._stop()


def play(name: str) -> Any:
    return SimpleNamespace(get_name=lambda: name)


@pytest.mark.parametrize("public", [True, False])
def test_results_of_all_versions_of_ansible(callback: CallbackModule, public: bool, capsys: pytest.CaptureFixture[str]) -> None:
    switch, gate = own(SWITCH, "sentinelops.redis.redis_instance"), own(GATE, "ansible.builtin.assert")
    callback.v2_playbook_on_play_start(play("(5/8) Replicas"))
    callback.v2_playbook_on_task_start(switch, False)
    callback.v2_runner_on_start(SimpleNamespace(get_name=lambda: "redis-2"), switch)
    callback.v2_runner_on_skipped(result(switch, public, skipped=True))
    callback.v2_runner_on_ok(result(switch, public, changed=True, invocation={"module_args": {"login_password": "s3cr3t"}}))
    callback.v2_runner_on_failed(result(gate, public, msg=["Nothing was touched:", "x"], invocation={"module_args": "s3cr3t"}))
    callback.v2_runner_on_unreachable(result(switch, public, msg="no route", unreachable=True))
    callback.v2_playbook_on_stats(SimpleNamespace(failures={"redis-2": 1}, dark={}))
    lines = [re.sub(r"^\d\d:\d\d:\d\d  |  [\d.]+ s$", "", line) for line in capsys.readouterr().out.splitlines()]
    assert lines[:7] == [
        "(5/8) replica    redis-2",
        "(5/8) Replicas: REFUSED",
        "Nothing was touched:",
        "- x",
        "(5/8) UNREACHABLE: redis-2, at: Stop, put the wanted version in place,",
        f"{' ' * 16}and start it",
        "no route",
    ]
    assert lines[7].startswith("FAILED: see the message above.")
    assert "s3cr3t" not in "".join(lines)


def test_a_task_of_a_hook_is_not_one_of_ours(callback: CallbackModule, capsys: pytest.CaptureFixture[str]) -> None:
    """It has the role of the task that includes it; its file is elsewhere."""
    hook = FakeTask("Show it", "ansible.builtin.debug", "/etc/hooks/before.yml", var="answer")
    callback.v2_playbook_on_play_start(play("(5/8) Replicas"))
    callback.v2_runner_on_ok(result(hook, True, answer=42))
    assert capsys.readouterr().out == "Show it (redis-2): 42\n"


def test_what_others_print_is_wrapped_and_the_display_is_as_before_at_the_end(
    callback: CallbackModule, capsys: pytest.CaptureFixture[str]
) -> None:
    Display().display("word " * 40)
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80
    callback.v2_playbook_on_stats(SimpleNamespace(failures={}, dark={}))
    assert "display" not in vars(Display())


def test_a_long_wait_speaks_without_a_terminal(callback: CallbackModule, capsys: pytest.CaptureFixture[str]) -> None:
    task = own("Build it", "ansible.builtin.command")
    callback.v2_playbook_on_play_start(play("(3/8) Stage the new version"))
    callback.v2_runner_on_start(SimpleNamespace(get_name=lambda: "redis-2"), task)
    callback._screen.quiet_since -= 10
    deadline = time.monotonic() + 10
    said = ""
    while not said and time.monotonic() < deadline:
        time.sleep(0.1)
        said = capsys.readouterr().out
    assert re.fullmatch(r"\d\d:\d\d:\d\d  \.\.\. \(3/8\) Build it: redis-2, for \d s\n", said)


def test_what_a_long_step_waits_for_is_a_part_of_its_line(callback: CallbackModule, capsys: pytest.CaptureFixture[str]) -> None:
    """The line of an action is not printed itself."""
    switch = own(SWITCH, "sentinelops.redis.redis_instance")
    callback.v2_playbook_on_play_start(play("(5/8) Replicas"))
    callback.v2_runner_on_start(SimpleNamespace(get_name=lambda: "redis-2"), switch)
    Display().display(Waiting("redis-2", "loading, 43 %", 12.0), stderr=True)
    assert capsys.readouterr() == ("", "")
    assert callback._run.under_way(time.monotonic()) == "(5/8) replica    redis-2, for 0 s: loading, 43 %"


def test_verbose_output_is_that_of_ansible(callback: CallbackModule, monkeypatch: pytest.MonkeyPatch) -> None:
    """All events that the default callback shows are handed to it."""
    called = []
    monkeypatch.setattr(callback._display, "verbosity", 1)
    names = [name for name, value in vars(upgrade.DefaultCallback).items() if name.startswith("v2_") and callable(value)]
    for name in names:
        monkeypatch.setattr(upgrade.DefaultCallback, name, lambda _self, *_arguments, name=name: called.append(name))
        getattr(callback, name)(SimpleNamespace())
    assert called == names
    assert len(names) > 15


# -- real runs


def included(tasks_from: str, **variables: Any) -> dict[str, Any]:
    """Return a task that includes a task file of the role."""
    role = {"name": ROLE, "tasks_from": tasks_from, "rolespec_validate": False}
    return {"name": f"Include {tasks_from}", "ansible.builtin.include_role": role, "vars": variables}


def written(folder: Path, *plays: tuple[str, list[dict[str, Any]]]) -> Path:
    """Write a playbook with these plays on localhost; return its path."""
    groups = {"redis_upgrade_sentinel_group": "all", "redis_upgrade_redis_group": "all", "ansible_python_interpreter": sys.executable}
    content = [{"name": name, "hosts": "localhost", "gather_facts": False, "vars": groups, "tasks": tasks} for name, tasks in plays]
    path = folder / "upgrade.yml"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


REPORT = [
    f"{'redis-1 (redis)':<28} {'6.2.9':<10} {'6.2.14':<10} master",
    "handover 127.0.0.1:1 -> 127.0.0.1:2: writes paused for 327 ms, led by " + "a " * 30,
]
PLAYS: list[tuple[str, list[dict[str, Any]]]] = [
    (
        "(5/8) Replicas",
        [
            {"name": "Sleep", "ansible.builtin.command": "sleep 2.5"},
            {"name": "Skip", "ansible.builtin.command": "false", "when": False},
            {"name": "Say a secret", "ansible.builtin.debug": {"msg": "s3cr3t"}, "no_log": True},
            included(
                "internal/hold_step",
                __redis_upgrade_gate={"pause_s": 0, "ask": "Next: all. Type yes", "stop": []},
                __redis_upgrade_lock_is_old=False,
            ),
        ],
    ),
    ("(8/8) Report", [included("report", __redis_upgrade_report={"lines": REPORT})]),
    ("(8/8) End", [included("internal/abort_run", __redis_upgrade_stop_lines=["The deadline has passed. " * 5, "Left: nothing."])]),
]


def common_checks(text: str) -> None:
    assert "(5/8) hook       changed: Sleep on localhost" in text
    assert f"\n{REPORT[0]}\n" in text
    assert re.search(r"\d  \(8/8\) End: STOPPED\nThe deadline has passed\. (.|\n)*Left: nothing\.\n\d\d:", text)
    assert re.search(r"\d\d:\d\d:\d\d  FAILED: see the message above\. .*same\n +command again  \d+\.\d s\n?$", text)
    for word in ("skipping", "included", "s3cr3t", "PLAY", "TASK", "Traceback"):
        assert word not in text


def test_a_playbook_in_a_terminal(tmp_path: Path) -> None:
    """The last line is drawn anew; while the run asks, nothing is drawn."""
    typed: list[str] = []

    def answer(text: str) -> str:
        if "Type yes:" in text and not typed:
            time.sleep(2.5)  # long enough for a line that would be drawn
            typed.append("yes\r")
            return typed[0]
        return ""

    code, terminal = run_in_terminal(["ansible-playbook", str(written(tmp_path, *PLAYS))], ENVIRONMENT, answer=answer)
    assert code == 2
    common_checks(terminal.text)
    assert typed
    assert any(re.search(r"\(5/8\) Sleep: localhost, for 2 s$", line) for line in terminal.seen)
    assert not any("Ask whether to continue: localhost, for" in line for line in terminal.seen)
    assert ", for " not in terminal.text
    assert terminal.text.index("Type yes:") < terminal.text.index("redis-1 (redis)")


def test_a_playbook_without_a_terminal(tmp_path: Path) -> None:
    plays = [(PLAYS[0][0], PLAYS[0][1][:3]), *PLAYS[1:]]
    words = ["ansible-playbook", str(written(tmp_path, *plays))]
    done = subprocess.run(
        words, env={**ENVIRONMENT, "COLUMNS": "200"}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    common_checks(done.stdout)
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "\r" not in done.stdout
    assert "\x1b" not in done.stdout


def test_verbose_runs(tmp_path: Path) -> None:
    tasks = [{"name": "Skip", "ansible.builtin.command": "false", "when": False}]
    words = ["ansible-playbook", str(written(tmp_path, ("(8/8) End", tasks))), "-v"]
    loud = subprocess.run(words, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert "PLAY RECAP" in loud.stdout
    assert "skipping: [localhost]" in loud.stdout
    assert "The upgrade has ended well" not in loud.stdout
