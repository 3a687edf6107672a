"""Hooks of the whole run, with the examples of docs/monitoring.md, and the metrics of its report.

One upgrade: its first run is stopped by before_run, the second by a replica that hangs, and the
third comes to its end.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from deployment import ROOT, Deployment
from prometheus_client.parser import text_string_to_metric_families
from states import locks_left, settled
from web import Web, web

from playbooks import WANTED, run, words

VERSION = "6.2.9"
BLOCK = re.compile(r"^```yaml\n# (begin|end)\.yml\n(.*?)^```", re.DOTALL | re.MULTILINE)
ANSWERS = {"/api/v2/silences": {"silenceID": "silence-1"}, "/api/annotations": {"id": 42}}
ENDS = ["DELETE /api/v2/silence/silence-1", "PATCH /api/annotations/42", "POST /slack"]
BEGINS = ["POST /api/v2/silences", "POST /api/annotations", "POST /slack"]


@pytest.fixture
def services() -> Iterator[Web]:
    with web(ANSWERS) as serving:
        yield serving


@pytest.fixture(scope="module")
def hooks(deployment: Deployment) -> dict[str, str]:
    """Return the documented hooks, as files."""
    content = {"begin": "---\n", "end": "---\n"}
    for name, text in BLOCK.findall((ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")):
        content[name] += text
    for name, text in content.items():
        (deployment.folder / f"{name}.yml").write_text(text, encoding="utf-8")
    begin, end = (str(deployment.folder / f"{name}.yml") for name in ("begin", "end"))
    return {"before_run": begin, "after_run": end, "on_failure": end}


def variables(deployment: Deployment, services: Web, hooks: dict[str, str]) -> dict[str, Any]:
    return {
        "redis_upgrade_hooks": hooks,
        "redis_upgrade_report_file": str(deployment.folder / "report.json"),
        "redis_upgrade_metrics_folder": str(deployment.folder),
        "alertmanager_url": services.url,
        "grafana_url": services.url,
        "grafana_token": "token",
        "slack_webhook": f"{services.url}/slack",
    }


def metrics(deployment: Deployment) -> dict[str, dict[str, float]]:
    """Return the samples of each metric, by their labels but those that all have."""
    text = (deployment.folder / "sentinelops_redis_upgrade.prom").read_text(encoding="utf-8")
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert (sample.labels.pop("playbook"), sample.labels.pop("deployment")) == ("upgrade", "")
            found.setdefault(sample.name.removeprefix("sentinelops_redis_upgrade_"), {})[" ".join(sample.labels.values())] = sample.value
    return found


def test_a_plan_calls_no_hook(deployment: Deployment, services: Web, hooks: dict[str, str]) -> None:
    for playbook, flags in (("plan", []), ("upgrade", ["--check"]), ("upgrade", ["--tags", "preflight"])):
        assert run(deployment, playbook, *flags, **variables(deployment, services, hooks)).returncode == 0
    assert not services.requests


def test_a_hook_before_the_run_that_fails(deployment: Deployment, services: Web, hooks: dict[str, str]) -> None:
    before = deployment.pids()
    refusing = deployment.folder / "refusing.yml"
    refusing.write_text(json.dumps([{"name": "Ask for a window", "ansible.builtin.fail": {"msg": "no window today"}}]))
    done = run(deployment, "upgrade", **variables(deployment, services, {**hooks, "before_run": str(refusing)}))
    said = words(done.stdout)
    assert done.returncode != 0
    assert f"The hook before_run ({refusing}) failed on" in said
    assert "Ask for a window: no window today. No new step begins." in said
    assert "Done in this run: nothing." in said, said
    assert (deployment.pids(), locks_left(deployment)) == (before, [])
    assert services.paths() == ENDS[2:], "nothing was begun, so only the message is left"
    assert "no window today" in services.requests[0][2]["text"]
    assert metrics(deployment)["outcome"] == {"running": 0, "done": 0, "stopped": 1, "incomplete": 0}


def test_a_message_that_must_not_be_shown_is_not_told(deployment: Deployment, services: Web, hooks: dict[str, str]) -> None:
    hidden = deployment.folder / "hidden.yml"
    hidden.write_text(json.dumps([{"name": "Log in", "no_log": True, "ansible.builtin.fail": {"msg": "token-8f3a"}}]))
    done = run(deployment, "upgrade", **variables(deployment, services, {**hooks, "before_run": str(hidden)}))
    assert done.returncode != 0
    assert "Log in: its message is hidden, since the task has no_log" in words(done.stdout)
    # ansible-core 2.19 itself prints the message of a failed task, whatever its no_log
    assert "token-8f3a" not in done.stdout.partition("Compute the message")[2] + json.dumps(services.requests)


def test_a_hidden_message_of_a_hook_after_a_failure(deployment: Deployment, services: Web, hooks: dict[str, str]) -> None:
    hidden = deployment.folder / "hidden.yml"
    hidden.write_text(json.dumps([{"name": "Log in", "no_log": True, "ansible.builtin.fail": {"msg": "token-8f3a"}}]))
    done = run(deployment, "upgrade", **variables(deployment, services, {**hooks, "before_run": str(hidden), "on_failure": str(hidden)}))
    said = words(done.stdout)
    assert done.returncode != 0
    for name in ("before_run", "on_failure"):
        found = said.partition(f"The hook {name} ({hidden}) failed on ")[2]
        assert found.partition(": ")[2].startswith("Log in: its message is hidden, since the task has no_log")


def test_a_hook_after_a_failure(deployment: Deployment, services: Web, hooks: dict[str, str]) -> None:
    """Stop redis-3 after the upgrade of redis-2, so that the next gate fails."""
    pid = deployment.pids()["redis-3"]
    stalling = deployment.folder / "stalling.yml"
    task = {"name": "Stall redis-3", "ansible.builtin.command": f"kill -STOP {pid}", "when": "redis_upgrade_hook.host == 'redis-2'"}
    stalling.write_text(json.dumps([task]))
    wanted = {**variables(deployment, services, {**hooks, "after_node": str(stalling)}), "redis_upgrade_wait_s": 10}
    try:
        done = run(deployment, "upgrade", **wanted)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode != 0
    assert services.paths() == [*BEGINS, *ENDS]
    assert services.requests[0][2]["comment"] == f"Upgrade to {WANTED}"
    told = services.requests[-1][2]["text"]
    assert told.startswith("Redis: the run has stopped on redis-3\n")
    reason = told.partition("\n")[2].splitlines()
    assert reason
    assert all(" ".join(line.split()) in words(done.stdout) for line in reason)
    assert locks_left(deployment) == []
    assert deployment.versions()["redis-2"] == WANTED


def test_hooks_that_fail_after_a_failure_hide_nothing(deployment: Deployment, services: Web, hooks: dict[str, str]) -> None:
    settled(deployment)
    missing = {"name": "Tell somebody", "ansible.builtin.fail": {"msg": "nobody is there"}}
    path = deployment.folder / "failing.yml"
    path.write_text(json.dumps([missing]))
    failing = {**hooks, "before_node": str(path), "on_failure": str(path)}
    done = run(deployment, "upgrade", **variables(deployment, services, failing))
    said = words(done.stdout)
    assert done.returncode != 0
    assert f"The hook before_node ({path}) failed on redis-3: Tell somebody: nobody is there. No new step begins." in said
    assert f"The hook on_failure ({path}) failed on redis-3: Tell somebody: nobody is there." in said
    assert services.paths() == BEGINS
    assert locks_left(deployment) == []


def test_hooks_around_a_run_that_ends_well(deployment: Deployment, services: Web, hooks: dict[str, str]) -> None:
    settled(deployment)
    wanted = variables(deployment, services, hooks)
    done = run(deployment, "upgrade", **wanted)
    assert done.returncode == 0, done.stdout
    assert set(deployment.versions().values()) == {WANTED}
    assert services.paths() == [*BEGINS, *ENDS]
    assert services.requests[-1][2]["text"] == f"Redis: every instance runs {WANTED}"
    found = metrics(deployment)
    assert found["outcome"] == {"running": 0, "done": 1, "stopped": 0, "incomplete": 0}
    assert found["instances"] == {f"redis {WANTED}": 3, f"sentinel {WANTED}": 3}
    assert (found["handovers"], found["problems"], found["steps"]) == ({"": 2}, {"": 0}, {"done": 4})
    assert all(0 < seconds < 5 for seconds in found["handover_pause_seconds"].values())
    assert found["begun_timestamp_seconds"][""] < found["ended_timestamp_seconds"][""]
    services.requests.clear()
    assert run(deployment, "upgrade", **wanted).returncode == 0
    assert not services.requests, "there was nothing to do"
