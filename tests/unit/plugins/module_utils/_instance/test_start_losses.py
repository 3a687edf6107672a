"""Settings that only the arguments of a server have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import AccessDenied, CommandRefused
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.start_losses import lost_commands, lost_modules


class Replies:
    """A server with some commands renamed, and some modules loaded."""

    def __init__(self, renamed: str = "", modules: int = 0, error: Exception | None = None) -> None:
        self.renamed, self.modules, self.error, self.asked = renamed.split(), modules, error, 0
        self.address = "10.0.0.1:6379"

    def command(self, *words: Any) -> Any:
        if self.error is not None:
            raise self.error
        if words[0] == "COMMAND":
            self.asked = len(words) - 2
            return [None if name in self.renamed else [name, 1] for name in words[2:]]
        if words[0] == "MODULE":
            return [["name", f"m{number}"] for number in range(self.modules)]
        return "# Modules\r\n" + "".join(f"module:name=m{number},ver=1\r\n" for number in range(self.modules))

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "a.conf").write_text('rename-command CONFIG ""\n')
    found = tmp_path / "redis.conf"
    found.write_text('# rename-command KEYS ""\nrename-command FLUSHALL ""\ninclude common/*.conf\ninclude gone.conf\nloadmodule /m.so\n')
    return found


@pytest.mark.parametrize(
    ("renamed", "lost"), [("", []), ("flushall config", []), ("flushall keys flushdb", ["flushdb", "keys"]), ("failover", ["failover"])]
)
def test_renamed_commands(config: Path, renamed: str, lost: list[str]) -> None:
    assert lost_commands(Replies(renamed), "7.0.15", str(config), str(config.parent)) == lost


def test_old_versions_lack_commands(config: Path) -> None:
    old, new = Replies("failover acl"), Replies()
    assert lost_commands(old, "5.0.6", str(config), str(config.parent)) == []
    assert lost_commands(new, "6.2.14", str(config), str(config.parent)) == []
    assert old.asked < new.asked


@pytest.mark.parametrize("error", [AccessDenied("NOPERM", node="", command="COMMAND"), CommandRefused("ERR", node="", command="COMMAND")])
def test_a_server_that_may_not_be_asked(config: Path, error: Exception) -> None:
    assert lost_commands(Replies(error=error), "7.0.15", str(config), "") is None
    assert lost_modules(Replies(error=error), "6.2.14", str(config), "") == 0


@pytest.mark.parametrize(
    ("version", "loaded", "lost"), [("5.0.6", 2, 1), ("6.2.14", 1, 0), ("6.2.14", 3, 2), ("6.2.14", 0, 0), ("7.0.15", 3, 0)]
)
def test_modules(config: Path, version: str, loaded: int, lost: int) -> None:
    assert lost_modules(Replies(modules=loaded), version, str(config), str(config.parent)) == lost
