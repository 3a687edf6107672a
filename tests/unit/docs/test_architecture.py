"""The map of the code: its paths exist, and it answers what a newcomer asks first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`((?:plugins|roles|playbooks|scripts|tests|docs)/[\w./-]*)`", PAGE)))
ROWS = [
    ("a preflight check", "plugins/plugin_utils/_preflight"),
    ("a service manager", "plugins/module_utils/_host/service.py"),
    ("how the promotion is watched", "plugins/module_utils/_handover/watch.py"),
    ("what runs on the controller", "plugins/plugin_utils"),
]


@pytest.mark.parametrize("path", PATHS)
def test_the_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("subject", "path"), ROWS)
def test_the_table_says_what_to_open(subject: str, path: str) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {subject} |")]
    assert f"`{path}`" in row


@pytest.mark.parametrize("kind", ["module_utils", "plugin_utils"])
def test_every_wing_is_named(kind: str) -> None:
    wings = {path.name for path in (ROOT / "plugins" / kind).iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(re.findall(rf"^\| `plugins/{kind}/(\w+)` \|", PAGE, re.MULTILINE)) == wings


def test_the_wings_are_in_the_order_of_their_imports() -> None:
    """From the top down, as in scripts/check_layout.py."""
    text = (ROOT / "scripts" / "check_layout.py").read_text(encoding="utf-8")
    for name, kind in (("WINGS", "module_utils"), ("CONTROLLER_WINGS", "plugin_utils")):
        (line,) = re.findall(rf"^{name} = \((.*?)\)$", text, re.MULTILINE | re.DOTALL)
        assert re.findall(rf"^\| `plugins/{kind}/(\w+)` \|", PAGE, re.MULTILINE) == re.findall(r'"(\w+)"', line)


def test_the_glossary_has_each_term_once() -> None:
    terms = re.findall(r"^\| ([a-z ]+) \| [A-Z`]", PAGE.split("## Glossary", 1)[1], re.MULTILINE)
    assert len(terms) >= 30
    assert len(set(terms)) == len(terms)
