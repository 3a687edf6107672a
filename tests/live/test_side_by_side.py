"""Handovers of several shards side by side: no gap grows, nothing is lost or left behind."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet
from killing import VICTIMS, kill_controller
from states import calm, wait_until

from playbooks import command, run, started, words

pytestmark = pytest.mark.extended

OLD, NEW = "7.0.15", "valkey-8.0.1"
OPTIONS = {"redis_upgrade_backup": False, "redis_upgrade_accept_no_way_back": True}
PERIOD_MS = 7000


@pytest.fixture
def fleet_of(tmp_path: Path, next_port: Callable[[], int]) -> Iterator[Callable[[int], Fleet]]:
    made: list[Fleet] = []

    def build(shards: int) -> Fleet:
        made.append(Fleet(tmp_path / "fleet", OLD, next_port(), shards, 1))
        made[-1].build()
        for name in made[-1].sentinels:
            made[-1].command(name, "SENTINEL", "DEBUG", "INFO-PERIOD", PERIOD_MS)
        return made[-1]

    yield build
    for fleet in made:
        fleet.remove()


def periods(fleet: Fleet) -> set[int]:
    replies = [fleet.command(name, "SENTINEL", "DEBUG") for name in fleet.sentinels]
    return {int(dict(zip(reply[::2], reply[1::2], strict=True))["INFO-PERIOD"]) for reply in replies}


def handovers(fleet: Fleet) -> dict[str, dict[str, Any]]:
    """Hand all shards over at the same time, each to its second node; return the results."""
    with ThreadPoolExecutor(len(fleet.shards)) as pool:
        begun = {shard: pool.submit(fleet.hand_over, names[1], master_name=shard) for shard, names in fleet.shards.items()}
    return {shard: done.result() for shard, done in begun.items()}


def pauses(results: dict[str, dict[str, Any]]) -> list[tuple[float, float]]:
    """Return begin and end of each pause, in seconds since the epoch, in order."""
    found = []
    for result in results.values():
        begun_s = datetime.datetime.fromisoformat(result["begun_at"].replace("Z", "+00:00")).timestamp()
        (at_ms,) = [one["at_ms"] for one in result["timeline"] if one["event"].startswith("pause:")]
        found.append((begun_s + at_ms / 1000, begun_s + (at_ms + result["pause_ms"]) / 1000))
    return sorted(found)


def test_writes_of_one_shard_at_a_time_are_stopped(fleet_of: Callable[[int], Fleet]) -> None:
    fleet = fleet_of(5)
    with fleet.writing() as verdicts:
        begun_s = time.monotonic()
        results = handovers(fleet)
        took_s = time.monotonic() - begun_s
        written = verdicts()
    assert [result.get("msg", "") for result in results.values()] == [""] * 5
    assert {shard: result["loss"] for shard, result in results.items()} == dict.fromkeys(fleet.shards, "none")
    stopped = pauses(results)
    print(f"{took_s:.1f} s; pauses {[round(end - begin, 3) for begin, end in stopped]}")
    assert all(one[1] <= other[0] + 0.02 for one, other in itertools.pairwise(stopped)), stopped
    assert {shard: verdict["lost"] for shard, verdict in written.items()} == dict.fromkeys(fleet.shards, 0)
    assert fleet.masters_at_home() == []
    assert periods(fleet) == {PERIOD_MS}
    assert list((fleet.folder / "journal").iterdir()) == []


@pytest.mark.parametrize("victims", VICTIMS)
@pytest.mark.parametrize("after_s", [1.5, 4.0])
def test_a_kill_while_eight_handovers_are_under_way(fleet_of: Callable[[int], Fleet], tmp_path: Path, victims: str, after_s: float) -> None:
    fleet = fleet_of(8)
    with fleet.writing() as verdicts:
        with started(command(fleet, "upgrade", wanted=NEW, **OPTIONS), tmp_path / "log", fleet.mark) as running:
            while running.process.poll() is None and "PLAY [(6/8) Handover]" not in running.output:
                time.sleep(0.02)
            assert running.process.poll() is None, running.output[-3000:]
            time.sleep(after_s)
            kill_controller(fleet, victims)
            running.end()
        wait_until(lambda: not fleet.handing_over(), 120)
        wait_until(lambda: calm(fleet), 120)
        done = run(fleet, "upgrade", wanted=NEW, **OPTIONS)
        assert done.returncode == 0, words(done.stdout)[-4000:]
        written = verdicts()
    assert {shard: verdict["lost"] for shard, verdict in written.items()} == dict.fromkeys(fleet.shards, 0)
    assert len(fleet.masters_at_home()) == 8
    assert periods(fleet) == {10000}  # the Sentinels were restarted
    assert not list((fleet.folder / "journal").glob("info-period-*"))
