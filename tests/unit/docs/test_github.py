"""Workflows call targets of the makefile, with few permissions; issue forms are well-formed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from supported import CORES

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [path for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.stem != "config"]
TARGETS = set(re.findall(r"^([a-z][a-z-]+|\.venv/\w+)(?=[ :])", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
FIELDS = {"markdown", "input", "textarea", "dropdown", "checkboxes"}


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def called(job: dict[str, Any]) -> set[str]:
    """Return the targets that a job makes: those of its commands and of its matrix."""
    lines = [line for step in job["steps"] for line in step.get("run", "").splitlines() if "apt-get" not in line]
    named = {word for line in lines for words in re.findall(r"\bmake ([\w./ -]+)", line) for word in words.split()}
    return named | set(job.get("strategy", {}).get("matrix", {}).get("target", []))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_targets_of_the_makefile(path: Path) -> None:
    found = {target for job in load(path)["jobs"].values() for target in called(job)}
    assert found
    assert found <= TARGETS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_few_permissions(path: Path) -> None:
    """Each job names its own; only the job that makes a release may write."""
    workflow = load(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["permissions"] == {"contents": "write" if name == "release" else "read"}
        assert job["timeout-minutes"] > 0
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": False}


def test_every_suite_is_called() -> None:
    found = {target for path in WORKFLOWS for job in load(path)["jobs"].values() for target in called(job)}
    suites = re.findall(r'scripts/suites\.py "\$\(MAKE\)" (.*)$', (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {suite for line in suites for suite in re.split(r"[, ]", line)} <= found


def test_the_matrix_has_all_pythons() -> None:
    (setup,) = [
        step for step in load(ROOT / ".github/workflows/extended.yml")["jobs"]["matrix"]["steps"] if "setup-python" in step.get("uses", "")
    ]
    pythons = {python for core in CORES for python in (*core.controllers, *core.targets)}
    assert set(setup["with"]["python-version"].split()) == pythons


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_well_formed(path: Path) -> None:
    form = load(path)
    assert {"name", "description", "body"} <= set(form)
    assert {field["type"] for field in form["body"]} <= FIELDS
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in asked}) == len(asked)
    assert all(field["attributes"]["label"] for field in asked)


def test_links_of_the_forms_exist() -> None:
    for path in sorted((ROOT / ".github").rglob("*.yml")):
        for name, anchor in re.findall(r"/blob/main/([\w./-]+\.md)(?:#([\w-]+))?", path.read_text(encoding="utf-8")):
            page = ROOT / name
            titles = [title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)]
            assert not anchor or anchor in titles
