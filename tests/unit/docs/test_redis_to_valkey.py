"""The table of docs/redis-to-valkey.md says what the code decides about versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.versions import can_downgrade, can_replicate, misses_in_silence

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "redis-to-valkey.md").read_text(encoding="utf-8")
ROWS = [
    (version.strip(), word, way)
    for versions, word, way in re.findall(r"^\| Redis ([\d., ]+) \| (\w+)[^|]*\| ([^|]*)\|$", PAGE, re.MULTILINE)
    for version in versions.split(",")
]


def numbered(line: str) -> str:
    """Return a version of a release line: ``6.2.1`` of ``6.2``, ``8.0.1`` of ``8``."""
    return f"{line}.1" if "." in line else f"{line}.0.1"


@pytest.mark.parametrize("valkey", ["7.2.5", "8.0.1", "9.1.2"])
@pytest.mark.parametrize(("line", "word", "way"), ROWS)
def test_a_row(line: str, word: str, way: str, valkey: str) -> None:
    old, new = ("redis", numbered(line)), ("valkey", valkey)
    assert can_replicate(old, new) == (word == "possible")
    if word == "possible":
        assert can_downgrade(old, new) == way.startswith("[`rollback`]")
        assert misses_in_silence(old) == ("No reserve is possible" in way)


def test_every_line_has_a_row() -> None:
    assert [line for line, _word, _way in ROWS] == ["5.0", "6.0", "6.2", "7.0", "7.2", "7.4", "8"]
