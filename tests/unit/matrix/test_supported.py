"""The list of supported versions is what the metadata and the documentation say, and is tried."""

from __future__ import annotations

import calendar
import re
from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from cells import CONTROLLERS, HOSTS, PAIRS, assign, newest_controller, oldest_and_newest
from supported import CORES, REDIS_PY, TARGETS, number

ROOT = Path(__file__).resolve().parents[3]
PAGES = ["README.md", "docs/requirements.md", *(f"roles/{role.name}/README.md" for role in sorted((ROOT / "roles").iterdir()))]
OLDEST_REDIS_PY = REDIS_PY[0].name
ALL = sorted({*TARGETS, *(controller.python for controller in CONTROLLERS)}, key=number)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def span(pythons: tuple[str, ...]) -> str:
    return f"{pythons[0]} to {pythons[-1]}"


def test_the_metadata() -> None:
    oldest = CORES[0].release
    assert yaml.safe_load(read("meta/runtime.yml"))["requires_ansible"] == f">={oldest}.0"
    for role in (ROOT / "roles").iterdir():
        assert yaml.safe_load((role / "meta" / "main.yml").read_text(encoding="utf-8"))["galaxy_info"]["min_ansible_version"] == oldest
    assert f"redis>={OLDEST_REDIS_PY}" in read("meta/ee-requirements.txt")


def test_the_page_of_requirements() -> None:
    rows = []
    for core in CORES:
        year, month = core.end_of_life.split("-")
        cells = (core.release, span(core.controllers), span(core.targets), f"{calendar.month_name[int(month)]} {year}")
        rows.append(f"| {' | '.join(cells)} |")
    assert re.findall(r"^\| 2\.\d.*", read("docs/requirements.md"), re.MULTILINE) == rows


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_the_oldest(page: str) -> None:
    """They name all that is too old for some of the others as well."""
    text = " ".join(read(page).split())
    assert f"ansible-core {CORES[0].release} " in text
    old = [core.release for core in CORES if TARGETS[0] in core.targets]
    assert f"Python {TARGETS[1]} or newer" in text
    assert f"with ansible-core {old[0]} to {old[-1]} also {TARGETS[0]}" in text


def test_the_checks_of_syntax() -> None:
    """They are for the oldest Python of hosts, and of controllers."""
    oldest = min((python for core in CORES for python in core.controllers), key=number)
    assert re.findall(r"vermin .*--target=([\d.]+)-", read("Makefile")) == [TARGETS[0], oldest]
    versions = re.findall(r'^"plugins/.*= "py3(\d+)"', read("pyproject.toml"), re.MULTILINE)
    assert [f"3.{minor}" for minor in versions] == [TARGETS[0], oldest]
    assert f'python_version = "{oldest}"' in read("pyproject.toml")


@pytest.mark.parametrize("missing", [[], ["3.14"], ["3.8", "3.13"]])
def test_everything_that_is_here_is_tried(missing: list[str]) -> None:
    here = [python for python in ALL if python not in missing]
    met, pairs = defaultdict(set), set()
    cells = list(assign(here))
    assert [controller for controller, _hosts in cells] == list(CONTROLLERS)
    for controller, hosts in cells:
        assert tuple(hosts) == (HOSTS if controller.python in here else ())
        for pair in hosts.values():
            assert pair.python in controller.core.targets
            pairs.add(pair)
            met[controller.core].update([pair.python, pair.redis_py])
    assert pairs == {pair for pair in PAIRS if pair.python in here}
    for core in CORES:
        pythons = [python for python in core.targets if python in here]
        assert met[core] == {*pythons, *(pair.redis_py for pair in PAIRS if pair.python in pythons)}


def test_the_controller_of_a_handover() -> None:
    assert str(newest_controller(ALL, "3.8")) == "core2.19-py3.13"
    assert str(newest_controller(ALL, "3.9")) == "core2.21-py3.14"
    assert str(newest_controller(["3.9", "3.11"], "3.9")) == "core2.19-py3.11"


def test_the_oldest_and_the_newest() -> None:
    assert [str(controller) for controller in oldest_and_newest(ALL)] == ["core2.17-py3.12", "core2.21-py3.14"]
    assert [str(controller) for controller in oldest_and_newest(["3.9", "3.11"])] == ["core2.17-py3.11", "core2.21-py3.12"]


def test_the_package_of_collections() -> None:
    """As their own metadata require each other."""
    assert [core.collections for core in CORES] == [f"ansible~={release}.0" for release in (10, 11, 12, 13, 14)]
