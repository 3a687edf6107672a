"""Server logs: recorded logs of a start, and lines that report an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.log import judge_log, read_from, size_of, tail
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import VERSIONS, log_text, recorded


def line(text: str, level: str = "#", role: str = "M") -> str:
    return f"1001:{role} 22 Nov 2026 14:37:41.505 {level} {text}"


NAMES = ["redis-1", "redis-2", "sentinel-1"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_the_log_of_a_real_start_has_no_errors(version: str, name: str) -> None:
    lines = recorded(version, "logs")[name]
    assert len(lines) > 10
    assert judge_log(log_text(lines)).errors == ()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_the_log_of_a_real_start_has_no_warnings(version: str, name: str) -> None:
    assert judge_log(log_text(recorded(version, "logs")[name])).warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "Fatal error, can't open config file '/etc/redis.conf': Permission denied",
        "*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***",
        "Can't handle RDB format version 12",
        "Fatal error loading the DB, check server logs. Exiting.",
        "Bad file format reading the append only file: make a backup of your AOF file",
        "Short read or OOM loading DB. Unrecoverable error, aborting now.",
        "Internal error in RDB reading offset 0, function at rdb.c:2793 -> Unknown RDB encoding type",
        "Could not create server TCP listening socket 127.0.0.1:6379: bind: Address already in use",
        "Failed listening on port 6379 (TCP), aborting.",
        "Failed opening the RDB file dump.rdb (in server root dir /var/lib/redis) for saving: Permission denied",
        "MASTER aborted replication with an error: NOAUTH Authentication required.",
        "=== REDIS BUG REPORT START: Cut & paste starting from here ===",
        "Redis 7.0.15 crashed by signal: 11, si_code: 1",
        "Out Of Memory allocating 100 bytes!",
        "Could not rename tmp config file (Device or resource busy)",
        "Error moving temp append only file on the final destination: No space left on device",
    ],
)
@pytest.mark.parametrize("level", ["#", "*"])
def test_trouble(text: str, level: str) -> None:
    found = judge_log(line("Server initialized", "*") + "\n" + line(text, level) + "\n")
    assert found.errors == (line(text, level),)
    assert found.warnings == ()


def test_trouble_before_the_log_has_its_form() -> None:
    """Messages about the configuration file have no time stamp."""
    text = "*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 3\n>>> 'gopher-enabled no'\n"
    assert judge_log(text).errors == ("*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***",)


@pytest.mark.parametrize(
    "text",
    [
        "Background saving error",
        "== CRITICAL == This replica is sending an error to its master: 'READONLY'",
        "MASTER timeout: no data nor PING received...",
        "WARNING 32 bit instance detected but no memory limit set.",
    ],
)
def test_a_warning_worth_a_look(text: str) -> None:
    found = judge_log(line(text) + "\n" + line("Ready to accept connections", "*"))
    assert (found.errors, found.warnings) == ((), (line(text),))


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("+sdown sentinel fe5dbbcea5ce7e2988b8c69bcfdfde8904aabc1f 127.0.0.1 23111 @ mymaster 127.0.0.1 23100", "X"),
        ("-failover-abort-no-good-slave master mymaster 127.0.0.1 23100", "X"),
        ("User requested shutdown...", "M"),
        ("Redis is now ready to exit, bye bye...", "M"),
        ("User requested shutdown...", "S"),
        ("Connection with replica 127.0.0.1:23101 lost.", "M"),
        ("WARNING: The TCP backlog setting of 511 cannot be enforced", "M"),
    ],
)
def test_what_every_restart_says_is_not_worth_a_look(text: str, role: str) -> None:
    assert judge_log(line(text, role=role)).warnings == ()


def test_notices_are_not_warnings() -> None:
    assert judge_log(line("something that nobody knows", "*") + "\n" + line("more", "-")) == judge_log("")


@pytest.mark.parametrize(
    "text",
    [
        "WARNING: Sentinel was not able to save the new configuration on disk!!!: Read-only file system",
        "Can't chdir to '/srv/redis -old data': No such file or directory",
    ],
)
def test_a_warning_with_a_hyphen_is_worth_a_look(text: str) -> None:
    found = judge_log(line(text))
    assert found.errors + found.warnings == (line(text),)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "redis.log"
    path.write_text("first\nsecond\nthird\n")
    return path


@pytest.mark.parametrize(
    ("offset", "text"), [(0, "first\nsecond\nthird\n"), (6, "second\nthird\n"), (19, ""), (20, "first\nsecond\nthird\n")]
)
def test_read_from_an_offset(log: Path, offset: int, text: str) -> None:
    """A log that is shorter than the offset was rotated: all its lines are new."""
    assert read_from(str(log), offset) == text


def test_the_size_is_the_offset_to_read_on_from(log: Path) -> None:
    offset = size_of(str(log))
    with log.open("a") as file:
        file.write("fourth\n")
    assert read_from(str(log), offset) == "fourth\n"


def test_tail(log: Path) -> None:
    assert tail(str(log), lines=2) == ["second", "third"]
    assert tail(str(log), offset=13) == ["third"]


@pytest.mark.parametrize("path", ["", "/no/such/file", "/"])
def test_there_is_no_log(path: str) -> None:
    assert (read_from(path, 0), tail(path)) == ("", [])


def test_the_size_of_no_log() -> None:
    assert (size_of(""), size_of("/no/such/file")) == (0, 0)


def test_bytes_that_are_no_text(log: Path) -> None:
    log.write_bytes(b"caf\xe9\n")
    assert read_from(str(log), 0) == "caf\ufffd\n"
