"""The module redis_config_try with real servers: accepted and refused files, and leftovers."""

from __future__ import annotations

import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from access import PASSWORD, CertificateAuthority, quoted
from deployment import SERVERS, run_module
from states import left_of_trials

pytestmark = pytest.mark.extended

VERSIONS = ["5.0.6", "6.2.14", "7.0.15", "valkey-8.0.1", "valkey-9.1.2"]
NOBODY = pwd.getpwnam("nobody")
FULL = f"""\
# as a server writes it
port 6379
bind 127.0.0.1 10.1.2.3
protected-mode yes
daemonize yes
supervised systemd
syslog-enabled yes
unixsocket /run/redis/redis.sock
unixsocketperm 777
requirepass {quoted(PASSWORD)}
masterauth {quoted(PASSWORD)}
rename-command CONFIG ""
maxmemory 1gb
save 900 1
appendonly yes
replicaof 10.1.2.3 6379
"""
SENTINEL = f"""\
port 26379
sentinel myid {"a" * 40}
sentinel monitor one 10.1.2.3 6379 2
sentinel monitor two 10.1.2.4 6379 2
sentinel down-after-milliseconds one 2000
sentinel config-epoch one 7
sentinel leader-epoch one 7
sentinel known-replica one 10.1.2.5 6379
sentinel known-sentinel one 10.1.2.6 26379 {"b" * 40}
sentinel auth-pass two {quoted(PASSWORD)}
sentinel notification-script two {{script}}
sentinel current-epoch 7
"""


def attempt(version: str, config_file: Path, **options: Any) -> dict[str, Any]:
    return run_module("redis_config_try", folder=str(SERVERS / version), config_file=str(config_file), **options)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder that other users may enter; in the end no trial may have left files."""
    with tempfile.TemporaryDirectory(prefix="config-try-", dir="/tmp") as path:
        Path(path).chmod(0o755)
        yield Path(path)
        assert left_of_trials(path) == []


def seen(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("version", VERSIONS)
def test_accepted_with_all_that_acts_left_alone(version: str, folder: Path) -> None:
    config, part = folder / "redis.conf", folder / "part.conf"
    part.write_text(f"slaveof 10.1.2.3 6379\nlogfile {folder}/log\npidfile {folder}/pid\n")
    config.write_text(f"{FULL}dir {folder}\ninclude part.conf\n")
    before = seen(folder)
    done = attempt(version, config)
    assert not done.get("failed"), done
    assert (done["changed"], done["files"]) == (False, [str(part), str(config)])
    assert seen(folder) == before


@pytest.mark.parametrize("version", VERSIONS)
def test_a_sentinel_is_accepted_and_its_script_is_not_run(version: str, folder: Path) -> None:
    config, script = folder / "sentinel.conf", folder / "tell.sh"
    script.write_text(f"#!/bin/sh\ntouch {folder}/told\n")
    script.chmod(0o755)
    config.write_text(f"{SENTINEL.format(script=script)}dir {folder}\nlogfile {folder}/log\n")
    before = seen(folder)
    done = attempt(version, config, sentinel=True)
    assert not done.get("failed"), done
    assert seen(folder) == before


@pytest.mark.parametrize(
    ("version", "text", "line", "words"),
    [
        ("7.0.15", "port 1\ngopher-enabled yes", 2, "gopher-enabled yes: Bad directive or wrong number of arguments"),
        ("6.2.14", "user app on >pass-word %R~*", 1, "user app on >*** %R~*: Error in user declaration '%R~*': Syntax error"),
        ("6.2.14", "port 1\nuser app on >pass-word -@nonsense", 2, "Error loading ACL rule '-@nonsense' for the user named 'app'"),
        ("6.2.14", "port 1\nshutdown-timeout 20", 2, "shutdown-timeout 20: Bad directive"),
        ("5.0.6", "tls-port 6380", 1, "tls-port 6380: Bad directive"),
        ("valkey-8.0.1", "loadmodule /opt/gone.so", 1, "/opt/gone.so: cannot open shared object file"),
        ("7.0.15", "include /opt/gone.conf", 0, "can't open config file '/opt/gone.conf'"),
        ("7.0.15", "dir /opt/gone", 1, "No such file or directory"),
        ("7.0.15", "aclfile {folder}/users.acl", 0, "{folder}/users.acl:2"),
        ("7.0.15", "include {folder}/part.conf", 3, "{folder}/part.conf, line 3: io-threads 1000: argument must be between"),
        ("7.0.15", "tls-port 1\ntls-cert-file {folder}/users.acl\ntls-key-file {folder}/users.acl", 0, "TLS"),
    ],
)
def test_refused_in_the_servers_own_words(version: str, text: str, line: int, words: str, folder: Path) -> None:
    (folder / "users.acl").write_text("user default on nopass +@all\nuser app on >pass-word +@nonsense\n")
    (folder / "part.conf").write_text("replicaof 10.1.2.3 6379\n\nio-threads 1000\n")
    config = folder / "redis.conf"
    config.write_text(text.format(folder=folder) + "\n")
    done = attempt(version, config)
    assert done["failed"]
    assert done["line"] == line
    assert words.format(folder=folder) in done["msg"]
    assert str(config) in done["msg"] or "part.conf" in done["msg"]
    assert "Nothing was stopped" in done["msg"]
    assert "pass-word" not in str({name: value for name, value in done.items() if name != "invocation"})


def test_refused_by_a_sentinel(folder: Path) -> None:
    config = folder / "sentinel.conf"
    config.write_text("port 1\nsentinel monitor one 10.1.2.3 6379 2\nsentinel nonsense one 1\n")
    done = attempt("7.0.15", config, sentinel=True)
    assert (done["failed"], done["line"], done["reason"]) == (True, 3, "Unrecognized sentinel configuration statement.")


def test_certificates_are_read_as_the_user_of_the_server(folder: Path) -> None:
    authority = CertificateAuthority(folder / "ca")
    server = authority.issue("server")
    config = folder / "redis.conf"
    config.write_text(
        f"port 0\ntls-port 6380\ntls-replication no\n"
        f"tls-cert-file {server}.crt\ntls-key-file {server}.key\ntls-ca-cert-file {authority.file}\n"
    )
    assert not attempt("7.0.15", config).get("failed")
    owner = {"uid": NOBODY.pw_uid, "gid": NOBODY.pw_gid}
    refused = attempt("7.0.15", config, process=owner)
    assert "Permission denied" in refused["msg"]
    for file in (folder / "ca").iterdir():
        file.chmod(0o644)
    assert not attempt("7.0.15", config, process=owner).get("failed")


def test_a_module_of_the_new_version_takes_the_place_of_the_old_one(folder: Path) -> None:
    """The old module file is gone and the new one is no module, so the message tells which one was
    loaded.
    """
    new = folder / "redis.new"
    shutil.copytree(SERVERS / "7.0.15", new)
    (new / "m.so").write_text("no module")
    (new / "m.so").chmod(0o755)
    config = folder / "redis.conf"
    config.write_text(f"loadmodule {folder}/redis/m.so\n")
    done = run_module("redis_config_try", folder=str(new), version_folder=str(folder / "redis"), config_file=str(config))
    assert f"{new}/m.so: file too short" in done["msg"]
