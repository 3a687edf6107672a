"""Critical sections: a signal during the section is delivered at its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._signals import uninterrupted

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def received() -> Iterator[list[int]]:
    """Return a list of the signals delivered outside of a critical section."""
    numbers: list[int] = []
    before = {number: signal.signal(number, lambda got, _frame: numbers.append(got)) for number in SIGNALS}
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def section(number: int, done: list[str], error: Exception | None = None) -> None:
    """Run a critical section that receives a signal, and raises an error if one is given."""
    with uninterrupted():
        os.kill(os.getpid(), number)
        done.append("the rest of the section")
        if error:
            raise error


@pytest.mark.parametrize("number", SIGNALS)
def test_held_back_and_delivered_at_the_end(received: list[int], number: signal.Signals) -> None:
    with uninterrupted():
        os.kill(os.getpid(), number)
        inside = list(received)
    assert (inside, received) == ([], [number])


def test_nothing_is_delivered_where_nothing_came(received: list[int]) -> None:
    with uninterrupted():
        pass
    assert received == []


def test_the_first_of_several_is_delivered(received: list[int]) -> None:
    with uninterrupted():
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
    assert received == [signal.SIGHUP]


def test_the_handlers_are_as_before(received: list[int]) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with uninterrupted():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
    os.kill(os.getpid(), signal.SIGTERM)
    assert received == [signal.SIGTERM]


def test_an_error_in_the_section_comes_through(received: list[int]) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(RuntimeError, match="broken"):
        section(signal.SIGTERM, [], RuntimeError("broken"))
    assert received == [signal.SIGTERM]
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_one_section_in_another(received: list[int]) -> None:
    with uninterrupted():
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGTERM)
        inside = list(received)
    assert (inside, received) == ([], [signal.SIGTERM])


def test_the_section_is_finished_before_ctrl_c_becomes_an_exception() -> None:
    done: list[str] = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            section(signal.SIGINT, done)
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == ["the rest of the section"]
