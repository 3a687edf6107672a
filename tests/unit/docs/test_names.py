"""Names in the documentation: variables, modules, playbooks, checks and messages exist."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import CHECKS

ROOT = Path(__file__).resolve().parents[3]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "awx" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = [*(ROOT / "roles").glob("*/*/**/*.yml"), *(ROOT / "playbooks").glob("*.yml")]
MODULES = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
PLAYBOOKS = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
ROLES = {path.name for path in (ROOT / "roles").iterdir()}


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_variables_exist(page: Path) -> None:
    words = {word for path in CODE for word in re.findall(r"\w+", read(path))} | MODULES | ROLES
    assert set(re.findall(r"\b_{0,2}redis_(?:upgrade|binaries|sandbox)_\w+", read(page))) <= words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_full_names_exist(page: Path) -> None:
    others = {path.stem for kind in ("callback", "inventory") for path in (ROOT / "plugins" / kind).glob("*.py")}
    assert set(re.findall(r"\bsentinelops\.redis\.(\w+)", read(page))) <= MODULES | PLAYBOOKS | ROLES | others


def test_the_reference_is_complete() -> None:
    rows = [line for line in read(ROOT / "docs" / "reference.md").splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`(?:sentinelops\.redis\.)?(\w+)`", row.split("|")[1])}
    assert named == MODULES | PLAYBOOKS | ROLES


def test_the_reference_names_the_plugins() -> None:
    page = read(ROOT / "docs" / "reference.md")
    for kind in ("callback", "inventory"):
        assert [path.stem for path in (ROOT / "plugins" / kind).glob("*.py") if f"`sentinelops.redis.{path.stem}`" not in page] == []


def test_every_check_of_the_preflight_is_explained() -> None:
    assert set(re.findall(r"^\| `([a-z-]+)` \|", read(ROOT / "docs" / "preflight.md"), re.MULTILINE)) == set(CHECKS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_can_be_read(page: Path) -> None:
    for kind, block in re.findall(r"^```(yaml|json)\n(.*?)^```", read(page), re.DOTALL | re.MULTILINE):
        assert yaml.safe_load(block) if kind == "yaml" else json.loads(block)


def test_the_readme_is_short() -> None:
    assert len(read(ROOT / "README.md").splitlines()) <= 200


def texts_of_code() -> Iterator[str]:
    """Yield each text of plugins, roles and playbooks; a NUL stands for an inserted value."""
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    yield from (" ".join(read(path).split()) for path in CODE)


def quoted_messages() -> list[str]:
    """Return the messages in the first column of the tables of docs/troubleshooting.md."""
    cells = re.findall(r"^\| ([^|]*\*[^|]*) \|", read(ROOT / "docs" / "troubleshooting.md"), re.MULTILINE)
    return [message for cell in cells for message in re.findall(r"\*([^*]+)\*", cell)]


def test_quoted_messages_exist() -> None:
    """Each part of a quoted message, between its dots, must be in the code, or be Ansible's."""
    of_ansible = {"missing required arguments", "UNREACHABLE!"}
    texts = "\n".join(texts_of_code())
    parts = {part.strip() for message in quoted_messages() for part in message.split("...")} - of_ansible
    assert len(parts) > 20
    assert [part for part in sorted(parts) if part not in texts] == []
