"""Deployments for the faults, and the table at the end (TABLE=file writes it as Markdown)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from pool import DeploymentPool
from runner import Row
from table import FAULTS
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROW = "row of the table"
ROWS: list[Row] = []
SHARED = {one.name: one.world.version for one in FAULTS if one.shared}


class FaultScheduling(LoadScopeScheduling):
    """Distribute single faults to the workers, but all faults that share a deployment to one
    worker.

    The mark xdist_group would do so, but has no effect with pytest 9.2 (pytest-xdist issue 1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        return SHARED.get(nodeid.partition("[")[2].removesuffix("]"), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FaultScheduling:
    return FaultScheduling(config, log)


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentPool]:
    found = DeploymentPool(tmp_path_factory.mktemp)
    yield found
    found.close()


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Iterator[Row]:
    """Yield the row that the test fills in; the report of the test carries the row to the table."""
    found = Row(str(request.node.callspec.params["fault"]))
    yield found
    request.node.user_properties.append((ROW, asdict(found)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect the rows, also those of tests that ran in another process."""
    if report.when == "teardown":
        ROWS.extend(Row(**value) for name, value in report.user_properties if name == ROW and isinstance(value, dict))


def lines(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of the table in Markdown."""
    yield "| fault | what happened | acknowledged | lost | run again |"
    yield "|---|---|---|---|---|"
    for one in rows:
        yield f"| {one.fault} | {one.happened} | {one.acknowledged} | {one.lost} | {one.rerun} |"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, in the order in which the faults are defined."""
    order = [one.name for one in FAULTS]
    rows = sorted(ROWS, key=lambda one: order.index(one.fault))
    if not rows:
        return
    terminalreporter.section("faults")
    width = max(len(one.fault) for one in rows)
    for one in rows:
        terminalreporter.line(f"{one.fault:{width}}  {one.happened:36}  {one.lost:>3} of {one.acknowledged:<6} lost  {one.rerun}")
    if table := os.environ.get("TABLE"):
        Path(table).write_text("\n".join(lines(rows)) + "\n", encoding="utf-8")
