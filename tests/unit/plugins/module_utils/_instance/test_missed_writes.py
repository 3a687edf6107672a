"""Replicas that may lack writes, and the full copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.missed_writes import copy_in_full, missed_writes
from ansible_collections.sentinelops.redis.plugins.module_utils._server.connection import connect
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import NodeInfo, node_info
from ansible_collections.sentinelops.redis.plugins.module_utils._server.login import Login
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import listening

Server = tuple[str, str]
R50, R60, R62, R70, V80 = (("redis", "5.0.6"), ("redis", "6.0.16"), ("redis", "6.2.14"), ("redis", "7.0.15"), ("valkey", "8.0.1"))
LINE = "{pid}:S 26 Nov 2026 19:47:19.328 # == CRITICAL == This replica is sending an error to its master: 'x' after\n"


def replica(server: Server, errors: int = 0) -> NodeInfo:
    version = {f"{server[0]}_version": server[1]}
    return node_info(
        {**version, "process_id": "9", "role": "slave", "master_host": "::1", "master_port": "7", "unexpected_error_replies": str(errors)}
    )


@pytest.mark.parametrize(
    ("running", "master", "errors", "pid", "missed"),
    [
        # a server that counts: its log does not matter while its master is no newer
        (R62, R62, 0, 9, False),
        (R62, R62, 1, 0, True),
        (R62, None, 1, 0, True),
        # 5.0 logs
        (R50, R50, 0, 0, False),
        (R50, R50, 0, 8, False),
        (R50, None, 0, 9, True),
        # below a newer master: before 6.2 always, and later if any process of it has logged errors
        (R50, R60, 0, 0, True),
        (R60, R62, 0, 0, True),
        (R60, V80, 0, 0, True),
        (R62, R70, 0, 0, False),
        (R62, R70, 0, 8, True),
        (R70, V80, 0, 8, True),
        (V80, ("valkey", "9.1.2"), 0, 0, False),
        # above an older one, as before a handover
        (R70, R62, 0, 8, False),
    ],
)
def test_who_may_lack_writes(tmp_path: Path, running: Server, master: Server | None, errors: int, pid: int, missed: bool) -> None:
    """``pid``: the process that has logged an error, 0 for none; that of the replica is 9."""
    log = tmp_path / "log"
    log.write_text(LINE.format(pid=pid) if pid else "9:S 26 Nov 2026 19:47:08.998 * sync\n", encoding="utf-8")
    assert missed_writes(replica(running, errors), master, str(log)) is missed


def test_a_full_copy_is_one_transaction() -> None:
    """Between the two commands the replica would be a master, which others must not see."""
    with listening(lambda words: ["OK", "OK"] if words[0] == "EXEC" else "OK") as listener:
        server = connect(listener.address, Login())
        copy_in_full(server, replica(R62))
        server.close()
    said = [words for words in listener.said if words[0] in ("MULTI", "REPLICAOF", "EXEC")]
    assert said == [["MULTI"], ["REPLICAOF", "NO", "ONE"], ["REPLICAOF", "::1", "7"], ["EXEC"]]
