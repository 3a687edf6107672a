"""The screen: lines that stay, a last line that is drawn anew, and speech after long silence."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.screen import SPEAKS_EVERY_S, Screen, Ticker
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.text import Line
from ansible_collections.sentinelops.redis.tests.unit.support.terminal import Terminal


class Output:
    """A screen on a terminal, or on none."""

    def __init__(self, columns: int = 0) -> None:
        self.terminal = Terminal(columns or 80)
        self.columns = columns
        self.screen = Screen(
            lambda text, _mood: self.terminal.feed(f"{text}\r\n"), self.terminal.feed, lambda: self.columns, lambda: "12:01:07"
        )

    def silent_for(self, seconds: float) -> None:
        self.screen.quiet_since -= seconds


def test_in_a_terminal_the_last_line_is_drawn_anew_and_erased_before_others() -> None:
    output = Output(columns=80)
    output.screen.status("replica redis-2, for 1 s")
    assert output.terminal.text == "12:01:07  replica redis-2, for 1 s"
    output.screen.status("short")
    assert output.terminal.text == "12:01:07  short"
    output.screen.show([Line("done", stamp=True)])
    assert output.terminal.text == "12:01:07  done\n"
    output.screen.status("next")
    output.terminal.feed(output.screen.foreign("[WARNING]: of others") + "\r\n")
    assert output.terminal.text == "12:01:07  done\n[WARNING]: of others\n"
    output.screen.status("next")
    output.screen.status("")
    assert output.terminal.text == "12:01:07  done\n[WARNING]: of others\n"


@pytest.mark.parametrize("columns", [50, 80, 200])
def test_the_last_line_never_fills_the_row(columns: int) -> None:
    output = Output(columns)
    output.screen.status("x" * 300)
    assert len(output.terminal.rows) == 1
    assert len(output.terminal.text) == columns - 1
    output.columns = 45  # somebody made the window smaller
    output.screen.show([Line("word " * 40)])
    assert max(len(row) for row in output.terminal.rows) <= 45


def test_without_a_terminal_it_speaks_after_ten_seconds_of_silence() -> None:
    output = Output()
    output.screen.status("replica redis-2, for 9 s")
    assert output.terminal.text == ""
    output.silent_for(SPEAKS_EVERY_S)
    output.screen.status("replica redis-2, for 10 s")
    output.screen.status("replica redis-2, for 11 s")
    assert output.terminal.text == "12:01:07  ... replica redis-2, for 10 s\n"
    output.silent_for(SPEAKS_EVERY_S)
    output.screen.foreign("others have spoken")
    output.screen.status("replica redis-2, for 21 s")
    assert output.terminal.text.count("...") == 1


def test_news_are_told_before_the_ten_seconds_are_over() -> None:
    output = Output()
    output.screen.status("loading, 1 %", news=True)
    output.silent_for(SPEAKS_EVERY_S - 1)
    output.screen.status("for 9 s")
    assert output.terminal.text == ""
    output.screen.status("loading, 43 %", news=True)
    output.screen.status("loading, 44 %", news=True)
    assert output.terminal.text == "12:01:07  ... loading, 43 %\n"


def test_no_two_empty_lines_follow_each_other() -> None:
    output = Output()
    output.screen.show([Line("a"), Line(), Line(), Line("b")])
    output.screen.show([Line(), Line()])
    assert output.terminal.text == "a\n\nb\n\n"


def test_output_of_others_wraps_unless_it_has_escape_sequences() -> None:
    screen = Output().screen
    assert max(len(row) for row in screen.foreign("word " * 40 + "\nend").split("\n")) <= 80
    assert screen.foreign("\x1b[31m" + "x" * 100) == "\x1b[31m" + "x" * 100


def test_the_ticker_ends_when_it_is_told() -> None:
    ticked = threading.Event()
    lock = threading.RLock()
    ticker = Ticker(ticked.set, lock, every_s=0.01)
    ticker.start()
    assert ticked.wait(5)
    with lock:  # nothing is written while a worker is forked under this lock
        ticked.clear()
        assert not ticked.wait(0.05)
    ticker.stop()
    ticker.join(5)
    assert not ticker.is_alive()
