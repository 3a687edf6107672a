"""Times that logs tell of loading data, and those of this process."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._survey.pace_facts import MOST_BYTES, last_load, load_facts, work_facts
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import FIXTURES

# Real logs of servers with 474 MiB of data.
STARTED = """\
13336:S 28 Nov 2026 03:18:12.456 * Loading RDB produced by version 7.0.15
13336:S 28 Nov 2026 03:18:12.456 * RDB age 8 seconds
13336:S 28 Nov 2026 03:18:12.456 * RDB memory usage when created 474.47 Mb
13336:S 28 Nov 2026 03:18:26.247 * Done loading RDB, keys loaded: 2621440, keys expired: 0.
13336:S 28 Nov 2026 03:18:26.248 * DB loaded from disk: 13.791 seconds
13336:S 28 Nov 2026 03:18:26.248 * Ready to accept connections tcp
"""
SYNCED = """\
9276:S 28 Nov 2026 23:59:58.442 * MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to disk
9276:S 28 Nov 2026 23:59:58.442 * MASTER <-> REPLICA sync: Flushing old data
9276:S 28 Nov 2026 23:59:58.443 * MASTER <-> REPLICA sync: Loading DB in memory
9276:S 28 Nov 2026 23:59:58.443 * Loading RDB produced by version 7.0.15
9276:S 28 Nov 2026 23:59:58.443 * RDB memory usage when created 474.37 Mb
9276:S 29 Nov 2026 00:00:04.543 * Done loading RDB, keys loaded: 2621440, keys expired: 0.
9276:S 29 Nov 2026 00:00:04.943 * MASTER <-> REPLICA sync: Finished with success
"""
# Redis 5.0 does not log the size.
WITHOUT_SIZE = "4711:M 28 Nov 2026 03:18:26.248 * DB loaded from disk: 13.791 seconds\n"


def test_a_start() -> None:
    assert last_load(STARTED) == {"bytes": 497517854, "seconds": 13.791}


def test_a_synchronisation_over_midnight() -> None:
    assert last_load(SYNCED) == {"bytes": 497412997, "seconds": 6.5}
    assert last_load(SYNCED.replace("MASTER", "PRIMARY")) == last_load(SYNCED)


@pytest.mark.parametrize(("log", "seconds"), [(STARTED + SYNCED, 6.5), (SYNCED + STARTED, 13.791)])
def test_the_last_load_counts(log: str, seconds: float) -> None:
    assert last_load(log)["seconds"] == seconds


@pytest.mark.parametrize("log", ["", "nothing of the kind\n", WITHOUT_SIZE, STARTED.replace("13.791", "0.000"), SYNCED.splitlines()[-1]])
def test_a_log_that_does_not_tell(log: str) -> None:
    assert last_load(log) == {}


def test_appending() -> None:
    log = STARTED.replace("DB loaded from disk", "DB loaded from base file appendonly.aof.1.base.rdb")
    log += "13336:M 28 Nov 2026 03:18:27.000 * DB loaded from append only file: 14.500 seconds\n"
    assert last_load(log) == {"bytes": 497517854, "seconds": 14.5}


@pytest.mark.parametrize("version", ["6.2.14", "7.0.15"])
def test_recorded_logs(version: str) -> None:
    """A replica without data has loaded in no time, as far as its log tells."""
    logs = json.loads((FIXTURES / version / "logs.json").read_text(encoding="utf-8"))
    for lines in logs.values():
        assert last_load("\n".join(lines)).get("seconds", 0) < 0.1


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("x" * 99 + "\n" + STARTED + ("y" * 99 + "\n") * (MOST_BYTES // 100 - 100), encoding="utf-8")
    assert load_facts(str(log))["seconds"] == 13.791
    log.write_text(STARTED + ("y" * 99 + "\n") * (MOST_BYTES // 100 + 100), encoding="utf-8")
    assert load_facts(str(log)) == {}
    assert load_facts(str(tmp_path / "none")) == load_facts("") == {}


def test_the_work_of_this_process() -> None:
    first = work_facts()
    time.sleep(0.3)
    second = work_facts()
    assert 0 < first["cpu_s"] <= second["cpu_s"]
    assert 0.25 < second["wall_s"] - first["wall_s"] < 30
    assert second["wall_s"] - first["wall_s"] > second["cpu_s"] - first["cpu_s"]
