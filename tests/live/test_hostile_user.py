"""Root's file work in folders of a user who swaps files for links while it lasts.

Nothing of root's changes or becomes readable, and no program of that user runs as root.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._atomic_write import FileIdentity, write_atomically
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed, SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.undo_file import UndoFile
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process import Owner, binary_version
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import Folders, copy_version, put_in_place, version_in
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._install.programs import Programs
from ansible_collections.sentinelops.redis.plugins.module_utils._install.symlink import Symlink
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_backup import (
    back_up_configuration,
    restore_configuration,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_trial import Surroundings, Trial, try_config
from ansible_collections.sentinelops.redis.plugins.module_utils._owner import author_of
from ansible_collections.sentinelops.redis.plugins.module_utils._records.journal import close_journal, read_journal, write_journal
from ansible_collections.sentinelops.redis.plugins.module_utils._records.run_lock import RunLock
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.commands import Server
from ansible_collections.sentinelops.redis.plugins.module_utils._server.config_file import read_text
from ansible_collections.sentinelops.redis.plugins.module_utils._server.connection import connect
from ansible_collections.sentinelops.redis.plugins.module_utils._server.data_files import set_aside, set_configured_master
from ansible_collections.sentinelops.redis.plugins.module_utils._server.login import Login
from ansible_collections.sentinelops.redis.plugins.module_utils._survey.survey import SurveyRequest, survey
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock, until
from deployment import SERVERS
from hostile import SECRET, UID, Attacker, World

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be deceived: the tests of a hostile user need root")

SECONDS = float(os.environ.get("HOSTILE_SECONDS", "2"))
THEIRS = FileIdentity(UID, UID, 0o640)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.remove()


@dataclasses.dataclass(frozen=True)
class Work:
    """One piece of root's work: ``prepare`` lays out the folder, ``act`` is done meanwhile."""

    name: str
    prepare: Callable[[World], object]
    act: Callable[[World], object]
    reach: tuple[str, ...] = ()


def files(world: World, folder: str = "redis") -> InstanceFiles:
    return InstanceFiles(str(world.home / folder / "redis-server"), str(world.home / folder / "redis.conf"), False, "")


def version_with_config(world: World, name: str = "redis", version: str = "6.2.14") -> None:
    world.version(name, version)
    world.file(f"{name}/redis.conf", f"port 1\naclfile {world.home}/{name}/users.acl\ninclude {world.home}/{name}/more.conf\n")
    world.file(f"{name}/users.acl", "user default on nopass\n")
    world.file(f"{name}/more.conf", "maxclients 100\n")


def staged(world: World, name: str, uid: int) -> None:
    if not (world.home / name).is_dir():
        world.version(name, "7.0.15", uid, runs=SERVERS / "7.0.15" / "redis-server")


def two_folders(world: World) -> None:
    world.clear()
    version_with_config(world)
    staged(world, "redis.new", 0)


def releases(world: World) -> None:
    world.clear()
    world.version("releases", "0")  # a folder of theirs
    version_with_config(world, "releases/6.2.14")
    staged(world, "releases/7.0.15", 0)
    os.symlink("releases/6.2.14", world.home / "current")
    os.lchown(world.home / "current", UID, UID)


def journal(world: World) -> str:
    path = str(world.path / "journals" / "redis-1.json")
    write_journal(path, {"schema": 1, "version": "6.2.14", "config_file": str(world.home / "redis" / "redis.conf")})
    return path


def close(world: World) -> None:
    closing = {"version": "6.2.14", "config_file": str(world.home / "redis" / "redis.conf"), "config_identity": dataclasses.asdict(THEIRS)}
    close_journal(journal(world), closing)


def swap_folders(world: World) -> None:
    Folders(str(world.home / "redis")).activate(files(world), THEIRS)
    Folders(str(world.home / "redis")).restore_kept()


def swap_releases(world: World) -> None:
    link = Symlink(str(world.home / "current"), str(world.home / "releases/7.0.15"), str(world.home / "releases/6.2.14"))
    link.activate(files(world, "current"), THEIRS)
    link.revert(files(world, "current"), "6.2.14")


def swap_programs(world: World) -> None:
    programs = Programs(str(world.home / "redis"), str(world.home / "redis.new"), str(world.home / "redis.old"))
    programs.keep(files(world).executable, 0, "6.2.14")
    programs.activate(files(world), THEIRS)
    programs.restore()


def place_version(world: World) -> None:
    source, unpacked = str(world.canaries), str(world.home / "redis.unpacked")
    copy_version(str(world.home / "redis"), unpacked, ["redis-cli", "redis-server"])
    put_in_place(unpacked, str(world.home / "redis.new"), source)


def try_configuration(world: World) -> None:
    server = str(world.home / "redis.new" / "redis-server")
    config = str(world.home / "redis" / "redis.conf")
    try_config(Trial(server, "", config, False), Surroundings("/", {"PATH": os.environ["PATH"]}, None), 2, Clock())


def try_configuration_as_the_server(world: World) -> None:
    server = str(SERVERS / "7.0.15" / "redis-server")
    config = str(world.home / "redis" / "redis.conf")
    surroundings = Surroundings("/", {"PATH": os.environ["PATH"]}, Owner(UID, UID, ()))
    try_config(Trial(server, "", config, False), surroundings, 2, Clock())


def conf_files(world: World) -> None:
    world.clear()
    (world.home / "redis").mkdir()
    os.chown(world.home / "redis", UID, UID)
    world.file("redis/redis.conf", "port 1\n")
    world.file("redis/dump.rdb", "REDIS0011")


TRIALS = ("/tmp/redis-trial-*/*",)
WORK = [
    Work("the end of a run gives the configuration its owner again", conf_files, close),
    Work(
        "after a rewrite the configuration gets its owner again",
        conf_files,
        lambda world: THEIRS.apply_to(str(world.home / "redis" / "redis.conf")),
    ),
    Work("the backup of a configuration", conf_files, lambda world: back_up_configuration(str(world.home / "redis" / "redis.conf"))),
    Work(
        "the backup is restored",
        conf_files,
        lambda world: (
            back_up_configuration(str(world.home / "redis" / "redis.conf")),
            restore_configuration(str(world.home / "redis" / "redis.conf")),
        ),
    ),
    Work(
        "a master is written into a configuration",
        conf_files,
        lambda world: set_configured_master(str(world.home / "redis" / "redis.conf"), f"10.0.0.{time.monotonic_ns() % 250} 1"),
    ),
    Work("data is set aside", conf_files, lambda world: set_aside([str(world.home / "redis" / "dump.rdb")])),
    Work("a configuration is read", conf_files, lambda world: read_text(str(world.home / "redis" / "redis.conf"))),
    Work("version folders are swapped", two_folders, swap_folders),
    Work("a link is pointed to another release", releases, swap_releases),
    Work("programs are replaced one by one", two_folders, swap_programs),
    Work("a version is put in place", two_folders, place_version),
    Work("a server's version is read", two_folders, lambda world: version_in(str(world.home / "redis"))),
    Work("a configuration is tried", two_folders, try_configuration, TRIALS),
    Work("a configuration is tried as its server", two_folders, try_configuration_as_the_server, TRIALS),
]


def _work_once(world: World, work: Work) -> tuple[int, str]:
    """Return 1 if the work was done without an error, and what it read."""
    with contextlib.suppress(OSError, SentinelOpsError):
        return 1, str(work.act(world))
    return 0, ""


@pytest.mark.extended
@pytest.mark.parametrize("work", WORK, ids=lambda work: work.name)
def test_a_hostile_user_gains_nothing(world: World, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    end, rounds, done = time.monotonic() + SECONDS, 0, 0
    with Attacker(world, work.reach) as attacker:
        while time.monotonic() < end:
            if rounds % 20 == 0:
                with attacker.held():
                    work.prepare(world)
            rounds += 1
            was_done, read = _work_once(world, work)
            done += was_done
            assert SECRET not in read
    print(f"{work.name}: {rounds} rounds, {done} without an error")
    assert world.state() == world.before
    assert attacker.loot() == []
    assert world.ran_as() - {str(UID), "65534"} == set()
    assert rounds > 5


@pytest.mark.extended
@pytest.mark.parametrize("work", [work for work in WORK if work.act != try_configuration_as_the_server], ids=lambda work: work.name)
def test_the_same_work_without_protection_is_deceived(world: World, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: root that takes itself for a common user does harm soon."""
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    end, rounds, harmed = time.monotonic() + 30, 0, False
    with Attacker(world, work.reach) as attacker:
        while not harmed and time.monotonic() < end:
            if rounds % 20 == 0:
                with attacker.held():
                    work.prepare(world)
            rounds += 1
            with monkeypatch.context() as unprotected:
                unprotected.setattr(os, "geteuid", lambda: UID)
                unprotected.setattr(os, "getuid", lambda: UID)
                _done, read = _work_once(world, work)
            harmed = SECRET in read or world.state() != world.before or "0" in world.ran_as()
    print(f"{work.name}: harm after {rounds} rounds")
    assert harmed or attacker.loot()


def _program(world: World, folder_owner: tuple[int, int, int], file_owner: tuple[int, int, int]) -> str:
    """Make a program with owner, group and mode of its folder and of itself."""
    folder = world.path / "place"
    folder.mkdir()
    program = folder / "redis-server"
    program.write_bytes((world.canaries / "tool").read_bytes())
    for path, (uid, gid, mode) in ((program, file_owner), (folder, folder_owner)):
        os.chown(path, uid, gid)
        path.chmod(mode)
    return str(program)


ROOTS, MINE = (0, 0, 0o755), (UID, UID, 0o755)


@pytest.mark.parametrize(
    ("folder", "file", "runs_as"),
    [
        pytest.param(ROOTS, ROOTS, "0", id="root's program in root's folder"),
        pytest.param(ROOTS, MINE, str(UID), id="another user's program in root's folder"),
        pytest.param(MINE, ROOTS, str(UID), id="root's program in another user's folder"),
        pytest.param((UID, 0, 0o700), ROOTS, str(UID), id="a folder that only another user may enter"),
        pytest.param((0, UID, 0o775), ROOTS, "65534", id="a folder that a group may write"),
        pytest.param((0, 0, 0o777), ROOTS, "65534", id="a folder that everybody may write"),
        pytest.param((0, 0, 0o1777), MINE, str(UID), id="another user's program in a folder like /tmp"),
        pytest.param((0, 0, 0o1777), ROOTS, "0", id="root's program in a folder like /tmp"),
        pytest.param(ROOTS, (0, UID, 0o775), "65534", id="a program that a group may write"),
        pytest.param((0, 0, 0o775), ROOTS, "0", id="a folder that root's group may write"),
    ],
)
def test_a_program_runs_as_who_could_replace_it(
    world: World, folder: tuple[int, int, int], file: tuple[int, int, int], runs_as: str
) -> None:
    assert binary_version(_program(world, folder, file)) == "6.6.6"
    assert world.ran_as() == {runs_as}


def test_a_program_below_a_parent_of_another_user(world: World) -> None:
    world.version("redis", "7.0.15", uid=0)
    assert (version_in(str(world.home / "redis")), world.ran_as()) == ("7.0.15", {str(UID)})


def test_a_program_behind_another_user_s_link(world: World) -> None:
    (world.home / "redis").mkdir()
    os.symlink(world.canaries / "tool", world.home / "redis" / "redis-server")
    assert (version_in(str(world.home / "redis")), world.ran_as()) == ("6.6.6", {str(UID)})


@pytest.mark.parametrize(
    ("path", "uid"),
    [
        ("home/none", UID),
        ("home/none/redis-server", UID),
        ("home/redis/none", UID),
        ("home/link", UID),
        ("none", None),
        ("canaries/folder/none/redis-server", None),
        ("/tmp/none", 65534),
    ],
)
def test_a_missing_file_is_of_who_could_put_one_there(world: World, path: str, uid: int | None) -> None:
    """It may be missing for a moment only."""
    world.version("redis", "7.0.15", uid=0)
    os.symlink(world.canaries / "none", world.home / "link")
    os.lchown(world.home / "link", UID, UID)
    user = author_of(str(world.path / path))
    assert (user.uid if user else None) == uid


def test_root_is_root_again_after_an_error(world: World) -> None:
    groups = os.getgroups()
    with pytest.raises(FileNotFoundError, match=str(world.home / "none")):
        read_text(str(world.home / "none"))
    os.symlink(world.canaries / "shadow", world.home / "redis.conf")
    os.lchown(world.home / "redis.conf", UID, UID)
    with pytest.raises(PermissionError, match=str(world.home / "redis.conf")):
        read_text(str(world.home / "redis.conf"))
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, 0, groups)


def test_what_is_the_user_s_stays_the_user_s(world: World) -> None:
    conf_files(world)
    path = world.home / "redis" / "redis.conf"
    back_up_configuration(str(path))
    set_configured_master(str(path), "10.0.0.1 6379")
    assert FileIdentity.of(str(path)) == THEIRS == FileIdentity.of(str(path) + ".before-upgrade")
    os.chown(path, UID, 42)  # a group that its owner is not in
    assert THEIRS.apply_to(str(path))
    assert not THEIRS.apply_to(str(path))
    set_configured_master(str(path), "10.0.0.2 6379")
    assert (FileIdentity.of(str(path)), "10.0.0.2" in path.read_text()) == (THEIRS, True)


@pytest.mark.parametrize(
    "identity",
    [None, THEIRS, FileIdentity(0, 0, 0o600), FileIdentity(0, 42, 0o640), FileIdentity(12345, 12345, 0o600)],
    ids=lambda identity: f"owner {identity and identity.uid}, group {identity and identity.gid}",
)
@pytest.mark.parametrize("depth", ["", "folder"])
def test_a_link_of_another_user_leads_to_root_s_folder(world: World, identity: FileIdentity | None, depth: str) -> None:
    """Also for a file whose owner was read through that link, and is root."""
    os.symlink(world.canaries / depth, world.home / "redis")
    os.lchown(world.home / "redis", UID, UID)
    with pytest.raises(PermissionError, match=str(world.home / "redis")):
        write_atomically(str(world.home / "redis" / "redis.conf"), "port 2\n", identity)
    assert world.state() == world.before


@pytest.mark.parametrize("owner", [(UID, UID), (0, UID)], ids=["a file of that user's", "a file of root's"])
def test_a_link_of_another_user_leads_to_a_folder_of_that_user(world: World, owner: tuple[int, int]) -> None:
    conf_files(world)
    os.rename(world.home / "redis", world.home / "real")
    os.symlink("real", world.home / "redis")
    os.lchown(world.home / "redis", UID, UID)
    os.chown(world.home / "real" / "redis.conf", *owner)
    set_configured_master(str(world.home / "redis" / "redis.conf"), "10.0.0.1 6379")
    written = world.home / "real" / "redis.conf"
    assert ("10.0.0.1" in written.read_text(), FileIdentity.of(str(written))) == (True, FileIdentity(*owner, 0o640))


@pytest.mark.parametrize("swap", [swap_folders, swap_programs], ids=lambda swap: swap.__name__)
def test_an_activation_in_another_user_s_folder_goes_on_working(world: World, swap: Callable[[World], None]) -> None:
    two_folders(world)
    for _time in range(2):
        swap(world)
        assert (version_in(str(world.home / "redis")), version_in(str(world.home / "redis.new"))) == ("6.2.14", "7.0.15")
    Folders(str(world.home / "redis")).activate(files(world), THEIRS)
    assert version_in(str(world.home / "redis")) == "7.0.15"
    owners = {path.lstat().st_uid for path in [world.home / "redis", *(world.home / "redis").iterdir()]}
    assert owners == {UID}
    assert world.ran_as() == {str(UID)}


def test_a_link_of_another_user_goes_on_working(world: World) -> None:
    releases(world)
    swap_releases(world)
    link = Symlink(str(world.home / "current"), str(world.home / "releases/7.0.15"), str(world.home / "releases/6.2.14"))
    link.activate(files(world, "current"), THEIRS)
    assert (os.readlink(world.home / "current"), version_in(str(world.home / "current"))) == ("releases/7.0.15", "7.0.15")
    assert FileIdentity.of(str(world.home / "current" / "redis.conf")) == THEIRS
    assert (world.home / "current").lstat().st_uid == UID


def test_another_user_points_the_link_to_root_s_folder(world: World) -> None:
    """Nothing of root's is copied into the next release, however the release in use is found."""
    releases(world)
    (world.home / "current").unlink()
    os.symlink(world.canaries / "folder", world.home / "current")
    os.lchown(world.home / "current", UID, UID)
    link = Symlink(str(world.home / "current"), str(world.home / "releases/7.0.15"), str(world.home / "releases/6.2.14"))
    with pytest.raises(PermissionError):
        link.activate(files(world, "current"), THEIRS)
    assert not (world.home / "releases/7.0.15/redis.conf").exists()
    assert world.state() == world.before


def test_a_configuration_of_another_user_names_data_of_root_s(world: World) -> None:
    conf_files(world)
    with pytest.raises(PermissionError):
        set_aside([str(world.canaries / "shadow")], str(world.home / "redis" / "redis.conf"))
    assert world.state() == world.before
    assert set_aside([str(world.home / "redis" / "dump.rdb")], str(world.home / "redis" / "redis.conf")) == [
        str(world.home / "redis" / "dump.rdb.set-aside")
    ]


def test_the_survey_as_root_runs_no_program_as_root(world: World, next_port: Callable[[], int]) -> None:
    """Survey a server that was started from a folder of its user, with versions beside it."""
    port = next_port()
    version_with_config(world)
    for name in ("redis.new", "redis.old"):
        world.version(name, "7.0.15")
    world.file("redis/redis.conf", f"port {port}\ndir {world.home}/redis\nlogfile log\n")
    running = world.home / "redis" / "real" / "redis-server"  # the survey finds it by the process
    running.parent.mkdir()
    shutil.copy2(SERVERS / "7.0.15" / "redis-server", running)
    for path in (running.parent, running):
        os.chown(path, UID, UID)
    command = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", str(running), str(world.home / "redis" / "redis.conf")]
    process = subprocess.Popen(command, cwd=world.home)
    try:
        server = connect(Address("127.0.0.1", port), Login())
        until(lambda: _answers(server), bool, deadline_s=10, interval_s=0.1, clock=Clock(), says=str)
        running.unlink()
        world.version("redis/real", "7.0.15")
        for folder in (str(world.home / "redis"), str(world.home / "redis" / "real")):
            request = SurveyRequest(manager="process", folder=folder, activation="folder", version="7.0.15", rollback=True)
            record = survey(server, "redis", None, request)
            assert (record["answers"], record["installed_version"]) == (True, "7.0.15" if folder.endswith("real") else "6.2.14")
        assert record["config_identity"] == {"uid": UID, "gid": UID, "mode": 0o640}
    finally:
        process.kill()
        process.wait()
    assert world.ran_as() == {str(UID)}


def _answers(server: Server) -> bool:
    with contextlib.suppress(SentinelOpsError):
        return server.command("PING") == "PONG"
    return False


# -- journals and locks


@pytest.mark.parametrize(
    ("owner", "mode"),
    [
        pytest.param((UID, UID), 0o700, id="another user's folder"),
        pytest.param((0, UID), 0o770, id="a folder that a group may write"),
        pytest.param((0, 0), 0o777, id="a folder that everybody may write"),
        pytest.param((0, 0), 0o1777, id="a folder like /tmp"),
    ],
)
@pytest.mark.parametrize("depth", ["", "parent/"])
def test_journals_and_locks_of_others_are_refused(world: World, owner: tuple[int, int], mode: int, depth: str) -> None:
    folder = world.path / f"open/{depth}"
    folder.mkdir(parents=True)
    path = str(folder / "redis-1.json")
    write_journal(path, {"schema": 1})
    os.chown(world.path / "open", *owner)
    (world.path / "open").chmod(mode)
    run = {"id": "1", "user": "a", "controller": "b", "pid": 1}
    if depth and mode == 0o1777:
        write_journal(path, {"schema": 1})  # our own folder in one like /tmp
        return
    for act in (
        lambda: read_journal(path),
        lambda: write_journal(path, {"schema": 1}),
        lambda: RunLock(path).take(run, 300),
        lambda: UndoFile(str(folder), "mymaster").take(run),
    ):
        with pytest.raises(PreconditionFailed, match=r"could replace the files in .*chmod 700"):
            act()
    os.chown(world.path / "open", 0, 0)
    (world.path / "open").chmod(0o700)
    assert read_journal(path) == {"schema": 1}
