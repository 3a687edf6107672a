"""Versions of packages, and commands that fail."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Host, Ran
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_manager import (
    checked,
    common_version,
    matches_version,
    write_locked,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._progress_file import PROGRESS, text_in


@pytest.mark.parametrize(
    ("version", "exact", "upstream", "matches"),
    [
        ("5:8.0.6-1", "", "8.0.6", True),
        ("8.0.1+dfsg1-1~bpo12+1", "", "8.0.1", True),
        ("0:8.0.6-1.el9", "", "8.0.6", True),
        ("5:8.0.61-1", "", "8.0.6", False),
        ("5:8.0.6.1-1", "", "8.0.6", False),
        ("5:18.0.6-1", "", "8.0.6", False),
        ("5:8.0.6-1", "5:8.0.6-1", "8.0.6", True),
        ("5:8.0.6-2", "5:8.0.6-1", "8.0.6", False),
    ],
)
def test_versions_of_packages(version: str, exact: str, upstream: str, matches: bool) -> None:
    assert matches_version(version, exact, upstream) is matches


@pytest.mark.parametrize(
    ("available", "chosen"),
    [
        ({"a": ["1.2-2", "1.2-1", "1.1-1"], "b": ["1.2-1", "1.1-1"]}, {"a": "1.2-1", "b": "1.2-1"}),
        ({"a": ["1.2-2"], "b": ["1.2-1"]}, {"a": "1.2-2", "b": "1.2-1"}),
        ({"a": ["1.2-2"], "b": ["1.1-1"]}, {"a": "1.2-2"}),
        ({"a": [], "b": []}, {}),
        ({}, {}),
    ],
)
def test_packages_of_a_source_get_one_version(available: dict[str, list[str]], chosen: dict[str, str]) -> None:
    assert common_version(available, "", "1.2") == chosen


def test_no_file_is_not_locked() -> None:
    assert not write_locked("/nonexistent/lock")


def test_a_command_that_may_last_says_what_it_does(tmp_path: Path) -> None:
    """A reader of the progress file sees it as long as the command runs."""
    file, seen = tmp_path / "progress", []

    class Looking(Host):
        def run(self, words: Sequence[str], timeout_s: float) -> Ran:
            seen.append(text_in(file.read_text(encoding="utf-8")) if file.exists() else "no file")
            return Ran(0, "", "")

    PROGRESS.begin(str(file))
    try:
        checked(Looking(), ["dpkg-deb"])
        checked(Looking(), ["apt-get"], says="apt-get downloads packages")
        left = text_in(file.read_text(encoding="utf-8"))
    finally:
        PROGRESS.end()
    assert seen == ["no file", "apt-get downloads packages"]
    assert left == ""
