"""Lines for a screen: they wrap, and nothing in them moves the cursor."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.text import (
    Line,
    duration,
    hosts_text,
    laid_out,
    message_lines,
    wrapped,
)

LONG = "shard mymaster: there is no way back from 8.0.1 to 7.0.15. " * 5


@pytest.mark.parametrize("width", [40, 80, 132])
@pytest.mark.parametrize("text", [LONG, f"- {LONG}", "x" * 300, "/a/path" * 30, "(5/8) replica wave 1: " + "node: 7.0.15 -> 8.0.1, " * 20])
def test_nothing_exceeds_the_width_and_nothing_is_lost(width: int, text: str) -> None:
    for stamp in (False, True):
        rows = laid_out(Line(text, stamp), "12:01:07", width)
        assert max(len(row) for row in rows) <= width
        assert "".join("".join(rows).split()) == "".join((("12:01:07  " if stamp else "") + text).split())


def test_the_second_row_is_indented_and_an_arrow_stays_with_its_sides() -> None:
    rows = wrapped("(5/8) replica   wave 1: one-2: 7.0.15 -> 8.0.1, two-2: 7.0.15 -> 8.0.1", 60, 6)
    assert rows == ["(5/8) replica   wave 1: one-2: 7.0.15 -> 8.0.1, two-2:", "      7.0.15 -> 8.0.1"]
    assert wrapped("    a log line", 80) == ["    a log line"]
    assert laid_out(Line("a " * 50, stamp=True), "12:01:07", 80)[1].startswith(" " * 12 + "a")


def test_a_number_stays_with_its_unit() -> None:
    """Also at every width at which the line would be broken there."""
    text = "loading, 43 %, 12 s to go, 1 min 02 s, offset: 12 MiB to go, 5 seconds"
    rows = [row.strip() for width in range(40, 70) for row in wrapped(text, width)]
    assert not [row for row in rows if row.startswith(("%", "s ", "s,", "min", "MiB"))]
    assert any(row.startswith("seconds") for row in rows), "a word is not a unit"


def test_text_of_servers_cannot_move_the_cursor() -> None:
    (row,) = laid_out(Line("a\x1b[2Jb\rc\x07\td"), "12:01:07", 80)
    assert row == "ab?c?   d"


def test_lines_of_one_text_stay_lines() -> None:
    assert laid_out(Line("one\ntwo", stamp=True), "12:01:07", 80) == ["12:01:07  one", "          two"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0.0 s"), (0.04, "0.0 s"), (3.21, "3.2 s"), (59.4, "59.4 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (3725, "1 h 02 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_many_hosts_are_counted() -> None:
    assert hosts_text(["a", "b", "c", "d"]) == "a, b, c, d"
    assert hosts_text(["a", "b", "c", "d", "e"]) == "5 hosts"


@pytest.mark.parametrize(
    ("message", "lines"),
    [("one\ntwo\n", ["one", "two"]), (["one", "two\nthree"], ["one", "two", "three"]), ({"a": 1}, ["{", '  "a": 1', "}"]), (7, ["7"])],
)
def test_messages_of_all_types(message: Any, lines: list[str]) -> None:
    assert message_lines(message) == lines
