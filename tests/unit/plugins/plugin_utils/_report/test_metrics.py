"""The metrics of a report, as a parser of Prometheus' text format reads them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.metrics import metrics_file, metrics_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.run_report import make_run_report
from ansible_collections.sentinelops.redis.tests.unit.support.run_events import Events
from prometheus_client.parser import text_string_to_metric_families

AWKWARD = 'cache "a"\\b\nc'


def samples(report: dict[str, Any], deployment: str = "") -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(metrics_of(report, deployment)):
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        found[family.name.removeprefix("sentinelops_redis_upgrade_")] = [(sample.labels, sample.value) for sample in family.samples]
    return found


def test_the_metrics_of_a_whole_run() -> None:
    report = make_run_report(Events(None).all_steps().verified().ended().all)
    found = samples(report)
    assert [labels["outcome"] for labels, value in found["outcome"] if value] == ["done"]
    assert found["steps"] == [({"playbook": "upgrade", "deployment": "", "state": "done"}, float(len(report["steps"])))]
    assert sum(value for _labels, value in found["instances"]) == len(report["instances"])
    assert found["handovers"][0][1] == len(report["handovers"]) == len(found["handover_pause_seconds"])
    assert found["begun_timestamp_seconds"][0][1] <= found["ended_timestamp_seconds"][0][1]


@pytest.mark.parametrize(("dead", "outcome"), [(False, "running"), (True, "incomplete")])
def test_the_metrics_of_a_run_without_an_end(dead: bool, outcome: str) -> None:
    found = samples(make_run_report(Events(None).steps(3).all, dead))
    assert [labels["outcome"] for labels, value in found["outcome"] if value] == [outcome]
    assert "ended_timestamp_seconds" not in found
    assert {labels["state"] for labels, _value in found["steps"]} >= {"done", "next"}


def test_a_name_with_special_characters() -> None:
    found = samples(make_run_report(Events(None).all), AWKWARD)
    assert {labels["deployment"] for rows in found.values() for labels, _value in rows} == {AWKWARD}


@pytest.mark.parametrize(
    ("folder", "deployment", "path"),
    [
        ("", "", ""),
        ("", "a", ""),
        ("/m", "", "/m/sentinelops_redis_upgrade.prom"),
        ("/m", "cache-a", "/m/sentinelops_redis_upgrade_cache-a.prom"),
    ],
)
def test_the_file_of_the_metrics(folder: str, deployment: str, path: str) -> None:
    assert metrics_file(folder, deployment) == path
