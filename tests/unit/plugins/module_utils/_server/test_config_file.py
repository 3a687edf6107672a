"""Configuration files: reading them as the servers do, and keeping their owner and mode."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.config_file import (
    difference,
    directives,
    is_mount_point,
    mount_points,
    quote_sentinel_secrets,
    quoted,
    read_text,
    split_args,
    write_text,
)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("port 6379", ["port", "6379"]),
        ("  save   3600 1\t300 100 ", ["save", "3600", "1", "300", "100"]),
        ('save ""', ["save", ""]),
        ("save ''", ["save", ""]),
        ('requirepass "a b"', ["requirepass", "a b"]),
        ("requirepass 'a b'", ["requirepass", "a b"]),
        (r'requirepass "a \"quoted\" word"', ["requirepass", 'a "quoted" word']),
        (r"requirepass 'it\'s'", ["requirepass", "it's"]),
        (r"requirepass 'a\nb'", ["requirepass", r"a\nb"]),
        (r'requirepass "a\nb\tc\\d"', ["requirepass", "a\nb\tc\\d"]),
        (r'requirepass "\x41\x7e"', ["requirepass", "A~"]),
        (r"dir C:\data", ["dir", r"C:\data"]),
        ("requirepass a#b", ["requirepass", "a#b"]),
        ("", []),
        ('requirepass "a', None),
        ("requirepass it's", None),
        ('requirepass "a"b', None),
    ],
)
def test_a_line_is_split_as_the_servers_split_it(line: str, words: list[str] | None) -> None:
    assert split_args(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('requirepass a"b c"', ["requirepass", "ab c"]),
        (r'dir "/data/caf\xc3\xa9"', ["dir", "/data/caf\u00e9"]),
    ],
)
def test_what_the_servers_read_differently(line: str, words: list[str]) -> None:
    assert split_args(line) == words


@pytest.mark.parametrize("word", ["plain", "a b", 'a"b', "it's", r"back\slash", "", "#{{ x }}", "all \"of\\ 'them'"])
def test_a_quoted_word_is_read_back_unchanged(word: str) -> None:
    assert split_args(f"requirepass {quoted(word)}") == ["requirepass", word]


@pytest.mark.parametrize("password", ["plain", "a b", 'a"b', '"half', "it's", r"back\slash", "#{{ x }}", "a  b", "'a' b"])
def test_a_secret_that_sentinel_wrote_without_quotes_can_be_read_again(password: str) -> None:
    """Sentinel writes auth-pass without quotes, and then refuses to read spaces in its value."""
    written = f"port 26379\nsentinel monitor mymaster 10.0.0.1 6379 2\nsentinel auth-pass mymaster {password}\n"
    mended = quote_sentinel_secrets(written)
    assert split_args(mended.splitlines()[2]) == ["sentinel", "auth-pass", "mymaster", password]
    assert mended.splitlines()[:2] == written.splitlines()[:2]
    assert quote_sentinel_secrets(mended) == mended


@pytest.mark.parametrize(
    "line",
    [
        "sentinel auth-pass mymaster plain\n",
        'sentinel auth-pass mymaster "a b"\n',
        "sentinel auth-pass mymaster plain",
        "sentinel known-replica mymaster 10.0.0.2 6379\r\n",
        "# sentinel auth-pass mymaster a b\n",
        "sentinel announce-ip it's\n",
    ],
)
def test_what_can_be_read_stays_as_it_is(line: str) -> None:
    assert quote_sentinel_secrets(line) == line


@pytest.mark.parametrize("directive", ["auth-pass mymaster", "auth-user mymaster", "sentinel-pass", "sentinel-user", "AUTH-PASS mymaster"])
def test_every_secret_of_a_sentinel_is_mended(directive: str) -> None:
    assert quote_sentinel_secrets(f"sentinel {directive} a b\n") == f'sentinel {directive} "a b"\n'


def test_directives() -> None:
    text = '# a comment\n\nPort 6379\nsave 3600 1\nsave 300 100\n  # another\nlogfile ""\nuser default on ~* &* +@all >s3cret\n'
    assert directives(text) == {
        "port": [["6379"]],
        "save": [["3600", "1"], ["300", "100"]],
        "logfile": [[""]],
        "user": [["default", "on", "~*", "&*", "+@all", ">s3cret"]],
    }


def test_a_line_with_unbalanced_quotes_is_not_lost() -> None:
    assert directives("requirepass it's\nport 1\n") == {"requirepass": [["it's"]], "port": [["1"]]}


@pytest.mark.parametrize(
    ("text", "running", "differing"),
    [
        ("maxmemory 100mb\n", {"maxmemory": "104857600"}, []),
        ("maxmemory 100MB\n", {"maxmemory": "104857600"}, []),
        ("maxmemory 100m\n", {"maxmemory": "100000000"}, []),
        ("maxmemory 100mb\n", {"maxmemory": "0"}, ["maxmemory"]),
        ("appendonly yes\n", {"appendonly": "no"}, ["appendonly"]),
        ("appendonly NO\n", {"appendonly": "no"}, []),
        ("slave-priority 100\n", {"replica-priority": "1"}, ["slave-priority"]),
        ("replica-priority 100\n", {"replica-priority": "100"}, []),
        ('save ""\n', {"save": ""}, []),
        ("save 3600 1\n", {"save": "300 100"}, []),
        ("user a on\nuser b on\n", {"user": ""}, []),
        ("port 6379\n", {}, []),
        ("hz 10\nport 1\n", {"hz": "20", "port": "2"}, ["hz", "port"]),
    ],
)
def test_difference(text: str, running: dict[str, str], differing: list[str]) -> None:
    assert difference(text, running) == differing


@pytest.mark.parametrize(("name", "written", "running"), [("masterauth", "Secret", "secret"), ("dir", "/data/A", "/data/a")])
def test_a_difference_in_upper_and_lower_case(name: str, written: str, running: str) -> None:
    assert difference(f"{name} {written}\n", {name: running}) == [name]


@pytest.mark.parametrize("content", [b"port 6379\n", b"port 6379\r\n# caf\xc3\xa9\r\n", b"requirepass \xff\xfe\n"])
def test_a_file_is_read_and_written_unchanged(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "redis.conf"
    file.write_bytes(content)
    write_text(str(file), read_text(str(file)))
    assert file.read_bytes() == content


def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "redis.conf"
    file.write_text("old")
    file.chmod(0o600)
    write_text(str(file), "new")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == ["redis.conf"]


def test_a_killed_run_leaves_no_secret_for_others_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sentinel.conf"
    file.touch()
    file.chmod(0o640)

    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fchmod", die)
    umask = os.umask(0o022)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            write_text(str(file), "sentinel auth-pass mymaster s3cret\n")
    finally:
        os.umask(umask)
    assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in tmp_path.iterdir() if "s3cret" in path.read_text()] == [0]


def test_mount_points_are_read() -> None:
    mountinfo = (
        "1036 997 0:41 / / ro,relatime shared:309 master:1 - overlay overlay rw,lowerdir=/image,upperdir=/upper\n"
        "1046 1036 0:41 /etc/redis /etc/redis rw - overlay overlay rw\n"
        "1047 1036 254:0 /etc/a\\040file /etc/a\\040file\\134 rw,relatime - ext4 /dev/vda rw\n"
    )
    assert mount_points(mountinfo) == {"/", "/etc/redis", "/etc/a file\\"}


def test_a_file_is_no_mount_point_because_its_folder_has_another_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "redis.conf"
    file.touch()
    # as on an overlay whose layers are on different file systems
    monkeypatch.setattr(os.path, "ismount", lambda _path: True)
    assert not is_mount_point(str(file))
    assert is_mount_point("/proc")
