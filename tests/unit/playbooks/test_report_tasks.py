"""The tasks of the role that record a run, in ansible-playbook, over hosts without servers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.sentinelops.redis.tests.unit.support.run_events import handover, plan_of
from ansible_collections.sentinelops.redis.tests.unit.support.survey import two_shards

TASKS = Path(__file__).resolve().parents[3] / "roles" / "redis_upgrade" / "tasks" / "internal"
VARIABLES = yaml.safe_load((TASKS.parent.parent / "vars" / "main.yml").read_text(encoding="utf-8"))
HOSTS = ["one-1", "one-2", "one-3", "two-1", "two-2"]
MESSAGE = ["The deadline has passed.", "Left: {much}, and 'more', with a comma."]
RECORD = "sentinelops.redis.redis_report"


def task(file: str, name: str) -> dict[str, Any]:
    """Return a task of the role."""
    (found,) = [one for one in yaml.safe_load((TASKS / file).read_text(encoding="utf-8")) if one["name"] == name]
    return dict(found)


def tasks(folder: Path, report_file: str) -> list[dict[str, Any]]:
    """Return a run: two steps and two handovers on each host, then it stops and shows what it
    knows.
    """
    step, remember = (
        task("record_step.yml", "Record that this step is complete"),
        task("run_handover.yml", "Remember the result for the report"),
    )
    begin = {"file": report_file, "event": "begun", "data": "{{ __redis_upgrade_plan }}"}
    shown = {
        "steps": "{{ __redis_upgrade_steps_done }}",
        "handovers": "{{ __redis_upgrade_handovers.kept | map(attribute='new_master') }}",
        "message": "{{ __redis_upgrade_stop_message.kept }}",
    }
    return [
        {"name": "Begin", RECORD: begin, "run_once": True},
        {**step, "vars": {"__redis_upgrade_step_kind": "redis"}},
        {**step, "vars": {"__redis_upgrade_step_kind": "handover"}},
        remember,
        remember,
        {**task("abort_run.yml", "Compute the message"), "vars": {"__redis_upgrade_stop_lines": MESSAGE}, "run_once": True},
        {
            "ansible.builtin.copy": {"content": "{{ shown | to_json }}", "dest": f"{folder}/shown.json", "mode": "0600"},
            "vars": {"shown": shown},
        },
    ]


def play(folder: Path, report_file: str) -> subprocess.CompletedProcess[str]:
    variables: dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "redis_upgrade_redis_group": "redis",
        "redis_upgrade_sentinel_group": "redis",
        "__redis_upgrade_plan": {**plan_of(two_shards()), "report_file": report_file},
        "__redis_upgrade_switched": {"duration_s": 1.25},
        "__redis_upgrade_handed_over": handover("10.0.1.1:6379", "10.0.1.2:6379", "", "2026-01-31T10:00:00.000Z"),
        **{name: VARIABLES[name] for name in ("__redis_upgrade_key", "__redis_upgrade_steps_done")},
    }
    content = [{"hosts": "redis", "gather_facts": False, "vars": variables, "tasks": tasks(folder, report_file)}]
    (folder / "play.json").write_text(json.dumps(content), encoding="utf-8")
    inventory = folder / "inventory.ini"
    inventory.write_text("\n".join(["[redis]", *HOSTS, ""]), encoding="utf-8")
    words = ["ansible-playbook", "-i", str(inventory), "--forks", "5", str(folder / "play.json")]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_run_knows_the_same_with_a_report_and_without(tmp_path: Path, wanted: bool) -> None:
    file = tmp_path / "report.json"
    done = play(tmp_path, str(file) if wanted else "")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    shown = json.loads((tmp_path / "shown.json").read_text(encoding="utf-8"))
    assert {**shown, "steps": sorted(shown["steps"])} == {
        "steps": sorted(f"{host}/{kind}" for host in HOSTS for kind in ("redis", "handover")),
        "handovers": ["10.0.1.2:6379"] * 2,
        "message": MESSAGE,
    }
    names = ["report.events.jsonl", "report.html", "report.json"] if wanted else []
    assert sorted(path.name for path in tmp_path.glob("report*")) == names
    if wanted:
        report = json.loads(file.read_text(encoding="utf-8"))
        assert (report["outcome"], report["stop_message"], len(report["handovers"])) == ("stopped", MESSAGE, 10)
        assert {step["duration_s"] for step in report["steps"] if step["state"] == "done" and step["kind"] == "redis"} == {1.25}
