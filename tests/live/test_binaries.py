"""The role redis_binaries on three hosts: every method installs a real server, and only once."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from binaries import bare_compiler, counting_make, pack, served
from deployment import ROOT, SERVERS

pytestmark = pytest.mark.extended

HOSTS = ["host-1", "host-2", "host-3"]
VERSION = "6.2.14"
SOURCE, SOURCE_VERSION = ROOT / ".cache" / "sources" / "redis_6.0.16.orig.tar.gz", "6.0.16"
BUILT_SIMPLY = {
    "redis_binaries_version": SOURCE_VERSION,
    "redis_binaries_method": "source",
    "redis_binaries_source": str(SOURCE),
    "redis_binaries_checksum": "8bea58a468bb67bedc92d8c2e44c170e42e6ea02527cbc5d233e92e8d78d1b99",
    "redis_binaries_build_jemalloc": False,
    "redis_binaries_build_tls": False,
    "redis_binaries_build_systemd": False,
    "redis_binaries_build_arguments": ["OPTIMIZATION=-O0"],
}


class Hosts:
    """Three folders that stand for hosts; all hosts are this machine, with a local connection."""

    def __init__(self, folder: Path, **of_the_first: str) -> None:
        self.folder = folder
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "redis_binaries_version": VERSION,
            "redis_binaries_destination": f"{folder}/{{{{ inventory_hostname }}}}/redis.new",
            "redis_binaries_cache": str(folder / "cache"),
        }
        inventory = {"all": {"hosts": {**dict.fromkeys(HOSTS), HOSTS[0]: of_the_first}, "vars": variables}}
        play = {
            "hosts": "all",
            "gather_facts": False,
            "any_errors_fatal": True,
            "tasks": [{"ansible.builtin.include_role": {"name": "sentinelops.redis.redis_binaries"}}],
        }
        (folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        (folder / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")

    def place(self, *arguments: str, environment: dict[str, str] | None = None, **variables: Any) -> subprocess.CompletedProcess[str]:
        words = ["ansible-playbook", "-i", str(self.folder / "inventory.yml"), str(self.folder / "play.yml")]
        words += ["-e", json.dumps(variables), *arguments]
        return subprocess.run(words, capture_output=True, text=True, check=False, env=environment)

    def folders(self) -> list[Path]:
        return [self.folder / host / "redis.new" for host in HOSTS]

    def versions(self) -> set[str]:
        printed = [
            subprocess.run([path / "redis-server", "--version"], capture_output=True, text=True, check=True) for path in self.folders()
        ]
        return {re.findall(r"v=(\S+)", done.stdout)[0] for done in printed}

    def beside(self) -> set[str]:
        """Return the names of all files in the hosts' folders."""
        return {path.name for host in HOSTS for path in (self.folder / host).iterdir()}


def changed(done: subprocess.CompletedProcess[str]) -> set[str]:
    assert done.returncode == 0, done.stdout
    return set(re.findall(r"changed=(\d+)", done.stdout))


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path)


def test_an_archive_is_unpacked_once(hosts: Hosts) -> None:
    archive = pack(SERVERS / VERSION, hosts.folder / "built")
    given = {"redis_binaries_method": "archive", "redis_binaries_source": str(archive.path), "redis_binaries_checksum": archive.checksum}
    in_check_mode = hosts.place("--check", **given)
    assert changed(in_check_mode) == {"1"}
    assert not hosts.folders()[0].exists()
    assert changed(hosts.place(**given)) != {"0"}
    assert hosts.versions() == {VERSION}
    assert changed(hosts.place(**given)) == {"0"}
    assert changed(hosts.place("--check", **given)) == {"0"}
    assert hosts.beside() == {"redis.new"}


def test_what_a_killed_run_has_left_is_not_taken_for_whole(hosts: Hosts) -> None:
    """Half a folder with a server that runs, half an unpacked archive, and the version of an
    aborted upgrade.
    """
    archive = pack(SERVERS / VERSION, hosts.folder / "built")
    half, unpacked, other = hosts.folders()
    half.mkdir(parents=True)
    shutil.copy2(SERVERS / VERSION / "redis-server", half)
    Path(f"{unpacked}.partial").mkdir(parents=True)
    (Path(f"{unpacked}.partial") / "redis-sentinel").write_bytes(b"half of i")
    shutil.copytree(SERVERS / "6.2.7", other)
    given = {"redis_binaries_method": "archive", "redis_binaries_source": str(archive.path), "redis_binaries_checksum": archive.checksum}
    assert "0" not in changed(hosts.place(**given))
    assert hosts.versions() == {VERSION}
    whole = {path.name for path in (SERVERS / VERSION).iterdir()}
    assert [{path.name for path in folder.iterdir()} - {".sentinelops-redis"} for folder in hosts.folders()] == [whole] * 3
    assert hosts.beside() == {"redis.new"}


def test_a_url_is_fetched_once_for_all_hosts(hosts: Hosts) -> None:
    archive = pack(SERVERS / VERSION, hosts.folder / "built")
    with served(archive.path.parent) as server:
        given = {
            "redis_binaries_method": "archive",
            "redis_binaries_source": server.url(archive.path),
            "redis_binaries_checksum": f"sha256:{archive.checksum}",
        }
        assert "0" not in changed(hosts.place(**given))
        assert len(server.requests) == 1
        assert changed(hosts.place(**given)) == {"0"}
        assert len(server.requests) == 1
    assert hosts.versions() == {VERSION}


def test_a_folder_of_the_controller_and_what_is_there_already(hosts: Hosts) -> None:
    given = {"redis_binaries_method": "folder", "redis_binaries_source": str(SERVERS / VERSION)}
    assert changed(hosts.place(**given)) == {"1"}
    assert changed(hosts.place(**given)) == {"0"}
    assert changed(hosts.place(redis_binaries_method="present")) == {"0"}
    other = hosts.place(redis_binaries_method="present", redis_binaries_version="6.2.9")
    assert "is version 6.2.14, announced was 6.2.9" in other.stdout
    assert other.returncode != 0
    assert hosts.versions() == {VERSION}


def test_the_source_is_built_once_for_three_hosts(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> None:
    environment, calls = counting_make(hosts.folder / "path")
    environment["TMPDIR"] = str(tmp_path_factory.mktemp("workshop"))
    first = hosts.place(environment=environment, **BUILT_SIMPLY)
    assert "0" not in changed(first)
    assert hosts.versions() == {SOURCE_VERSION}

    made = [line for line in calls.read_text(encoding="utf-8").splitlines() if line.startswith("-j")]
    print(f"make was called {len(made)} time(s) for {len(HOSTS)} hosts: {made}")
    assert made == ["-j2 MALLOC=libc BUILD_TLS=no USE_SYSTEMD=no USE_REDIS_SYMLINKS=no OPTIMIZATION=-O0"]
    assert list(Path(environment["TMPDIR"]).iterdir()) == [], "the folder of the build was not removed"
    archive, checksum = sorted((hosts.folder / "cache" / "builds").iterdir(), reverse=True)
    subprocess.run(["sha256sum", "--check", "--status", checksum.name], cwd=checksum.parent, check=True)
    assert archive.name.startswith(f"{SOURCE_VERSION}-")
    placed = {path.name for path in hosts.folders()[0].iterdir()}
    assert {f"redis-{name}" for name in ("server", "sentinel", "cli", "check-rdb", "check-aof")} <= placed

    calls.write_text("")
    assert changed(hosts.place(environment=environment, **BUILT_SIMPLY)) == {"0"}
    shutil.rmtree(hosts.folders()[1])
    assert changed(hosts.place(environment=environment, **BUILT_SIMPLY)) != {"0"}
    assert hosts.versions() == {SOURCE_VERSION}
    assert calls.read_text(encoding="utf-8") == "", "what is in the cache was built again"


def test_missing_headers_are_named_before_the_build(hosts: Hosts) -> None:
    given = {**BUILT_SIMPLY, "redis_binaries_build_tls": True, "redis_binaries_build_systemd": True}
    done = hosts.place(environment=bare_compiler(hosts.folder / "path"), **given)
    assert done.returncode != 0
    assert "TASK [sentinelops.redis.redis_binaries : Build]" not in done.stdout
    said = " ".join(done.stdout.split())
    assert "missing there: openssl/ssl.h (package libssl-dev or openssl-devel" in said
    assert "systemd/sd-daemon.h (package libsystemd-dev or systemd-devel; not needed with redis_binaries_build_systemd=false)" in said
    assert "no server was touched" in said


def test_a_failed_build_says_where_its_log_is(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = {**counting_make(hosts.folder / "path")[0], "TMPDIR": str(tmp_path_factory.mktemp("workshop"))}
    done = hosts.place(environment=environment, **{**BUILT_SIMPLY, "redis_binaries_build_arguments": ["CC=false"]})
    assert done.returncode != 0
    (log,) = (hosts.folder / "cache" / "builds").iterdir()
    assert "Error 1" in log.read_text(encoding="utf-8")
    assert f"The log is {log} on the controller" in " ".join(done.stdout.split())
    assert list(Path(environment["TMPDIR"]).iterdir()) == [], "the folder of the build was not removed"
    assert not any((hosts.folder / host).exists() for host in HOSTS)


def test_the_source_of_another_version_is_not_built(hosts: Hosts) -> None:
    done = hosts.place(**{**BUILT_SIMPLY, "redis_binaries_version": "6.0.17"})
    assert done.returncode != 0
    assert "is not the source of version 6.0.17" in " ".join(done.stdout.split())
    assert "TASK [sentinelops.redis.redis_binaries : Build]" not in done.stdout


def test_a_build_host_of_another_architecture_is_refused(tmp_path: Path) -> None:
    """On host-1, `uname -m` names another processor; the build host is this machine."""
    (tmp_path / "path").mkdir()
    programs = {"uname": "echo aarch64", "python": f'PATH={tmp_path}/path:$PATH exec {sys.executable} "$@"'}
    for name, line in programs.items():
        (tmp_path / "path" / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (tmp_path / "path" / name).chmod(0o755)
    done = Hosts(tmp_path, ansible_python_interpreter=str(tmp_path / "path" / "python")).place(**BUILT_SIMPLY)
    assert done.returncode != 0
    assert re.search(r"it is \w+, and host-1 is aarch64. Nothing was placed", " ".join(done.stdout.split()))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be deceived by the links of another user")
@pytest.mark.parametrize("method", ["archive", "folder"])
@pytest.mark.parametrize("link", ["redis.new", "redis.new.partial", "redis.new/redis-server", ""])
def test_no_link_of_another_user_is_followed(hosts: Hosts, method: str, link: str) -> None:
    roots, nobody = hosts.folder / "of root", 65534
    roots.mkdir(mode=0o700)
    (roots / "file").write_text("secret", encoding="utf-8")
    for path in hosts.folders():
        path.parent.mkdir()
        os.chown(path.parent, nobody, nobody)
        if link:
            place = path.parent / link
            if place.parent == path:
                path.mkdir()
                os.chown(path, nobody, nobody)
            place.symlink_to(roots / "file" if place.parent == path else roots)
            os.lchown(place, nobody, nobody)
    archive = pack(SERVERS / VERSION, hosts.folder / "built")
    of_archive = {"redis_binaries_source": str(archive.path), "redis_binaries_checksum": archive.checksum}
    given = of_archive if method == "archive" else {"redis_binaries_source": str(SERVERS / VERSION)}
    done = hosts.place(redis_binaries_method=method, **given)
    assert [(path.name, path.read_text(encoding="utf-8"), path.stat().st_uid) for path in roots.iterdir()] == [("file", "secret", 0)]
    assert roots.stat().st_uid == 0
    assert link or done.returncode == 0, done.stdout
    placed = [path for folder in hosts.folders() if not folder.is_symlink() for path in folder.rglob("*") if not path.is_symlink()]
    assert {path.stat().st_uid for path in placed} <= {nobody}
    assert done.returncode or len(placed) >= 3 * 2
