"""Settings that each play of the collection makes itself, whatever ansible.cfg says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted((ROOT / "playbooks").rglob("*.yml"))


def plays(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [play for play in found if "hosts" in play]


def test_there_are_plays() -> None:
    assert sum(len(plays(path)) for path in PLAYBOOKS) > 8


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_it_names_its_strategy(path: Path) -> None:
    """With ``strategy = free`` in ansible.cfg a failed host would not stop the others."""
    assert [play["name"] for play in plays(path) if play.get("strategy") != "linear"] == []
