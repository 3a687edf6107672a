"""No loss of power leaves an empty or torn file: the system calls of an upgrade's modules."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from deployment import Deployment

from playbooks import run, words

pytestmark = pytest.mark.extended

VERSION = "6.2.9"
FOLDER = r'(?:(?P<{}>\d+<[^>]*>|AT_FDCWD\S*), )?"(?P<{}>[^"]*)"'
RENAME = re.compile(r"rename\w*\(" + FOLDER.format("one", "old") + ", " + FOLDER.format("other", "new"))
FSYNC = re.compile(r"(?:fsync|fdatasync)\(\d+<(?P<path>[^>]*)>\)\s+= 0")
# the modules of ours that write files
WRITERS = (
    "redis_journal redis_run_lock redis_config_rewrite redis_config_set redis_version_folder redis_stage redis_instance "
    "redis_sentinel_failover"
)


def traced_python(folder: Path) -> Path:
    """Write an interpreter that traces each module that writes, into a file of its own."""
    strace = shutil.which("strace")
    assert strace, "strace is not installed: make strace"
    path = folder / "python"
    calls = "rename,renameat,renameat2,fsync,fdatasync"
    names = "|".join(f"*_{name}.py" for name in WRITERS.split())
    traced = f'{strace} -y -s 1000 -e trace={calls} -o {folder}/trace.$$ {sys.executable} "$@"'
    text = f'#!/bin/sh\ncase "$1" in {names}) exec {traced};; esac\nexec {sys.executable} "$@"\n'
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def place(descriptor: str | None, name: str) -> str:
    """Return the whole path of a name in the folder behind a descriptor."""
    found = re.search(r"<([^>]*)>", descriptor or "")
    return os.path.join(found.group(1) if found else "", name)


def renames(lines: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return each rename: old name, new name, and what was not synced (empty: nothing)."""
    found = []
    for number, line in enumerate(lines):
        match = RENAME.match(line)
        if match is None or not line.rstrip().endswith("= 0"):
            continue
        old, new = place(match["one"], match["old"]), place(match["other"], match["new"])
        missing = ["the file"] if old.endswith(".partial") and old not in synced(lines[:number]) else []
        missing += [] if os.path.dirname(new) in synced(lines[number:]) else ["the folder"]
        found.append((old, new, " and ".join(missing)))
    return found


def synced(lines: Sequence[str]) -> set[str]:
    return {match["path"] for match in map(FSYNC.match, lines) if match}


@pytest.fixture(scope="module")
def traces(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Return the calls of each module of an upgrade, in order."""
    folder = tmp_path_factory.mktemp("traces")
    # without pipelining a module is a file, which its interpreter gets as an argument
    done = run(deployment, "upgrade", ansible_python_interpreter=str(traced_python(folder)), ansible_pipelining=False)
    assert done.returncode == 0, words(done.stdout)[-3000:]
    return [path.read_text(encoding="utf-8").splitlines() for path in folder.glob("trace.*")]


def kinds(deployment: Deployment, paths: Sequence[str]) -> set[str]:
    """Return the names of files, without what differs between instances."""
    own = [os.path.relpath(path, deployment.folder) for path in paths if path.startswith(f"{deployment.folder}/")]
    return {re.sub(r"\d+", "N", os.path.basename(path)) for path in own}


def test_each_file_is_synced_before_its_rename_and_its_folder_afterwards(deployment: Deployment, traces: list[list[str]]) -> None:
    done = [one for lines in traces for one in renames(lines) if one[1].startswith(f"{deployment.folder}/")]
    torn = [one for one in done if one[2]]
    # the state of a handover, which is beside its undo file
    assert [one for one in torn if not one[1].endswith(".state")] == []
    assert {one[2] for one in torn} == {"the file and the folder"}
    replaced = kinds(deployment, [new for _old, new, _missing in done])
    assert {"redis-N.json", "sentinel-N.json", "redis-N.before.json", "sentinel-N.lock.json", "handover-mymaster-N.json"} <= replaced
    assert {"redis.conf", "sentinel.conf", "redis", "redis.old"} <= replaced


def test_what_a_server_has_rewritten_is_synced(deployment: Deployment, traces: list[list[str]]) -> None:
    files = {path for lines in traces for path in synced(lines)}
    wanted = {str(deployment.config(name)) for name in deployment.nodes}
    assert wanted <= files
    assert {os.path.dirname(path) for path in wanted} <= files
