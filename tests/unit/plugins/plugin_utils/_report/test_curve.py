"""The curve of a write audit on the timeline."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.curve import HEIGHT_PX, curve_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._times import moment, timestamp
from ansible_collections.sentinelops.redis.tests.unit.support.run_events import BEGIN_S, audit


def at(text: str) -> float:
    """Return a place on an axis of 1000 s."""
    return round((moment(text).timestamp() - BEGIN_S) / 10, 3)


def points(curve: dict[str, Any]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.split(",") for point in curve["points"].split())]


def test_each_second_is_a_step() -> None:
    corners = points(curve_of(audit(seconds=5, gap_at=2, begun_s=BEGIN_S + 100), [], at))
    low = HEIGHT_PX * 0.4
    assert corners == [
        (10.0, HEIGHT_PX),
        *((10.0, 0.0), (10.1, 0.0)),
        *((10.1, 0.0), (10.2, 0.0)),
        *((10.2, pytest.approx(low, abs=0.05)), (10.3, pytest.approx(low, abs=0.05))),
        *((10.3, 0.0), (10.4, 0.0)),
        (10.4, HEIGHT_PX),
    ], "without the last second, within which the audit ended"


def test_the_text_has_the_extremes() -> None:
    assert curve_of(audit(), [], at)["text"] == "6 to 10 writes per second"


@pytest.mark.parametrize(("seconds", "width_s"), [(300, 1), (301, 1), (302, 2), (3601, 12), (86400, 288)])
def test_a_long_run_has_as_many_columns_and_keeps_its_gap(seconds: int, width_s: int) -> None:
    curve = curve_of(audit(seconds=seconds, gap_at=seconds // 2), [], at)
    assert len(points(curve)) <= 2 * 300 + 2
    assert min(y for _x, y in points(curve)) == 0
    assert round(HEIGHT_PX * 0.4, 1) in {y for _x, y in points(curve)}
    assert ("lowest second of every" in curve["title"]) == (width_s > 1)
    assert width_s == 1 or curve["title"].endswith(f"every {width_s}")


def test_an_audit_of_less_than_a_second_has_no_curve() -> None:
    assert curve_of(audit(seconds=1, gap_at=0), [], at) == {}


def test_an_audit_that_wrote_nothing_is_flat() -> None:
    found = audit(seconds=3, gap_at=0)
    found["acknowledged_per_second"]["counts"] = [0, 0, 0]
    assert {y for _x, y in points(curve_of(found, [], at))} == {HEIGHT_PX}


@pytest.mark.parametrize("ahead_s", [0.0, 2.5, -40.0])
def test_the_clock_of_the_host_is_corrected_by_a_handover(ahead_s: float) -> None:
    """The controller has recorded the end of a handover that lasted 4 s by its own clock."""
    begun_s = BEGIN_S + 100
    one = {
        "begun_at": timestamp(begun_s),
        "recorded_at": timestamp(begun_s + 4 + ahead_s),
        "timeline": [{"at_ms": 4000.0, "event": "settled"}],
    }
    corners = points(curve_of(audit(begun_s=begun_s), [{"timeline": []}, one], at))
    assert corners[0][0] == pytest.approx(10 + ahead_s / 10, abs=0.01)
