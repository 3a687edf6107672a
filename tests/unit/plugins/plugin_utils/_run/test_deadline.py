"""The deadline of a run, as a person writes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.deadline import parse_deadline


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The controller is in Berlin: one hour ahead of UTC, two in summer."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "start", "meant"),
    [
        ("+90m", "2026-11-22T22:00:00+01:00", "2026-11-22T23:30:00+01:00"),
        ("+1h30m", "2026-11-22T22:00:00+01:00", "2026-11-22T23:30:00+01:00"),
        ("+45s", "2026-11-22T22:00:00+01:00", "2026-11-22T22:00:45+01:00"),
        ("+2h", "2026-11-22T22:00:00+00:00", "2026-11-23T00:00:00+00:00"),
        (" 23:30 ", "2026-11-22T22:00:00+01:00", "2026-11-22T23:30:00+01:00"),
        ("23:30:15", "2026-11-22T22:00:00+01:00", "2026-11-22T23:30:15+01:00"),
        ("2:00", "2026-11-22T22:00:00+01:00", "2026-11-23T02:00:00+01:00"),  # after midnight
        ("23:30", "2026-11-22T23:31:00+01:00", "2026-11-22T23:30:00+01:00"),  # missed by a minute
        ("23:30", "2026-11-23T00:10:00+01:00", "2026-11-22T23:30:00+01:00"),
        ("12:00", "2026-11-22T00:00:00+01:00", "2026-11-22T12:00:00+01:00"),  # ahead
        ("23:30", "2026-11-22T21:00:00+00:00", "2026-11-22T23:30:00+01:00"),  # in UTC
        ("2026-11-22T23:30", "2026-11-22T22:00:00+01:00", "2026-11-22T23:30:00+01:00"),
        ("2026-11-22 23:30:05", "2026-11-22T22:00:00+01:00", "2026-11-22T23:30:05+01:00"),
        ("2026-07-01T23:30", "2026-01-01T22:00:00+01:00", "2026-07-01T23:30:00+02:00"),  # summer
        ("2026-11-22T23:30+05:30", "2026-11-22T22:00:00+01:00", "2026-11-22T19:00:00+01:00"),
        ("2026-11-22T23:30:00Z", "2026-11-22T22:00:00+01:00", "2026-11-23T00:30:00+01:00"),
    ],
)
def test_meant(text: str, start: str, meant: str) -> None:
    found = parse_deadline(text, datetime.fromisoformat(start))
    assert found == datetime.fromisoformat(meant)
    assert found.tzinfo is not None


@pytest.mark.parametrize(
    "text", ["", "soon", "+", "+90", "90m", "25:00", "23:61", "23", "2330", "2026-11-22", "2026-13-01T10:00", "+1d", "-5m"]
)
def test_not_understood(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no deadline: write \+90m"):
        parse_deadline(text, datetime.fromisoformat("2026-11-22T22:00:00+01:00"))
