"""Data nodes that differ by their arguments only; and relative names of included files."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment, server_in
from preflights import Circumstances, preflight, untouched
from states import settled, wait_until

from playbooks import run, words

pytestmark = pytest.mark.extended

VERSION = "7.0.15"
COMMON = "bind 127.0.0.1\ntimeout 7\nsave 3600 1\n"


def restart(deployment: Deployment, name: str, file: Path, folder: Path | None = None, arguments: bool = True) -> None:
    """Start a data node with this file; what is its own comes by arguments."""
    home, first = deployment.config(name).parent.parent, deployment.nodes["redis-1"]
    own = {"--port": str(deployment.nodes[name]), "--dir": str(home), "--logfile": str(home / "log")}
    words_of = [word for pair in own.items() for word in pair]
    words_of += [] if name == "redis-1" else ["--replicaof", "127.0.0.1", str(first)]
    deployment.stop(name)
    deployment.processes[name] = subprocess.Popen(
        [server_in(home / "redis"), str(file), *words_of * arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        cwd=folder,
    )


@contextlib.contextmanager
def started_with(deployment: Deployment, files: dict[str, Path]) -> Iterator[None]:
    for name, file in files.items():
        restart(deployment, name, file)
    wait_until(lambda: settled(deployment), 60)
    try:
        yield
    finally:
        for name in files:
            deployment.stop(name)
            deployment.start(name)
        wait_until(lambda: settled(deployment), 60)


def one_file(folder: Path, names: list[str]) -> dict[str, Path]:
    return dict.fromkeys(names, folder / "common.conf")


def links(folder: Path, names: list[str]) -> dict[str, Path]:
    """Return a link of its own to the same file for each node."""
    for name in names:
        (folder / f"{name}.conf").symlink_to(folder / "common.conf")
    return {name: folder / f"{name}.conf" for name in names}


def own_files(folder: Path, names: list[str]) -> dict[str, Path]:
    """Return the remedy: a file of its own for each node, which includes the common one."""
    for name in names:
        (folder / f"{name}.conf").write_text(f"include {folder}/common.conf\n", encoding="utf-8")
    return {name: folder / f"{name}.conf" for name in names}


@pytest.mark.parametrize("names", [["redis-2", "redis-3"], ["redis-1", "redis-2", "redis-3"]], ids=len)
@pytest.mark.parametrize(("given", "found"), [(one_file, True), (links, True), (own_files, False)])
def test_a_shared_file_is_refused(
    deployment: Deployment, tmp_path: Path, given: Callable[[Path, list[str]], dict[str, Path]], found: bool, names: list[str]
) -> None:
    (tmp_path / "common.conf").write_text(COMMON, encoding="utf-8")
    with started_with(deployment, given(tmp_path, names)):
        before, text = untouched(deployment), (tmp_path / "common.conf").read_bytes()
        seen = [one for one in preflight(deployment, Circumstances())["findings"] if "share the configuration file" in one["seen"]]
        assert (untouched(deployment), (tmp_path / "common.conf").read_bytes()) == (before, text)
        assert [(one["check"], one["severity"], one["node"]) for one in seen] == [
            ("files", "refusal", ", ".join(f"{name}/redis" for name in names))
        ] * found
        assert all(str(tmp_path / "common.conf") in one["seen"] and "a file of its own" in one["do"] for one in seen)


def settings(deployment: Deployment) -> dict[str, Any]:
    return {
        name: [deployment.command(name, "CONFIG", "GET", what)[1] for what in ("timeout", "save", "dir", "maxmemory")]
        for name in deployment.nodes
    }


def test_files_relative_to_the_folder_of_the_start(build: Callable[..., Deployment]) -> None:
    """The trial and the restart find what the running server found.

    The folder is told by the process, as long as `dir` has not left it for an absolute path; else
    the folder of the configuration file is taken.
    """
    deployment = build("7.0.15")
    for name in deployment.nodes:
        home, file = deployment.config(name).parent.parent, deployment.config(name)
        (home / "data").mkdir()
        (home / "parts").mkdir()
        (home / "parts" / "common.conf").write_text("timeout 7\nmaxmemory 100mb\n", encoding="utf-8")
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith(("dir ", "save "))]
        file.write_text("\n".join(["save 3600 1", "include parts/common.conf", "dir ./data", *lines, ""]), encoding="utf-8")
        restart(deployment, name, file, home, arguments=False)
    wait_until(lambda: settled(deployment), 60)
    before = settings(deployment)
    done = run(deployment, "upgrade", wanted="valkey-8.0.1", redis_upgrade_accept_no_way_back=True)
    assert done.returncode == 0, words(done.stdout)[-3000:]
    assert settings(deployment) == before
