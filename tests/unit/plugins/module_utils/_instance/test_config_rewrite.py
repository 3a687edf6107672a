"""Tell configuration files that a server can rewrite from others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused, PreconditionFailed, SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_rewrite import (
    order_rewrite,
    require_rewritable,
    save_before_stop,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server.commands import Server


class Refusing:
    """A server that cannot write its file, which is not on this host."""

    address = "10.0.0.1:6379"

    def command(self, *words: str) -> str:
        if words[0] == "INFO":
            return "redis_version:7.0.15\r\nconfig_file:/nowhere/redis.conf\r\n"
        raise CommandRefused("ERR Rewriting config file: Permission denied", node="10.0.0.1:6379", command=words[0])


def test_a_mount_cannot_be_replaced() -> None:
    with pytest.raises(PreconditionFailed, match="is itself a mount"):
        require_rewritable("/proc", "10.0.0.1:6379")


def test_a_file_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "redis.conf").touch()
    require_rewritable(str(tmp_path / "redis.conf"), "10.0.0.1:6379")
    assert os.listdir(tmp_path) == ["redis.conf"]


def test_a_refusal_is_explained() -> None:
    with pytest.raises(PreconditionFailed) as caught:
        order_rewrite(cast(Server, Refusing()), {"redis_mode": "standalone"}, "/etc/redis/redis.conf")
    assert "the server cannot rewrite /etc/redis/redis.conf" in str(caught.value)
    assert "write access to the folder /etc/redis " in str(caught.value)
    assert caught.value.node == "10.0.0.1:6379"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"lokal_file": True}, "lokal_file"),
        ({"local_file": True, "trial": {"version": "7.0.15"}}, "is not on this host"),
        ({"local_file": False}, "cannot rewrite /nowhere/redis.conf"),
    ],
)
def test_what_fails_before_a_stop_leaves_the_instance_untouched(given: dict[str, Any], error: str) -> None:
    with pytest.raises(SentinelOpsError, match=error) as refused:
        save_before_stop(cast(Server, Refusing()), given, check_mode=False)
    assert refused.value.facts["untouched"]
