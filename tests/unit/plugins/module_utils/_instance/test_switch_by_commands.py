"""Switching an instance whose image the user's own commands choose; its files are not visible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Command
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._install.own_commands import OwnCommands
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.lifecycle import start
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.switch_version import revert, switch_version
from ansible_collections.sentinelops.redis.tests.unit.support.instance import CLOCK, NEW, OLD, WAIT_S
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import FAILS, ProgramServer, place

UNRELATED = "port 1\nreplicaof 10.9.9.9 6379\nmaxclients 3\n"


class Contained:
    """A server that is started from the image to which a link points."""

    def __init__(self, path: Path) -> None:
        self.link, self.calls = path / "image", path / "calls"
        for version in (OLD, NEW):
            place(path / "images" / version, version)
        self.link.symlink_to(f"images/{OLD}")
        # a file of this host that has the path of the server's own file by chance
        self.config = path / "redis.conf"
        self.config.write_text(UNRELATED)
        self.server = ProgramServer(path / "images", self.config)
        stop = ("/bin/sh", "-c", f"kill $(cut -d' ' -f1 {path}/images/run); echo stop >> {self.calls}")
        service = Command((f"{self.link}/redis-server",), stop)
        self.files = InstanceFiles("/image/redis-server", str(self.config), sentinel=True, log_file="", service=service, local=False)
        self.commands = OwnCommands(self._use("{version}"), self._use("{previous}"), NEW, OLD, WAIT_S)

    def _use(self, version: str) -> tuple[str, ...]:
        return ("/bin/sh", "-c", f"ln -sfn images/{version} {self.link}; echo use {version} >> {self.calls}")

    def switch(self) -> str:
        self.server.info["sentinel_masters"] = "0"
        return switch_version(self.server, self.files, self.commands, NEW, None, WAIT_S, CLOCK).version

    def called(self) -> list[str]:
        return self.calls.read_text().split("\n")[:-1] if self.calls.exists() else []


@pytest.fixture
def contained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Contained]:
    monkeypatch.setattr("ansible_collections.sentinelops.redis.plugins.module_utils._instance.stop_guards.monitored_masters", lambda _s: [])
    found = Contained(tmp_path)
    try:
        yield found
    finally:
        found.server.end_all()


def test_switched_while_it_is_down(contained: Contained) -> None:
    start(contained.server, contained.files, WAIT_S, CLOCK)
    assert contained.switch() == NEW
    assert contained.called() == ["stop", f"use {NEW}"]
    assert contained.config.read_text() == UNRELATED


def test_a_stopped_one_is_activated_again(contained: Contained) -> None:
    """A killed run may have activated it or not."""
    contained.link.unlink()
    contained.link.symlink_to(f"images/{NEW}")
    assert contained.switch() == NEW
    assert contained.called() == [f"use {NEW}"]


def test_a_new_version_that_fails_is_put_back(contained: Contained) -> None:
    start(contained.server, contained.files, WAIT_S, CLOCK)
    place(contained.link.parent / "images" / NEW, NEW, FAILS)
    with pytest.raises(OperationFailed, match="the start command ended with exit code 1") as failed:
        contained.switch()
    assert failed.value.state == f"The old version {OLD} was restored and serves again"
    assert contained.called() == ["stop", f"use {NEW}", "stop", f"use {OLD}"]
    running = contained.server.running()
    assert running is not None
    assert running[1] == OLD
    assert contained.config.read_text() == UNRELATED


def test_an_activation_without_effect_is_found_by_the_version(contained: Contained) -> None:
    start(contained.server, contained.files, WAIT_S, CLOCK)
    contained.commands = OwnCommands(("true",), ("true",), NEW, OLD, WAIT_S)
    with pytest.raises(OperationFailed, match=f"the started server is version {OLD}, not {NEW}"):
        contained.switch()
    assert contained.server.running() is not None


def test_put_back_later(contained: Contained) -> None:
    contained.switch()
    reverted = revert(contained.server, contained.files, contained.commands, OLD, WAIT_S, CLOCK)
    assert (reverted.node.version, reverted.set_aside, reverted.lost) == (OLD, (), ())
    assert contained.called() == [f"use {NEW}", "stop", f"use {OLD}"]
    assert contained.config.read_text() == UNRELATED
