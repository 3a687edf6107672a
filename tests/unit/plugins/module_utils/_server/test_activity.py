"""The words for what keeps a server busy, from INFO of several versions."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.activity import activity, saving

MIB = 1 << 20


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({}, ""),
        ({"loading": "0", "master_sync_in_progress": "0"}, ""),
        ({"loading": "1", "loading_loaded_perc": "43.21", "loading_eta_seconds": "12"}, "loading, 43 %, 12 s to go"),
        ({"loading": "1", "loading_loaded_perc": "0.00", "loading_eta_seconds": "-1"}, "loading, 0 %"),
        ({"loading": "1", "loading_loaded_perc": "?"}, "loading, 0 %"),
        # 6.2 and later, from a file of the master
        (
            {
                "master_sync_in_progress": "1",
                "master_sync_total_bytes": str(100 * MIB),
                "master_sync_read_bytes": str(88 * MIB),
                "master_sync_left_bytes": str(12 * MIB),
            },
            "full synchronisation, 88 %, 12 MiB to go",
        ),
        # 5.0
        ({"master_sync_in_progress": "1", "master_sync_left_bytes": str(12 * MIB)}, "full synchronisation, 12 MiB to go"),
        # the master sends it without a file
        (
            {
                "master_sync_in_progress": "1",
                "master_sync_total_bytes": "0",
                "master_sync_read_bytes": str(5 * MIB),
                "master_sync_left_bytes": str(-5 * MIB),
            },
            "full synchronisation, 5.0 MiB received",
        ),
        # nothing has come yet
        (
            {
                "master_sync_in_progress": "1",
                "master_sync_total_bytes": "-1",
                "master_sync_read_bytes": "0",
                "master_sync_left_bytes": "-1",
            },
            "full synchronisation, its master prepares the data",
        ),
        ({"loading": "1", "loading_loaded_perc": "7", "master_sync_in_progress": "1"}, "loading, 7 %"),
    ],
)
def test_activity(info: dict[str, str], expected: str) -> None:
    assert activity(info) == expected


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"rdb_bgsave_in_progress": "0"}, ""),
        (
            {"rdb_bgsave_in_progress": "1", "current_save_keys_processed": "250", "current_save_keys_total": "1000"},
            "saving its data, 25 %",
        ),
        ({"rdb_bgsave_in_progress": "1", "rdb_current_bgsave_time_sec": "40"}, "saving its data, for 40 s"),
        ({"aof_rewrite_in_progress": "1"}, "rewriting its append-only file"),
    ],
)
def test_saving(info: dict[str, str], expected: str) -> None:
    assert saving(info) == expected
