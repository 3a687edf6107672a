"""Deployments for the faults, on ports from LIVE_PORT on, and the table at the end (TABLE=file
writes it as markdown).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import Places
from runner import Row

ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    found = Places(tmp_path_factory.mktemp)
    yield found
    found.close()


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    rows = request.config.stash.setdefault(ROWS, [])
    rows.append(Row(str(request.node.callspec.params["fault"])))
    return rows[-1]


def lines(rows: list[Row]) -> Iterator[str]:
    yield "| fault | what happened | acknowledged | lost | run again |"
    yield "|---|---|---|---|---|"
    for one in rows:
        yield f"| {one.fault} | {one.happened} | {one.acknowledged} | {one.lost} | {one.rerun} |"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("faults")
    width = max(len(one.fault) for one in rows)
    for one in rows:
        terminalreporter.line(f"{one.fault:{width}}  {one.happened:36}  {one.lost:>3} of {one.acknowledged:<6} lost  {one.rerun}")
    if table := os.environ.get("TABLE"):
        Path(table).write_text("\n".join(lines(rows)) + "\n", encoding="utf-8")
