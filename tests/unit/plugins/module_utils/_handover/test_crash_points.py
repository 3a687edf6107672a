"""Every step of a handover at which processes or servers die, by simulation."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.crash import steps
from ansible_collections.sentinelops.redis.tests.unit.support.crash_table import PAGE, Row, pasted, simulated, table

COMMAND = "PYTHONPATH=.cache/collections scripts/run python tests/unit/support/crash_table.py"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return simulated()


def describe(row: Row) -> str:
    mode, who, step, outcome = row
    return f"mode {mode}, {who} after {step.name}: {outcome}"


def test_the_steps_are_those_of_the_code(tmp_path: Path) -> None:
    found = [step.name for step in steps(tmp_path, "pause")]
    decisive = ["*pausing*", "pause", "caught up", "armed", "*failing over*", "failover accepted", "promoted", "demoted", "released"]
    assert [name for name in found if name in decisive] == decisive


def test_no_accident_loses_an_acknowledged_write(rows: list[Row]) -> None:
    """Only a dying master loses the writes that it had not replicated, as in any crash."""
    assert [describe(row) for row in rows if row[3].lost_bytes > row[3].unsynced_bytes] == []
    assert [describe(row) for row in rows if row[3].lost_bytes and row[1] not in ("the old master", "the target")] == []


def test_at_most_one_node_accepts_writes(rows: list[Row]) -> None:
    assert [describe(row) for row in rows if row[3].writable > 1] == []


def test_a_later_run_completes_the_handover_and_restores_everything(rows: list[Row]) -> None:
    assert [describe(row) for row in rows if row[3].problems] == []


def test_the_tables_of_the_documentation_are_up_to_date(rows: list[Row]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == pasted(page, table(rows)), f"run {COMMAND}"
