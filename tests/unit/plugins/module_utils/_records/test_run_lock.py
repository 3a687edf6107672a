"""The lock of a run: the right to take it, the age of a lease, and the lock's file."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._records.run_lock import (
    Moment,
    RunLock,
    age_s,
    describe_run,
    now,
    right_to_take,
)

DAY = 86400.0
ALICE = {"id": "a1", "user": "alice", "controller": "bastion", "pid": 4711, "begun": "99", "machine": "m"}
BOB = {**ALICE, "id": "b2", "user": "bob"}


def record(
    run: Mapping[str, Any] = MappingProxyType(ALICE), lease_s: float = 300, boot: str = "boot-1", since_boot_s: float = 1000
) -> dict[str, Any]:
    return {
        "schema": 1,
        "run": dict(run),
        "since_s": 500_000.0,
        "renewed": {"wall_s": 500_000.0, "since_boot_s": since_boot_s, "boot_id": boot},
        "lease_s": lease_s,
    }


@pytest.fixture
def lock(tmp_path: Path) -> RunLock:
    return RunLock(str(tmp_path / "journal" / "sentinel-26379.lock.json"))


@pytest.mark.parametrize(
    ("moment", "age"),
    [
        (Moment(500_060, 1060, "boot-1"), 60),
        (Moment(500_060 + 10 * DAY, 1060, "boot-1"), 60),  # somebody set the clock ten days ahead
        (Moment(500_060 - 10 * DAY, 1060, "boot-1"), 60),  # or back
        (Moment(500_400, 20, "boot-2"), 400),  # rebooted: the wall clock counts
        (Moment(500_000 - DAY, 20, "boot-2"), 20),  # rebooted with a late clock: the uptime counts
        (Moment(500_090, 5000, ""), 90),  # a host without a boot id
    ],
)
def test_age(moment: Moment, age: float) -> None:
    assert age_s(record(), moment) == age


def test_without_a_boot_id_two_boots_are_never_taken_for_one() -> None:
    assert age_s(record(boot=""), Moment(500_400, 1000, "")) == 400


@pytest.mark.parametrize(
    ("found", "age", "instead_of", "right"),
    [
        (None, 0, [], "free"),
        (record(BOB), 0, [], "own"),
        (record(BOB), 10_000, [], "own"),
        (record(), 0, [], ""),
        (record(), 299, [], ""),
        (record(), 300, [], "expired"),
        (record(), 1, ["a1"], "override"),
        (record(), 1, ["zz", "a"], ""),
        (record(lease_s=3600), 3599, [], ""),
    ],
)
def test_who_may_take_it(found: dict[str, Any] | None, age: float, instead_of: list[str], right: str) -> None:
    assert right_to_take(found, "b2", Moment(0, 1000 + age, "boot-1"), instead_of) == right


def test_a_run_is_named_so_that_it_can_be_found() -> None:
    assert describe_run(ALICE) == "alice@bastion, process 4711, run a1"


def test_the_clock_that_nobody_sets_goes_on() -> None:
    first = now()
    time.sleep(0.02)
    assert now().since_boot_s > first.since_boot_s
    assert now().boot_id == first.boot_id != ""


def test_taken_renewed_released(lock: RunLock, tmp_path: Path) -> None:
    assert lock.take(ALICE, 300) == ("free", None)
    (path,) = (tmp_path / "journal").iterdir()
    assert path.name == "sentinel-26379.lock.json"
    assert path.stat().st_mode & 0o777 == 0o600
    first = json.loads(path.read_text())
    assert first["run"] == ALICE
    right, holder = lock.take(BOB, 300)
    assert (right, holder) == ("", first)
    assert json.loads(path.read_text()) == first, "a refused run changes nothing"
    lock.renew(ALICE, 600)
    second = json.loads(path.read_text())
    assert (second["since_s"], second["lease_s"]) == (first["since_s"], 600)
    assert second["renewed"]["since_boot_s"] > first["renewed"]["since_boot_s"]
    assert lock.release(BOB) is False
    assert path.exists()
    assert lock.release(ALICE) is True
    assert not path.parent.exists()
    assert lock.release(ALICE) is False


def test_the_same_run_takes_it_again_and_keeps_since_when(lock: RunLock) -> None:
    lock.take(ALICE, 300)
    since = (lock.read() or {})["since_s"]
    assert lock.take(ALICE, 300)[0] == "own"
    assert (lock.read() or {})["since_s"] == since


def test_released_beside_a_journal_the_folder_stays(lock: RunLock, tmp_path: Path) -> None:
    lock.take(ALICE, 300)
    journal = tmp_path / "journal" / "sentinel-26379.json"
    journal.write_text("{}")
    lock.release(ALICE)
    assert list((tmp_path / "journal").iterdir()) == [journal]


def test_an_expired_lease_can_still_be_renewed_by_its_holder(lock: RunLock) -> None:
    lock.take(ALICE, 0)
    lock.renew(ALICE, 300)
    assert lock.take(BOB, 300)[0] == ""


@pytest.mark.parametrize("ended", [False, True])
def test_a_run_that_was_taken_over_is_told_so(lock: RunLock, ended: bool) -> None:
    lock.take(ALICE, 0)
    assert lock.take(BOB, 300)[0] == "expired"
    if ended:
        lock.release(BOB)
    with pytest.raises(PreconditionFailed) as raised:
        lock.renew(ALICE, 300)
    assert "has lost its lock" in str(raised.value)
    assert ("taken it over and ended" if ended else "bob@bastion") in str(raised.value)
    assert "no new step was begun" in str(raised.value)
    assert (lock.read() or {}).get("run") == (None if ended else BOB), "a run does not take back a lock that it has lost"


def test_a_file_that_is_no_lock_is_left_alone(lock: RunLock, tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    path = tmp_path / "journal" / "sentinel-26379.lock.json"
    path.write_text("precious")
    with pytest.raises(PreconditionFailed):
        lock.take(ALICE, 300)
    assert path.read_text() == "precious"


def test_of_many_at_once_only_one_has_it_at_a_time(tmp_path: Path) -> None:
    """Each process writes two lines while it holds the lock; no lines of two processes may mix.

    The folder of the lock is removed and created again all the time.
    """
    context = multiprocessing.get_context("fork")
    path, log = str(tmp_path / "journal" / "lock.json"), tmp_path / "log"
    barrier = context.Barrier(4)

    def work(name: str) -> None:
        barrier.wait()
        lock = RunLock(path)
        for _round in range(60):
            if lock.take({**ALICE, "id": name}, 300)[0]:
                with open(log, "a", encoding="ascii") as file:
                    file.write(f"+{name}\n")
                with open(log, "a", encoding="ascii") as file:
                    file.write(f"-{name}\n")
                assert lock.release({**ALICE, "id": name})
        os._exit(0)

    workers = [context.Process(target=work, args=(str(number),)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    lines = log.read_text().splitlines()
    assert lines
    pairs = list(zip(lines[::2], lines[1::2], strict=True))
    assert [one for one, other in pairs if "-" + one[1:] != other] == []
