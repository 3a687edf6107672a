"""Dnf and rpm, replayed with the answers of dnf 4.14 and rpm 4.18."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Host, Ran
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_dnf import Dnf

OLD, NEW = "0:8.0.2-1", "0:8.0.6-1"
INSTALLED = (
    "system\tsystem-12-1.src.rpm\t0:12-1\nredis\tredis-{version}.src.rpm\t0:{version}\nredis-doc\tredis-{version}.src.rpm\t0:{version}\n"
)


class RpmHost(Host):
    """A host with packages of rpm in one version. ``answers``: by the beginning of a command."""

    def __init__(self) -> None:
        self.version, self.answers, self.commands = "8.0.2-1", {}, []  # type: ignore[var-annotated]

    def run(self, words: Sequence[str], timeout_s: float) -> Ran:
        command = " ".join(words)
        self.commands.append(command)
        for beginning, answer in self.answers.items():
            if command.startswith(beginning):
                return answer if isinstance(answer, Ran) else Ran(0, answer)
        if command.startswith("rpm --query --all"):
            return Ran(0, INSTALLED.format(version=self.version))
        return Ran(0, "")


@pytest.fixture
def host() -> RpmHost:
    return RpmHost()


def test_the_owner_of_a_file(host: RpmHost) -> None:
    host.answers["rpm --query --file"] = "redis\n"
    assert Dnf(host).owner("/usr/bin/redis-server") == "redis"
    host.answers["rpm --query --file"] = Ran(1, "file /bin/ls is not owned by any package\n")
    assert Dnf(host).owner("/bin/ls") == ""
    host.answers["rpm --query --file"] = Ran(127, "", "No such file or directory: 'rpm'")
    assert Dnf(host).owner("/bin/ls") == ""


def test_packages_of_one_source_go_together(host: RpmHost) -> None:
    assert Dnf(host).siblings("redis") == {"redis": OLD, "redis-doc": OLD}
    assert Dnf(host).siblings("valkey") == {}


@pytest.mark.parametrize(
    ("output", "complete"),
    [("redis\n", True), ("redis\nredis\n", False), ("package redis is not installed\n", False)],
)
def test_a_killed_transaction_leaves_two_versions(host: RpmHost, output: str, complete: bool) -> None:
    host.answers["rpm --query --queryformat"] = Ran(0 if "not" not in output else 1, output)
    assert Dnf(host).complete(["redis"]) is complete
    assert Dnf(host).complete([])


def test_versions_in_the_order_of_preference(host: RpmHost) -> None:
    host.answers["dnf --quiet repoquery"] = "redis\t0:8.0.2-1\n\nredis\t0:8.0.6-1\n\nother\t0:1-1\n"
    assert Dnf(host).available(["redis", "redis-doc"]) == {"redis": [NEW, OLD], "redis-doc": []}


@pytest.mark.parametrize(
    ("answer", "held"),
    [
        (Ran(1, "", "No such command: versionlock."), []),
        (Ran(0, "redis-0:8.0.2-1.*\n"), ["redis"]),
        (Ran(0, "redis-doc-0:8.0.2-1.*\n"), ["redis-doc"]),
        (Ran(0, "Package name: redis\nevr = 8.0.2-1\n"), ["redis"]),  # dnf 5
        (Ran(0, ""), []),
    ],
)
def test_held_packages(host: RpmHost, answer: Ran, held: list[str]) -> None:
    host.answers["dnf --quiet versionlock list"] = answer
    assert Dnf(host).held(["redis", "redis-doc"]) == held


def test_files_that_nobody_has_edited(host: RpmHost) -> None:
    host.answers["rpm --query --configfiles"] = "/etc/redis/redis.conf\n/etc/redis/sentinel.conf\n/etc/redis/gone.conf\n"
    host.answers["rpm --verify"] = Ran(1, "SM5...GT.  c /etc/redis/sentinel.conf\nmissing     c /etc/redis/gone.conf\n.....UG..  /x\n")
    assert Dnf(host).unedited_files(["redis"]) == ["/etc/redis/redis.conf"]


def test_a_locked_database(host: RpmHost, tmp_path: Path) -> None:
    lock = tmp_path / ".rpm.lock"
    lock.touch()
    host.answers["rpm --eval"] = f"{tmp_path}\n"
    code = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, {}); print(flush=True); sys.stdin.read()"
    for kind, locked in (("fcntl.LOCK_EX", True), ("fcntl.LOCK_SH", False)):
        with subprocess.Popen([sys.executable, "-c", code.format(kind), str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            assert bool(Dnf(host).problem([])[0]) is locked
            other.communicate()
    assert Dnf(host).problem([]) == ("", "")


def test_downloads(host: RpmHost, tmp_path: Path) -> None:
    (tmp_path / "redis-8.0.6-1.x86_64.rpm").touch()
    (tmp_path / "redis-doc-8.0.6-1.noarch.rpm").touch()
    found = Dnf(host).archives({"redis": NEW, "redis-doc": NEW, "redis-devel": NEW}, str(tmp_path))
    assert {name: Path(path).name for name, path in found.items()} == {
        "redis": "redis-8.0.6-1.x86_64.rpm",
        "redis-doc": "redis-doc-8.0.6-1.noarch.rpm",
    }
    Dnf(host).download({"redis": NEW}, str(tmp_path))
    Dnf(host).download({"redis": OLD}, str(tmp_path), alone=True)
    assert f" install --downloadonly --downloaddir={tmp_path} redis-{NEW}" in host.commands[-2]
    assert f" reinstall --downloadonly --downloaddir={tmp_path} redis-{OLD}" in host.commands[-1]
    host.answers["dnf"] = Ran(1, "", "Error: Unable to find a match: redis-0:8.0.7-1")
    with pytest.raises(OperationFailed, match="Unable to find a match"):
        Dnf(host).download({"redis": "0:8.0.7-1"}, str(tmp_path))


@pytest.mark.parametrize(("downgrade", "held"), [(False, False), (True, True)])
def test_downloaded_files_are_installed_without_repositories(host: RpmHost, tmp_path: Path, downgrade: bool, held: bool) -> None:
    wanted = {"redis": NEW, "redis-doc": NEW}
    for name in ("redis-8.0.6-1.x86_64", "redis-doc-8.0.6-1.noarch", "dependency-1-1.noarch", "system-12-1.noarch"):
        (tmp_path / f"{name}.rpm").touch()
    host.answers["rpm --query --package --queryformat %{NAME} " + str(tmp_path / "dependency")] = "dependency"
    host.answers["rpm --query --package --queryformat %{NAME} " + str(tmp_path / "system")] = "system"

    class Installing(Host):
        def run(self, words: Sequence[str], timeout_s: float) -> Ran:
            if "dnf" in words:
                host.version = "8.0.6-1"
            return host.run(words, timeout_s)

    Dnf(Installing()).install(wanted, str(tmp_path), ["unshare"], downgrade, held)
    command = next(command for command in host.commands if " dnf " in command)
    files = f"{tmp_path}/redis-8.0.6-1.x86_64.rpm {tmp_path}/redis-doc-8.0.6-1.noarch.rpm {tmp_path}/dependency-1-1.noarch.rpm"
    assert command.startswith("unshare env dnf ")
    assert "--disablerepo=*" in command
    assert command.endswith(f" {'downgrade' if downgrade else 'install'} {files}")
    assert ("--disableplugin=versionlock" in command) is held


@pytest.mark.parametrize(("listed", "erased"), [([NEW, OLD], ["redis-8.0.2-1"]), ([OLD, NEW], ["redis-8.0.2-1"]), ([NEW], []), ([OLD], [])])
def test_what_a_killed_transaction_has_left_is_erased(host: RpmHost, tmp_path: Path, listed: list[str], erased: list[str]) -> None:
    host.version = "8.0.6-1"
    host.answers["rpm --query --queryformat %{NAME}\\t"] = "".join(f"redis\t{version}\n" for version in listed)
    host.answers["rpm --query --queryformat %{NAME}\\n"] = "redis\n" * len(listed)
    Dnf(host).install({"redis": NEW, "redis-doc": NEW}, str(tmp_path), [], False, False)
    commands = [command.split() for command in host.commands if "--erase" in command]
    assert [command[4:] for command in commands] == ([erased] if erased else [])


def test_an_installation_that_changes_nothing_is_an_error(host: RpmHost, tmp_path: Path) -> None:
    with pytest.raises(OperationFailed, match=r"dnf has installed .*8\.0\.2-1.*, wanted were .*8\.0\.6-1"):
        Dnf(host).install({"redis": NEW}, str(tmp_path), [], False, False)


def test_packages_are_unpacked_without_their_scripts(host: RpmHost, tmp_path: Path) -> None:
    (tmp_path / "usr-bin").write_text("server")
    archive, target = tmp_path / "redis.rpm", tmp_path / "target"
    archive.touch()
    target.mkdir()

    class Archiving(Host):
        def run(self, words: Sequence[str], timeout_s: float) -> Ran:
            assert words[0] == "rpm2archive"
            with tarfile.open(words[1] + ".tgz", "w:gz") as file:
                file.add(tmp_path / "usr-bin", "./usr/bin/redis-server")
            return Ran(0, "")

    Dnf(Archiving()).unpack(str(archive), str(target))
    assert (target / "usr" / "bin" / "redis-server").read_text() == "server"
    assert [path.name for path in target.iterdir()] == ["usr"]


def test_packages_are_held_in_the_installed_version(host: RpmHost) -> None:
    Dnf(host).hold({"redis": NEW})
    assert host.commands == ["dnf --quiet versionlock delete redis", "dnf --quiet versionlock add redis"]
