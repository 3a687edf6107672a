"""Errors of a replica about what its master sends: counted by the server, or in its log."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.sent_errors import counted_or_logged, errors_sent, logged_errors

# Lines of 5.0.6. Process 7 is the one before the restart.
BEFORE = (
    "7:S 26 Nov 2026 19:45:10.211 # == CRITICAL == This replica is sending an error to its master: "
    "'NOSCRIPT No matching script. Please use EVAL.' after processing the command 'evalsha'\n"
)
SINCE = BEFORE.replace("7:S", "77:S", 1)
OTHERS = "77:S 26 Nov 2026 19:47:08.998 * MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.\n"


@pytest.mark.parametrize(
    ("info", "log", "count"),
    [
        ({"unexpected_error_replies": "0", "process_id": "77"}, SINCE, 0),
        ({"unexpected_error_replies": "1811", "process_id": "77"}, "", 1811),
        ({"process_id": "77"}, BEFORE + OTHERS, 0),
        ({"process_id": "77"}, BEFORE + OTHERS + SINCE + SINCE, 2),
        ({"process_id": "77"}, None, 0),
    ],
)
def test_the_server_counts_or_its_log_tells(tmp_path: Path, info: dict[str, str], log: str | None, count: int) -> None:
    path = tmp_path / "log"
    if log is not None:
        path.write_text(log, encoding="utf-8")
    assert errors_sent(info, str(path)) == count
    assert errors_sent(info, "") == int(info.get("unexpected_error_replies", 0))


def test_the_lines_of_all_processes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(BEFORE + OTHERS + SINCE, encoding="utf-8")
    assert (logged_errors(str(path)), logged_errors(str(path), "7"), logged_errors(str(path), "8")) == (2, 1, 0)


@pytest.mark.parametrize(
    ("who", "count"),
    [
        ("This replica is sending an error to its master", 1),  # 5.0 to 7.2
        ("This replica is sending an error to its primary", 1),  # Valkey
        ("This server is sending an error to its AOF-loading-client", 1),
        ("This master is sending an error to its replica", 0),
    ],
)
def test_who_says_it_to_whom(who: str, count: int) -> None:
    assert counted_or_logged({"process_id": "7"}, f"7:S 26 Nov 2026 19:45:10.211 # == CRITICAL == {who}: 'x' after processing y") == count
