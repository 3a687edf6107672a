"""Programs that are replaced one by one. Real folders, with a script as the server."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._install import programs as module
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import version_in
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._install.programs import Programs, program_folders
from ansible_collections.sentinelops.redis.tests.unit.support.killed import kill_at
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

OLD, NEW = "7.0.7", "7.0.15"


class Base:
    """A folder of all programs, as /usr/local/bin is, with a new version staged in it."""

    def __init__(self, path: Path, product: str = "redis") -> None:
        self.bin = path / "bin"
        place(self.bin, OLD)
        (self.bin / "redis-cli").write_text("old cli")
        (self.bin / "redis-sentinel").symlink_to("redis-server")
        (self.bin / "python3").write_text("somebody else's")
        (self.bin / "redis.conf").write_text("# ours\n")
        staged, kept = program_folders(str(self.bin), "redis")
        place(Path(staged), NEW, name=f"{product}-server")
        (Path(staged) / f"{product}-cli").write_text("new cli")
        self.programs = Programs(str(self.bin), staged, kept)
        self.files = InstanceFiles(str(self.bin / "redis-server"), str(self.bin / "redis.conf"), False, "")

    def keep(self) -> bool:
        return self.programs.keep(str(self.bin / "redis-server"), os.getpid(), OLD)

    def upgrade(self) -> None:
        """Do what a (second) run does."""
        if not self.programs.staged_version() and not self.programs.activated(NEW):
            place(Path(self.programs.staged), NEW)
        self.keep()
        if not self.programs.activated(NEW):
            self.programs.require_activatable(self.files)
            self.programs.activate(self.files, None)

    def roll_back(self) -> None:
        """Do what an aborted run does."""
        self.programs.revert(self.files, OLD)

    def version(self) -> str:
        return version_in(str(self.bin))


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path)


@pytest.fixture
def neighbour(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another instance runs the program that is now at the server's path."""
    monkeypatch.setattr(module, "processes_running", lambda _paths: [4711])


@pytest.mark.parametrize(
    ("active", "staged", "kept"),
    [
        ("/opt/redis", "/opt/redis.new", "/opt/redis.old"),
        ("/usr/local/bin", "/usr/local/bin/redis.new", "/usr/local/bin/redis.old"),
        ("/opt/redis-7.0.7/src", "/opt/redis-7.0.7/src/redis.new", "/opt/redis-7.0.7/src/redis.old"),
        ("/proc", "/proc/redis.new", "/proc/redis.old"),
    ],
)
def test_the_folders_are_on_the_file_system_of_the_programs(active: str, staged: str, kept: str) -> None:
    assert program_folders(active, "redis") == (staged, kept)


def test_upgraded_and_rolled_back(base: Base) -> None:
    assert (base.keep(), base.keep()) == (True, False)
    base.upgrade()
    assert (base.version(), base.programs.kept_version()) == (NEW, OLD)
    assert (base.bin / "redis-cli").read_text() == "new cli"
    assert os.readlink(base.bin / "redis-sentinel") == "redis-server", "a link among the programs stays"
    assert (base.bin / "python3").read_text() == "somebody else's"
    assert (base.bin / "redis.conf").read_text() == "# ours\n"
    assert (base.bin / "redis.old" / "redis.conf").read_text() == "# ours\n"
    assert not (base.bin / "redis.new").exists()
    base.roll_back()
    assert (base.version(), base.programs.staged_version()) == (OLD, NEW)
    assert (base.bin / "redis-cli").read_text() == "old cli"
    assert not (base.bin / "redis.old").exists()
    assert sorted(os.listdir(base.bin)) == ["python3", "redis-cli", "redis-sentinel", "redis-server", "redis.conf", "redis.new"]


def test_the_old_file_is_not_written_to(base: Base) -> None:
    """A process that runs the old program keeps that program, which is another file."""
    with (base.bin / "redis-server").open("rb") as running:
        old = running.read()
        base.upgrade()
        running.seek(0)
        assert running.read() == old
        assert not os.path.samestat(os.fstat(running.fileno()), os.stat(base.bin / "redis-server"))


def test_another_product_gets_the_names_of_the_old_one(tmp_path: Path) -> None:
    base = Base(tmp_path, product="valkey")
    base.upgrade()
    assert os.readlink(base.bin / "redis-server") == "valkey-server"
    assert (base.bin / "redis-cli").read_text() == "new cli"
    base.roll_back()
    assert base.version() == OLD
    assert not (base.bin / "valkey-server").exists()
    assert not (base.bin / "redis-server").is_symlink()


def test_a_name_that_the_new_version_lacks(base: Base) -> None:
    (base.bin / "redis-sentinel").unlink()
    shutil.copy(base.bin / "redis-server", base.bin / "redis-sentinel")
    base.upgrade()
    told = subprocess.run([base.bin / "redis-sentinel", "--version"], capture_output=True, text=True, check=True).stdout
    assert NEW in told


def test_nothing_is_replaced_unless_the_old_version_is_kept(base: Base) -> None:
    with pytest.raises(PreconditionFailed, match="does not hold the version in use"):
        base.programs.require_activatable(base.files)


def test_kept_programs_of_an_earlier_upgrade_are_renamed(base: Base) -> None:
    place(base.bin / "redis.old", "7.0.1")
    base.keep()
    assert version_in(str(base.bin / "redis.old.7.0.1")) == "7.0.1"


# -- another version is on disk already


@pytest.fixture
def sleeper(base: Base) -> Iterator[int]:
    """Return the id of a process that runs a program of the folder, which is deleted then."""
    program = base.bin / "redis-server"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as process:
        program.unlink()
        yield process.pid
        process.kill()


def test_the_running_file_is_kept_if_the_one_on_disk_is_another(base: Base, sleeper: int, monkeypatch: pytest.MonkeyPatch) -> None:
    place(base.bin, NEW)
    told = {str(base.bin): NEW, str(base.bin / "redis.old.partial"): OLD, str(base.bin / "redis.old"): ""}
    monkeypatch.setattr(module, "version_in", lambda folder: told[str(folder)])
    assert base.programs.keep(str(base.bin / "redis-server"), sleeper, OLD)
    assert (base.bin / "redis.old" / "redis-server").read_bytes() == Path("/bin/sleep").read_bytes()
    assert os.access(base.bin / "redis.old" / "redis-server", os.X_OK)
    assert os.readlink(base.bin / "redis.old" / "redis-sentinel") == "redis-server"


def test_a_version_that_is_to_be_had_from_nowhere(base: Base) -> None:
    place(base.bin, NEW)
    with pytest.raises(
        OperationFailed, match=r"running version 7\.0\.7 cannot be kept: .* holds 7\.0\.15, and process 0 runs no file"
    ) as caught:
        base.programs.keep(str(base.bin / "redis-server"), 0, OLD)
    assert caught.value.state == "Nothing was stopped"
    assert sorted(os.listdir(base.bin)) == ["python3", "redis-cli", "redis-sentinel", "redis-server", "redis.conf", "redis.new"]


# -- one instance alone


@pytest.mark.usefixtures("neighbour")
def test_one_instance_returns_to_the_kept_version_alone(base: Base) -> None:
    base.upgrade()
    files = base.programs.revert(base.files, OLD)
    assert files.executable == str(base.bin / "redis.old" / "redis-server")
    assert base.version() == NEW, "the others keep theirs"
    assert base.programs.files_after(files) == base.files
    assert base.programs.serves_previous(files.executable, OLD)
    assert not base.programs.serves_previous(base.files.executable, OLD)


@pytest.mark.usefixtures("neighbour")
def test_a_rollback_of_all_restores_the_programs(base: Base) -> None:
    base.upgrade()
    whole = Programs(base.programs.active, base.programs.staged, base.programs.kept, whole=True)
    assert not whole.serves_previous(str(base.bin / "redis.old" / "redis-server"), OLD)
    assert whole.revert(base.files, OLD) == base.files
    assert base.version() == OLD


def test_programs_from_which_an_instance_runs_alone_stay(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.upgrade()
    monkeypatch.setattr(module, "servers_started_from", lambda folder: [4711] if folder == base.programs.kept else [])
    base.programs.restore()
    assert (base.version(), base.programs.kept_version()) == (OLD, OLD)
    base.upgrade()
    assert (base.version(), base.programs.kept_version()) == (NEW, OLD)


def test_a_rollback_whose_old_version_fails_activates_the_new_one_again(base: Base) -> None:
    """The rollback can then be run again."""
    base.upgrade()
    whole = Programs(base.programs.active, base.programs.staged, base.programs.kept, whole=True)
    for _attempt in range(2):
        whole.revert(base.files, OLD)
        assert (base.version(), whole.kept_version()) == (OLD, "")
        whole.require_activatable(base.files)
        assert whole.activate(base.files, None) == base.files
        assert (base.version(), whole.kept_version()) == (NEW, OLD)


def test_a_version_that_is_not_kept_cannot_be_restored(base: Base) -> None:
    with pytest.raises(OperationFailed, match=r"does not hold the version 7\.0\.1 to restore"):
        base.programs.revert(base.files, "7.0.1")


# -- killed


@pytest.mark.parametrize("afterwards", ["upgrade", "roll_back"])
def test_killed_at_every_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, afterwards: str) -> None:
    for number in itertools.count():
        base = Base(tmp_path / str(number))
        base.keep()
        killed = kill_at(monkeypatch, number, partial(base.programs.activate, base.files, None))
        assert base.version() in (OLD, NEW), f"{number}: a server starts, whatever happens"
        assert (base.bin / "redis.conf").read_text() == "# ours\n"
        getattr(base, afterwards)()
        assert base.version() == (NEW if afterwards == "upgrade" else OLD), number
        if not killed:
            break
    assert number >= 3, "it was killed at many points"


@pytest.mark.parametrize("afterwards", ["upgrade", "roll_back"])
def test_a_restore_killed_at_every_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, afterwards: str) -> None:
    for number in itertools.count():
        base = Base(tmp_path / str(number))
        base.upgrade()
        killed = kill_at(monkeypatch, number, base.programs.restore)
        assert base.version() in (OLD, NEW), f"{number}: a server starts, whatever happens"
        getattr(base, afterwards)()
        assert base.version() == (NEW if afterwards == "upgrade" else OLD), number
        if not killed:
            break
    assert number >= 4, "it was killed at many points"


def test_keeping_killed_at_every_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in itertools.count():
        base = Base(tmp_path / str(number))
        killed = kill_at(monkeypatch, number, base.keep)
        base.upgrade()
        assert (base.version(), base.programs.kept_version()) == (NEW, OLD), number
        if not killed:
            break
    assert number >= 4, "it was killed at many points"
