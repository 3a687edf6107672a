"""Lines of included files, read from real files in the order of a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_trial import HostFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_trial_files import lines_in_order
from ansible_collections.sentinelops.redis.plugins.module_utils._survey.included_facts import included_lines


def facts(folder: Path, main: str, running: dict[str, str] | None = None, **included: str) -> dict[str, Any]:
    (folder / "main").write_text(main)
    for name, text in included.items():
        (folder / name).write_text(text)
    path = str(folder / "main")
    return included_lines(path, lines_in_order(path, HostFiles(), str(folder)), running or {})


def places(found: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return [(Path(one["file"]).name, one["line"], one["directive"]) for one in found]


def test_repeated_lines_of_nested_files(tmp_path: Path) -> None:
    found = facts(
        tmp_path, "user a on\ninclude one\n", one="# x\n\nuser b on\ninclude two\n", two="sentinel auth-pass m x\nloadmodule /x\n"
    )
    assert places(found["repeated"]) == [("one", 3, "user"), ("two", 1, "sentinel auth-pass"), ("two", 2, "loadmodule")]
    assert [one["of_master"] for one in found["repeated"]] == [False, True, False]
    assert "x" not in {one.get("name") for one in found["repeated"]}


def test_the_last_line_counts(tmp_path: Path) -> None:
    running = {"timeout": "20", "maxmemory": "0", "hz": "10", "loglevel": "notice", "dir": "/x"}
    common = "timeout 11\nmaxmemory 1mb\nhz 50\nloglevel notice\ndir .\n"
    found = facts(tmp_path, "timeout 5\ninclude one\nhz 10\n", running, one=common)
    assert places(found["overriding"]) == [("one", 1, "timeout"), ("one", 2, "maxmemory")]
    assert [one["certain"] for one in found["overriding"]] == [True, False]


def test_save_lines_above_the_first_include(tmp_path: Path) -> None:
    assert facts(tmp_path, "save 1 1\nsave 2 2\ninclude one\nsave 3 3\n", one="save 4 4\n")["saves_above"] == 2


def test_missing_files(tmp_path: Path) -> None:
    found = facts(tmp_path, "include gone\ninclude nothing-*.conf\ninclude one\n", one="hz 1\n")
    assert [(one["name"], one["line"]) for one in found["missing"]] == [("gone", 1)]
