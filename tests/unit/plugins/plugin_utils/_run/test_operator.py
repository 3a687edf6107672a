"""Options of the operator that are refused before a run touches anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.operator import (
    metrics_findings,
    missing_hosts_lines,
    operator_findings,
    reason_for_no_answer,
    report_findings,
)

GROUPS = {"redis": ["a", "b"], "sentinel": ["b", "c"], "other": ["d"]}


@pytest.mark.parametrize(
    ("in_play", "missing"), [(["a", "b", "c"], ""), (["c", "b", "a", "d"], ""), (["a", "b"], "c"), (["b"], "a, c"), ([], "a, b, c")]
)
def test_left_out(in_play: list[str], missing: str) -> None:
    lines = missing_hosts_lines(GROUPS, ["redis", "sentinel"], in_play, "somewhere")
    expected = f"Nothing was touched. --limit somewhere keeps this run from a part of the deployment: {missing}."
    assert lines[:1] == ([expected] if missing else [])


def test_the_refusal_of_a_limit_says_what_to_do_instead() -> None:
    text = " ".join(missing_hosts_lines(GROUPS, ["redis", "sentinel"], ["a"], "a"))
    assert "Run without --limit" in text
    assert "redis_upgrade_canary=1" in text
    assert "redis_upgrade_deployments" in text
    assert "redis_upgrade_sentinel_group" in text


@pytest.mark.parametrize(
    ("options", "deadline_error", "terminal", "found"),
    [
        ({}, "", False, []),
        ({"confirm": "never", "hooks": None}, "", False, []),
        ({"confirm": "all"}, "", True, []),
        ({"confirm": "nodes"}, "", False, ["redis_upgrade_confirm"]),
        ({}, "it is 1999-01-01, which has passed", True, ["redis_upgrade_deadline"]),
        ({"hooks": {"before_node": "/here/a.yml", "after_handover": "/here/b.yml"}}, "", False, []),
        ({"hooks": {"before_node": "/gone.yml"}}, "", False, ["redis_upgrade_hooks, before_node"]),
        ({"hooks": {"before_node": "here/a.yml"}}, "", False, ["redis_upgrade_hooks, before_node"]),
        ({"audit_writes_per_second": 0.5}, "", False, []),
        ({"audit_writes_per_second": 0}, "", False, ["redis_upgrade_audit_writes_per_second"]),
        ({"audit_writes_per_second": "-1"}, "", False, ["redis_upgrade_audit_writes_per_second"]),
        ({"hooks": {"in_between": "/here/a.yml"}}, "", False, ["redis_upgrade_hooks, in_between"]),
        (
            {"confirm": "all", "hooks": {"x": "/a"}},
            "late",
            False,
            ["redis_upgrade_deadline", "redis_upgrade_confirm", "redis_upgrade_hooks, x"],
        ),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], deadline_error: str, terminal: bool, found: list[str]) -> None:
    no_answer = reason_for_no_answer(terminal, {})
    findings = operator_findings(options, deadline_error, no_answer, lambda path: path.startswith(("/here/", "here/")))
    assert [finding.node for finding in findings] == found


def test_a_job_of_ansible_runner_cannot_be_asked(tmp_path: Path) -> None:
    """AWX runs its jobs with ansible-runner, which gives each a terminal at which nobody sits."""
    (tmp_path / "project").mkdir()
    told = tmp_path / "told.json"
    content = "{{ {'is_terminal': is_terminal.rc == 0, 'environment': lookup('ansible.builtin.pipe', 'env').splitlines()} | to_json }}"
    own_input = "/proc/{{ lookup('ansible.builtin.pipe', 'ps -o ppid= -p $PPID') | trim }}/fd/0"
    tasks = [
        {"ansible.builtin.shell": f"test -t 0 < {own_input}", "register": "is_terminal"},
        {"ansible.builtin.copy": {"content": content, "dest": str(told), "mode": "0600"}},
    ]
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    (tmp_path / "project" / "play.yml").write_text(json.dumps(play))
    done = ansible_runner.run(private_data_dir=str(tmp_path), playbook="play.yml", quiet=True)
    assert done.status == "successful", done.stdout.read()
    found = json.loads(told.read_text())
    assert found["is_terminal"]
    environment = dict(line.partition("=")[::2] for line in found["environment"])
    assert reason_for_no_answer(True, environment) == "this run is a job of AWX or ansible-runner"


def test_a_report_file_that_can_be_written(tmp_path: Path) -> None:
    assert report_findings("") == []
    assert report_findings(str(tmp_path / "report.json")) == []


@pytest.mark.parametrize(("name", "reason"), [("", "is a folder"), ("none/report.json", "is no folder that this user may write")])
def test_a_report_file_that_cannot_be_written(tmp_path: Path, name: str, reason: str) -> None:
    (found,) = report_findings(str(tmp_path / name))
    assert found.check == "operator"
    assert reason in str(found)


def test_a_folder_without_rights_is_refused() -> None:
    (found,) = report_findings("/somewhere/report.json", lambda folder: False)
    assert "/somewhere on the controller" in str(found)


@pytest.mark.parametrize(
    ("folder", "report", "reason"),
    [
        ("metrics", "/report.json", "is not an absolute path"),
        ("{tmp}/none", "/report.json", "is no folder that this user may write"),
        ("{tmp}", "", "there is no redis_upgrade_report_file"),
    ],
)
def test_a_folder_of_metrics_that_is_refused(tmp_path: Path, folder: str, report: str, reason: str) -> None:
    (found,) = metrics_findings(folder.format(tmp=tmp_path), report)
    assert reason in str(found)


def test_a_folder_of_metrics_that_can_be_written(tmp_path: Path) -> None:
    assert metrics_findings("", "") == []
    assert metrics_findings(str(tmp_path), "/report.json") == []
    assert metrics_findings(str(tmp_path), "/report.json", lambda path: False) != []
