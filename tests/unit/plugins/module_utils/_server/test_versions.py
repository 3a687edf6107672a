"""Versions that can replicate from each other: the table of RDB versions."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.versions import (
    can_downgrade,
    can_replicate,
    counts_errors,
    is_downgrade,
    is_newer_line,
    misses_in_silence,
    rdb_version,
    reads_file,
    replicates_scripts_verbatim,
    version_key,
)

Server = tuple[str, str]
R50, R60, R62, R70, R72, R74, R80, R86 = (
    ("redis", version) for version in ("5.0.14", "6.0.16", "6.2.14", "7.0.15", "7.2.6", "7.4.1", "8.0.2", "8.6.0")
)
V72, V80, V91 = (("valkey", version) for version in ("7.2.11", "8.0.1", "9.1.2"))
ALL = [R50, R60, R62, R70, R72, R74, R80, R86, V72, V80, V91]

# For every server that replicates: the masters whose full synchronisation it can read.
READS: dict[Server, list[Server]] = {
    R50: [R50, R60, R62],
    R60: [R50, R60, R62],
    R62: [R50, R60, R62],
    R70: [R50, R60, R62, R70],
    R72: [R50, R60, R62, R70, R72, V72, V80, V91],
    R74: [R50, R60, R62, R70, R72, R74, R80, V72, V80, V91],
    R80: [R50, R60, R62, R70, R72, R74, R80, V72, V80, V91],
    R86: ALL,
    V72: [R50, R60, R62, R70, R72, V72, V80, V91],
    V80: [R50, R60, R62, R70, R72, V72, V80, V91],
    V91: [R50, R60, R62, R70, R72, V72, V80, V91],
}


@pytest.mark.parametrize(("server", "version"), ALL)
@pytest.mark.parametrize("master", ALL)
def test_a_replica_reads_a_master(server: str, version: str, master: Server) -> None:
    replica, expected = (server, version), master in READS[(server, version)]
    assert can_replicate(running=master, wanted=replica) is expected
    assert can_downgrade(running=replica, wanted=master) is expected


@pytest.mark.parametrize(
    ("server", "version", "rdb"),
    [
        ("redis", "4.0.14", 0),
        ("redis", "5.0.0", 9),
        ("redis", "6.2.14", 9),
        ("redis", "7.0.0", 10),
        ("redis", "7.2.4", 11),
        ("redis", "7.4.0", 12),
        ("redis", "8.0.6", 12),
        ("redis", "8.6.0-rc1", 13),
        ("redis", "10.0.0", 13),
        ("valkey", "7.2.5", 11),
        ("valkey", "9.1.2", 11),
    ],
)
def test_rdb_version(server: str, version: str, rdb: int) -> None:
    assert rdb_version(server, version) == rdb


@pytest.mark.parametrize(
    ("running", "wanted", "down"),
    [
        ("7.0.15", "7.0.5", True),
        ("7.0.5", "7.0.15", False),
        ("7.0.15", "7.0.15", False),
        ("7.10.0", "7.9.0", True),
        ("6.2.14", "7.0.0", False),
        ("10.0.0", "9.0.0", True),
    ],
)
def test_downgrade(running: str, wanted: str, down: bool) -> None:
    assert is_downgrade(running, wanted) is down


@pytest.mark.parametrize(("text", "key"), [("7.0.15", (7, 0, 15)), ("8.6.0-rc1", (8, 6, 0)), ("7.2", (7, 2)), ("", ())])
def test_version_key(text: str, key: tuple[int, ...]) -> None:
    assert version_key(text) == key


@pytest.mark.parametrize(
    ("reader", "head", "reads"),
    [
        (("redis", "6.2.14"), b"REDIS0009\xfa", True),
        (("redis", "6.2.14"), b"REDIS0010\xfa", False),
        (("redis", "7.0.15"), b"REDIS0010\xfa", True),
        (("redis", "7.2.6"), b"REDIS0012\xfa", False),
        (("redis", "8.0.2"), b"VALKEY080\xfa", False),
        (("valkey", "8.0.1"), b"REDIS0011\xfa", True),
        (("valkey", "8.0.1"), b"REDIS0012\xfa", False),
        (("valkey", "8.0.1"), b"VALKEY080\xfa", False),
        (("valkey", "9.1.2"), b"VALKEY080\xfa", True),
        (("redis", "6.2.14"), b"*2\r\n$6\r\nSELECT", True),
        (("redis", "6.2.14"), b"", True),
    ],
)
def test_reads_file(reader: tuple[str, str], head: bytes, reads: bool) -> None:
    assert reads_file(reader, head) is reads


@pytest.mark.parametrize(
    ("server", "counts", "silent", "verbatim"),
    [(R50, False, True, True), (R60, True, True, True), (R62, True, False, True), (R70, True, False, False), (V72, True, False, False)],
)
def test_what_a_replica_does_with_what_it_does_not_understand(server: Server, counts: bool, silent: bool, verbatim: bool) -> None:
    assert (counts_errors(server), misses_in_silence(server), replicates_scripts_verbatim(*server)) == (counts, silent, verbatim)


@pytest.mark.parametrize(
    ("running", "other", "newer"),
    [
        (R50, R60, True),
        (R62, R70, True),
        (R62, ("redis", "6.2.20"), False),
        (R70, V72, True),
        (V80, V91, True),
        (V80, ("valkey", "8.0.9"), False),
        (R70, R62, False),
    ],
)
def test_a_newer_line(running: Server, other: Server, newer: bool) -> None:
    assert is_newer_line(running, other) is newer
