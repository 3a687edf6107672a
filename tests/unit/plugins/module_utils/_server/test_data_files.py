"""Data files that an older server cannot read: recognised, renamed, and never removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.data_files import (
    configured_master,
    data_files,
    data_was_refused,
    set_aside,
    set_configured_master,
    unreadable,
)

OLD = ("redis", "6.2.14")


def config(folder: Path, *lines: str) -> str:
    path = folder / "redis.conf"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


@pytest.mark.parametrize(
    ("lines", "included", "found"),
    [
        ((), "", ("dump.rdb", "appendonly.aof", "appendonlydir", False)),
        (("dir /data", "dbfilename a.rdb"), "", ("/data/a.rdb", "/data/appendonly.aof", "/data/appendonlydir", False)),
        (("dir data", "appendonly YES"), "", ("data/dump.rdb", "data/appendonly.aof", "data/appendonlydir", True)),
        (("appendfilename b.aof", 'appenddirname "d"'), "", ("dump.rdb", "b.aof", "d", False)),
        (("include more.conf",), "dir /more\nappendonly yes\n", ("/more/dump.rdb", "/more/appendonly.aof", "/more/appendonlydir", True)),
        (("include more.conf", "dir /own"), "dir /more\n", ("/own/dump.rdb", "/own/appendonly.aof", "/own/appendonlydir", False)),
        (("include none-*.conf",), "", ("dump.rdb", "appendonly.aof", "appendonlydir", False)),
    ],
)
def test_what_a_configuration_says(tmp_path: Path, lines: tuple[str, ...], included: str, found: tuple[str, str, str, bool]) -> None:
    (tmp_path / "more.conf").write_text(included)
    data = data_files(config(tmp_path, *lines))
    expected = (*(str(tmp_path / name) for name in found[:3]), found[3])
    assert (data.rdb, data.aof, data.aof_folder, data.appends) == expected


@pytest.mark.parametrize(
    ("reader", "appends", "files", "names"),
    [
        (OLD, False, {"dump.rdb": b"REDIS0009"}, []),
        (OLD, False, {"dump.rdb": b"REDIS0010"}, ["dump.rdb"]),
        (OLD, False, {"dump.rdb": b""}, []),
        (OLD, False, {}, []),
        (OLD, True, {"dump.rdb": b"REDIS0010"}, []),  # such a server does not load dump.rdb
        (OLD, True, {"appendonly.aof": b"*2\r\n$6\r\nSELECT"}, []),
        (OLD, True, {"appendonly.aof": b"REDIS0010"}, ["appendonly.aof"]),
        # servers before 7.0 have no such folder
        (OLD, True, {"appendonlydir/appendonly.aof.1.base.rdb": b"REDIS0009"}, ["appendonlydir"]),
        (("redis", "7.0.15"), True, {"appendonlydir/appendonly.aof.1.base.rdb": b"REDIS0010"}, []),
        (("redis", "7.0.15"), True, {"appendonlydir/appendonly.aof.1.base.rdb": b"REDIS0011"}, ["appendonlydir"]),
        (("valkey", "8.0.1"), False, {"dump.rdb": b"VALKEY080"}, ["dump.rdb"]),
    ],
)
def test_unreadable(tmp_path: Path, reader: tuple[str, str], appends: bool, files: dict[str, bytes], names: list[str]) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    data = data_files(config(tmp_path, f"appendonly {'yes' if appends else 'no'}"))
    assert unreadable(data, reader) == [str(tmp_path / name) for name in names]


def test_set_aside_and_again(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / "dump.rdb").write_text(str(number))
        (tmp_path / "dir").mkdir()
        names = set_aside([str(tmp_path / "dump.rdb"), str(tmp_path / "dir")])
        ending = "" if number == 1 else "-2"
        assert names == [f"{tmp_path}/dump.rdb.set-aside{ending}", f"{tmp_path}/dir.set-aside{ending}"]
        assert Path(names[0]).read_text() == str(number)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dir.set-aside",
        "dir.set-aside-2",
        "dump.rdb.set-aside",
        "dump.rdb.set-aside-2",
    ]


@pytest.mark.parametrize(
    ("lines", "master"),
    [
        (("replicaof 10.0.0.1 6379",), "10.0.0.1 6379"),
        (("slaveof 10.0.0.1 6379",), "10.0.0.1 6379"),
        (("replicaof no one",), ""),
        (("port 6379",), ""),
        (("include more.conf",), "10.0.0.9 6379"),
    ],
)
def test_whom_it_follows(tmp_path: Path, lines: tuple[str, ...], master: str) -> None:
    (tmp_path / "more.conf").write_text("replicaof 10.0.0.9 6379\n")
    assert configured_master(config(tmp_path, *lines)) == master


@pytest.mark.parametrize(
    ("before", "changed", "after"),
    [
        ("port 1\nreplicaof 10.0.0.1 6379\nsave 1 1\n", False, "port 1\nreplicaof 10.0.0.1 6379\nsave 1 1\n"),
        ("port 1\nSlaveOf 10.0.0.2 6379\nsave 1 1\n", True, "port 1\nsave 1 1\nreplicaof 10.0.0.1 6379\n"),
        ("port 1", True, "port 1\nreplicaof 10.0.0.1 6379\n"),
        ("", True, "replicaof 10.0.0.1 6379\n"),
    ],
)
def test_another_master(tmp_path: Path, before: str, changed: bool, after: str) -> None:
    path = tmp_path / "redis.conf"
    path.write_text(before)
    path.chmod(0o640)
    assert set_configured_master(str(path), "10.0.0.1 6379") is changed
    assert path.read_text() == after
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("1:S 22 Nov 2026 20:00:00.000 # Can't handle RDB format version 10", True),
        ("1:S 22 Nov 2026 20:00:00.000 # Fatal error loading the DB: Invalid argument. Exiting.", True),
        ("1:S 22 Nov 2026 20:00:00.000 # Bad file format reading the append only file: make a backup", True),
        ("1:S 22 Nov 2026 20:00:00.000 # Unknown command 'xy' reading the append only file", True),
        ("1:S 22 Nov 2026 20:00:00.000 # Could not create server TCP listening socket *:6379: bind: Address already in use", False),
        ("1:S 22 Nov 2026 20:00:00.000 * Ready to accept connections", False),
    ],
)
def test_last_words_about_the_data(line: str, refused: bool) -> None:
    assert data_was_refused(["something", line]) is refused
