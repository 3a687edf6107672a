"""The module redis_config_rewrite, with a server that writes its file as real ones do."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import Listening, Refusal, listening
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner

NAME = "redis_config_rewrite"


class Rewriting:
    """A server with a configuration file; ``text`` is what it writes into it."""

    def __init__(self, folder: Path, mode: str = "standalone") -> None:
        self.file = folder / "redis.conf"
        self.file.write_text("maxmemory 0\nrequirepass s3cret\n")
        self.file.chmod(0o600)
        self.text = "maxmemory 100\nrequirepass s3cret\n"
        self.refusal = ""
        self.running = {"maxmemory": "100", "requirepass": "s3cret"}
        self.mode = mode
        self.config_file = str(self.file)

    def answer(self, words: list[str]) -> Any:
        if words[0] == "INFO":
            return f"redis_mode:{self.mode}\r\nconfig_file:{self.config_file}\r\n"
        if words == ["CONFIG", "GET", "*"]:
            return [word for pair in self.running.items() for word in pair]
        if self.refusal:
            return Refusal(self.refusal)
        assert words == (["SENTINEL", "FLUSHCONFIG"] if self.mode == "sentinel" else ["CONFIG", "REWRITE"])
        self.file.unlink()
        self.file.write_text(self.text)
        self.file.chmod(0o644)
        return "OK"


@pytest.fixture
def rewriting(tmp_path: Path) -> Rewriting:
    return Rewriting(tmp_path)


@pytest.fixture
def server(rewriting: Rewriting) -> Iterator[Listening]:
    with listening(rewriting.answer) as found:
        yield found


def test_rewritten_once(runner: Runner, rewriting: Rewriting, server: Listening) -> None:
    first = runner.run(NAME, **server.params)
    assert (first["changed"], first["restored"], first["config_file"]) == (True, True, str(rewriting.file))
    assert rewriting.file.read_text() == rewriting.text
    assert stat.S_IMODE(rewriting.file.stat().st_mode) == 0o600, "the server made it 0644"
    assert runner.run(NAME, **server.params)["changed"] is False


@pytest.mark.parametrize(("maxmemory", "changed"), [("100", True), ("0", False)])
def test_check_mode_compares(runner: Runner, rewriting: Rewriting, server: Listening, maxmemory: str, changed: bool) -> None:
    rewriting.running["maxmemory"] = maxmemory
    before = rewriting.file.read_text()
    result = runner.run(NAME, check_mode=True, **server.params)
    assert (result["changed"], result["differing"]) == (changed, ["maxmemory"] if changed else [])
    assert rewriting.file.read_text() == before
    assert ["CONFIG", "REWRITE"] not in server.said


def test_the_diff_hides_secrets(runner: Runner, server: Listening) -> None:
    result = runner.run(NAME, diff=True, **server.params)
    assert "maxmemory 100" in result["diff"]["after"]
    assert "requirepass ********" in result["diff"]["before"]
    assert "s3cret" not in str(result)


def test_without_diff_mode_there_is_no_diff(runner: Runner, server: Listening) -> None:
    assert "diff" not in runner.run(NAME, **server.params)


def test_a_sentinel(runner: Runner, tmp_path: Path) -> None:
    rewriting = Rewriting(tmp_path, "sentinel")
    with listening(rewriting.answer) as server:
        assert runner.run(NAME, **server.params)["changed"]
    assert ["SENTINEL", "FLUSHCONFIG"] in server.said


def test_a_server_that_cannot_write(runner: Runner, rewriting: Rewriting, server: Listening) -> None:
    rewriting.refusal = "ERR Rewriting config file: Read-only file system"
    before = rewriting.file.read_text()
    result = runner.run(NAME, **server.params)
    assert result["failed"]
    assert "Rewriting config file: Read-only file system" in result["msg"]
    assert f"write access to the folder {rewriting.file.parent}" in result["advice"]
    assert rewriting.file.read_text() == before


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("config_file", "reason"), [("", "running without a configuration file"), ("/no/such/redis.conf", "is not on this host")]
)
def test_a_file_that_is_not_there(
    runner: Runner, rewriting: Rewriting, server: Listening, config_file: str, reason: str, check_mode: bool
) -> None:
    rewriting.config_file = config_file
    result = runner.run(NAME, check_mode=check_mode, **server.params)
    assert result["failed"]
    assert reason in result["msg"]
    assert result["advice"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_file_that_is_not_on_this_host(runner: Runner, rewriting: Rewriting, server: Listening, check_mode: bool) -> None:
    rewriting.config_file = "/no/such/redis.conf"
    result = runner.run(NAME, check_mode=check_mode, local_file=False, **server.params)
    assert (result["changed"], result["config_file"]) == (False, "/no/such/redis.conf")
    assert (["CONFIG", "REWRITE"] in server.said) is not check_mode


def test_a_server_that_cannot_write_a_file_that_is_not_on_this_host(runner: Runner, rewriting: Rewriting, server: Listening) -> None:
    rewriting.refusal = "ERR Rewriting config file: Device or resource busy"
    assert "Device or resource busy" in runner.run(NAME, local_file=False, **server.params)["msg"]
