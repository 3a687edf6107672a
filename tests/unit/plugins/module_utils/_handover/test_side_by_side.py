"""The locks of handovers side by side on one host, in real processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.side_by_side import SharedPeriod, Turn, sweep_periods

SENTINEL = "[fd00::1]:26379"


class Sentinel:
    """A Sentinel with an INFO period."""

    def __init__(self, period_ms: int = 10000) -> None:
        self.period_ms = period_ms
        self.restored = 0

    def join(self, folder: Path) -> tuple[SharedPeriod, int]:
        """Return a handover's part in the period, and the value that it found; shorten it."""
        period = SharedPeriod(str(folder), SENTINEL)
        before_ms = period.join(lambda: self.period_ms, 1000, 10000)
        self.period_ms = 1000
        return period, before_ms

    def leave(self, period: SharedPeriod, before_ms: int) -> None:
        def restore() -> None:
            self.period_ms, self.restored = before_ms, self.restored + 1

        period.leave(restore)


def test_one_turn_at_a_time(tmp_path: Path) -> None:
    one, other = Turn(str(tmp_path)), Turn(str(tmp_path))
    assert (one.take(), other.take(), one.take()) == (True, False, True)
    one.give_back()
    one.give_back()
    assert (other.take(), one.take()) == (True, False)
    other.give_back()
    assert list(tmp_path.iterdir()) == []


def test_a_turn_ends_with_its_process(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if Turn(str(tmp_path)).take() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert Turn(str(tmp_path)).take()


def test_without_a_folder_there_are_no_others() -> None:
    assert Turn().take()
    assert Turn().take()


def test_who_shortens_a_period_and_whether_others_do_so(tmp_path: Path) -> None:
    found = []
    for number in range(2):
        for found_ms in (10000, 1000):
            period = SharedPeriod(str(tmp_path), f"127.0.0.1:{26379 + number}")
            period.join(lambda value=found_ms: value, 1000, 10000)
            found.append((period.is_first, period.has_others))
    assert found == [(True, False), (False, False), (True, True), (False, True)]


@pytest.mark.parametrize("usual_ms", [10000, 4000])
def test_the_last_one_restores_the_period(tmp_path: Path, usual_ms: int) -> None:
    sentinel = Sentinel(usual_ms)
    parts = [sentinel.join(tmp_path) for _number in range(3)]
    assert [before_ms for _period, before_ms in parts] == [usual_ms] * 3
    sentinel.leave(*parts[1])
    parts[1] = sentinel.join(tmp_path)
    for part in parts[:2]:
        sentinel.leave(*part)
    assert (sentinel.period_ms, sentinel.restored) == (1000, 0)
    sentinel.leave(*parts[2])
    assert (sentinel.period_ms, sentinel.restored) == (usual_ms, 1)
    assert list(tmp_path.iterdir()) == []


def test_one_that_died_holds_nothing(tmp_path: Path) -> None:
    sentinel = Sentinel(4000)
    mine = sentinel.join(tmp_path)
    child = os.fork()
    if child == 0:
        sentinel.join(tmp_path)
        os._exit(0)
    os.waitpid(child, 0)
    sentinel.leave(*mine)
    assert (sentinel.period_ms, list(tmp_path.iterdir())) == (4000, [])


def test_a_standby_holds_it_for_a_dead_handover(tmp_path: Path) -> None:
    """It has the descriptor by the fork, and the handover's own is gone."""
    sentinel = Sentinel(4000)
    first, other = sentinel.join(tmp_path), sentinel.join(tmp_path)
    child = os.fork()
    if child == 0:
        sentinel.leave(*first)
        os._exit(0 if sentinel.restored == 0 else 1)
    first[0].drop()
    assert os.waitpid(child, 0)[1] == 0
    sentinel.leave(*other)
    assert (sentinel.period_ms, sentinel.restored) == (4000, 1)


def test_the_period_that_a_dead_handover_has_left(tmp_path: Path) -> None:
    """Its record tells the value before; without a record it is the usual one."""
    sentinel = Sentinel(4000)
    sentinel.join(tmp_path)[0].drop()
    assert sentinel.period_ms == 1000
    period, before_ms = sentinel.join(tmp_path)
    assert before_ms == 4000
    period.drop()
    sweep_periods(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert sentinel.join(tmp_path)[1] == 10000


def test_an_old_record_does_not_hide_a_new_value(tmp_path: Path) -> None:
    sentinel = Sentinel(4000)
    sentinel.join(tmp_path)[0].drop()
    sentinel.period_ms = 7000  # by somebody else since
    assert sentinel.join(tmp_path)[1] == 7000


def test_what_is_held_is_not_swept(tmp_path: Path) -> None:
    sentinel = Sentinel(4000)
    part = sentinel.join(tmp_path)
    sweep_periods(str(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1
    assert sentinel.join(tmp_path)[1] == 4000
    sentinel.leave(*part)


def test_the_folder_is_made_and_must_be_ours(tmp_path: Path) -> None:
    sentinel = Sentinel()
    sentinel.join(tmp_path / "journals")[0].drop()
    assert (tmp_path / "journals").stat().st_mode & 0o777 == 0o700
    (tmp_path / "journals").chmod(0o777)
    with pytest.raises(PreconditionFailed, match="could replace the files"):
        sentinel.join(tmp_path / "journals")
