"""Fixtures of the matrix, and its table at the end.

LIVE_PORT is the first port; give another one to a second run at the same time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from cells import Controller
from interpreters import CACHE, ROOT, NotHere, controller_environment, exact
from ports import deployment_ports, first_port
from trial import Sandbox, Station, artefact

HEADINGS = ("ansible-core", "its Python", "host's Python", "redis-py", "what", "result")
RESULTS = {"passed": "passed", "skipped": "not here", "failed": "FAILED", "error": "FAILED"}


@pytest.fixture(scope="session")
def old() -> Path:
    return ROOT / ".cache" / "servers" / "6.2.9"


@pytest.fixture(scope="session")
def new() -> Path:
    return ROOT / ".cache" / "servers" / "6.2.14"


@pytest.fixture(scope="session")
def next_port() -> Callable[[], int]:
    """Return a function that returns the first port of one sandbox after another."""
    return partial(next, deployment_ports(first_port(20001)))


@pytest.fixture(scope="session")
def station(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Station]:
    """Return ``station(controller, *packages)``, which has installed the built artefact."""

    def prepare(controller: Controller, *packages: str) -> Station:
        try:
            environment = controller_environment(controller, *packages)
        except NotHere as reason:
            pytest.skip(f"not here: {reason}")
        made = Station(environment, tmp_path_factory.mktemp("station"))
        made.install(artefact(ROOT))
        return made

    return prepare


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, next_port: Callable[[], int], old: Path) -> Iterator[Callable[..., Sandbox]]:
    """Return ``sandbox(station)``, which builds a sandbox; the sandboxes are removed at the end."""
    made: list[Sandbox] = []

    def build(station: Station, **settings: object) -> Sandbox:
        while made:  # one at a time
            made.pop().remove()
        made.append(Sandbox(station, tmp_path_factory.mktemp("sandbox") / "sandbox", next_port(), old))
        made[-1].build(**settings)
        return made[-1]

    yield build
    for one in made:
        one.remove()


@pytest.fixture
def rows(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return ``rows(what, core, pairs)``, which says for which lines of the table a test stands.

    ``core``: the version of ansible-core and that of its Python. ``pairs``: the Python and the
    redis-py of each host.
    """

    def stand_for(what: str, core: Sequence[str], pairs: Iterable[Sequence[str]]) -> None:
        request.node.rows = [(*core, *pair, what) for pair in pairs]

    return stand_for


@pytest.fixture
def own_host_rows(rows: Callable[..., None]) -> Callable[..., None]:
    """Return ``own_host_rows(what, controller, environment)`` of a test whose hosts are the
    controller: with the exact versions, once there is an environment.
    """

    def stand_for(what: str, controller: Controller, environment: Path | None = None) -> None:
        if environment is None:
            rows(what, controller.names, [("", "")])
        else:
            rows(what, reversed(exact(environment, "ansible-core")), [exact(environment, "redis")])

    return stand_for


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let a report say for which lines of the table it stands, also if its fixtures have failed."""
    report = yield
    report.rows = getattr(item, "rows", [])
    return report


def in_order(row: tuple[str, ...]) -> list[tuple[int, ...]]:
    """Return the numbers in a line of the table, in whose order 3.9 precedes 3.10."""
    return [tuple(int(number) for number in re.findall(r"\d+", cell)) for cell in row]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table; also into the cache, since it is what a run is for."""
    lines = {row: result for kind, result in RESULTS.items() for report in terminalreporter.stats.get(kind, []) for row in report.rows}
    if not lines:
        return
    rows = [HEADINGS, *((*row, lines[row]) for row in sorted(lines, key=in_order))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    terminalreporter.section("matrix")
    terminalreporter.write_line("\n".join(table))
    (CACHE / "table.txt").write_text("\n".join([*table, ""]), encoding="utf-8")
