"""Apt and dpkg, replayed with the answers of Debian 12."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Ran
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_apt import Apt
from ansible_collections.sentinelops.redis.tests.unit.support.packages import PACKAGES, DebianHost

OLD, NEW = "5:8.0.2-1", "5:8.0.6-1"


@pytest.fixture
def host(tmp_path: Path) -> DebianHost:
    return DebianHost(tmp_path)


def test_the_owner_of_a_file(host: DebianHost) -> None:
    apt = Apt(host)
    assert apt.owner(str(host.bin / "redis-sentinel")) == "redis-sentinel"
    assert apt.owner("/opt/redis/redis-server") == ""


@pytest.mark.parametrize(
    ("path", "output", "owner"),
    [
        ("/usr/lib/systemd/x", "dpkg: /lib/systemd/x", "dpkg"),  # the name before the merge of /usr
        ("/usr/bin/x", "a:amd64, a:i386: /usr/bin/x", "a"),
        ("/usr/bin/x", "diversion by b from: /usr/bin/x\nb: /usr/bin/x.real", ""),
        ("/usr/bin/x", "c: /usr/bin/x.y", ""),
    ],
)
def test_other_answers_to_a_search(tmp_path: Path, path: str, output: str, owner: str) -> None:
    class Searched(DebianHost):
        def run(self, words: Sequence[str], timeout_s: float) -> Ran:
            return Ran(0, output + "\n")

    assert Apt(Searched(tmp_path)).owner(path) == owner


def test_packages_of_one_source_go_together(host: DebianHost) -> None:
    assert Apt(host).siblings("redis-server") == dict.fromkeys(PACKAGES, OLD)
    assert Apt(host).siblings("valkey-tools") == {}, "only its configuration is left"
    assert Apt(host).siblings("nothing") == {}


def test_versions_in_the_order_of_preference(host: DebianHost) -> None:
    host.missing = {"redis-tools"}
    versions = [NEW, OLD, "5:7.0.15-1~deb12u10", "5:7.0.15-1~deb12u7"]
    assert Apt(host).available(["redis-server", "redis-tools"]) == {"redis-server": versions, "redis-tools": []}


@pytest.mark.parametrize("state", ["half-configured", "unpacked", "half-installed", "triggers-pending"])
def test_an_incomplete_installation_is_a_problem_of_others_only(host: DebianHost, tmp_path: Path, state: str) -> None:
    host.state = state
    apt = Apt(host, str(tmp_path))
    assert not apt.complete(PACKAGES)
    assert f"redis-server ({state})" in apt.problem([])[0]
    assert "dpkg --configure -a" in apt.problem([])[1]
    assert apt.problem(PACKAGES) == ("", ""), "these are completed"


def test_a_locked_database(host: DebianHost, tmp_path: Path) -> None:
    lock = tmp_path / "lock-frontend"
    lock.touch()
    apt = Apt(host, str(tmp_path))
    assert apt.problem([]) == ("", "")
    code = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert "locked the database of dpkg" in apt.problem([])[0]
        other.communicate()
    assert apt.problem([]) == ("", "")
    with lock.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # asking has not taken it


def test_held_packages(host: DebianHost) -> None:
    assert Apt(host).held(PACKAGES) == []
    host.want = "hold"
    assert Apt(host).held(["redis-server", "nothing"]) == ["redis-server"]


def test_a_download_and_the_installation_of_its_files(host: DebianHost, tmp_path: Path) -> None:
    apt, folder, wanted = Apt(host), str(tmp_path / "cache"), dict.fromkeys(PACKAGES, NEW)
    assert apt.archives(wanted, folder) == {}
    apt.download(wanted, folder)
    assert {name: Path(path).name for name, path in apt.archives(wanted, folder).items()} == {
        name: f"{name}_5%3a8.0.6-1_amd64.deb" for name in PACKAGES
    }
    assert apt.siblings("redis-server") == dict.fromkeys(PACKAGES, OLD), "nothing is installed"
    apt.install(wanted, folder, [], downgrade=False, held=False)
    assert apt.siblings("redis-server") == wanted
    command = host.ran("apt-get")[-1]
    assert {"--no-remove", "--no-download", "--no-install-recommends", "Dpkg::Options::=--force-confold"} <= set(command)
    assert not {"--allow-downgrades", "--allow-change-held-packages", "update"} & set(command)
    assert command[-3:] == list(apt.archives(wanted, folder).values())
    assert host.ran("dpkg") == [], "nothing was to be completed"


def test_an_interrupted_installation_is_completed_first(host: DebianHost, tmp_path: Path) -> None:
    apt, wanted = Apt(host), dict.fromkeys(PACKAGES, NEW)
    apt.download(wanted, str(tmp_path))
    host.state = "unpacked"
    apt.install(wanted, str(tmp_path), [], downgrade=True, held=True)
    assert host.ran("dpkg")[0][-4:] == ["--install", *apt.archives(wanted, str(tmp_path)).values()]
    assert {"--allow-downgrades", "--allow-change-held-packages", "--fix-broken"} <= set(host.ran("apt-get")[-1])


def test_a_failure_names_the_command_and_its_last_words(host: DebianHost, tmp_path: Path) -> None:
    host.breaks = "apt-get"
    with pytest.raises(OperationFailed, match=r"apt-get .* ended with 100: E: it is broken"):
        Apt(host).download({"redis-server": NEW}, str(tmp_path))


def test_files_that_nobody_has_edited(tmp_path: Path) -> None:
    same, edited = tmp_path / "redis.conf", tmp_path / "sentinel.conf"
    same.write_text("port 6379\n")
    edited.write_text("port 26379\n")
    known = hashlib.md5(same.read_bytes()).hexdigest()

    class Configured(DebianHost):
        def run(self, words: Sequence[str], timeout_s: float) -> Ran:
            return Ran(0, f"\n {same} {known}\n {edited} {known}\n {tmp_path}/gone {known}\n {tmp_path}/old {known} obsolete\n")

    assert Apt(Configured(tmp_path)).unedited_files(["redis-server"]) == [str(same)]
    assert os.path.isfile(same)
