"""A user who swaps files and folders for links as fast as possible, and what may not change."""

from __future__ import annotations

import contextlib
import glob
import os
import random
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

__all__ = ["SECRET", "UID", "Attacker", "World"]

UID = 64321  # a user whom no database has
SECRET = "root:$6$s3cret:19000:0:99999:7:::"
_SERVER = 'case "$1" in *.conf) exec {server} "$@" ;; esac\n'
_PROGRAM = '#!/bin/sh\nid -u >> {who}\n{server}echo "Redis server v={version} sha=00000000:0 malloc=libc bits=64 build=0"\n'


class World:
    """Canary files of root's, and a folder of the hostile user's."""

    def __init__(self) -> None:
        # not pytest's folders, which only root may enter
        self.path = Path(tempfile.mkdtemp(prefix="hostile-", dir="/tmp"))
        self.path.chmod(0o755)
        self.canaries, self.home, self.who = self.path / "canaries", self.path / "home", self.path / "who"
        self.canaries.mkdir()
        self._canary("shadow", 0o600)
        self._canary("shadow.conf", 0o640, gid=42)
        self._canary("sudoers", 0o440)
        self._canary("folder/redis.conf", 0o600)
        self._canary("folder/dump.rdb", 0o600)
        self._canary("folder/redis-server", 0o600)
        self._canary("tool", 0o755, _PROGRAM.format(who=self.who, version="6.6.6", server=""))
        self.home.mkdir()
        os.chown(self.home, UID, UID)
        self.who.touch()
        self.who.chmod(0o666)
        self.before = self.state()

    def _canary(self, name: str, mode: int, text: str = SECRET + "\n", gid: int = 0) -> None:
        path = self.canaries / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        os.chown(path, 0, gid)

    def state(self) -> dict[str, tuple[object, ...]]:
        """Return content, owner, mode and kind of everything that is root's."""
        found: dict[str, tuple[object, ...]] = {}
        for path in [self.canaries, *sorted(self.canaries.rglob("*"))]:
            seen = path.lstat()
            text = path.read_text() if stat.S_ISREG(seen.st_mode) else ""
            found[str(path.relative_to(self.path))] = (text, seen.st_uid, seen.st_gid, oct(seen.st_mode), seen.st_ino)
        return found

    def canary_paths(self) -> list[str]:
        return [str(self.path / name) for name in self.before]

    def version(self, name: str, version: str, uid: int = UID, runs: Path | None = None) -> Path:
        """Make a version folder with programs that write down who runs them.

        ``runs``: a real server that the program becomes if it is given a configuration.
        """
        folder = self.home / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for program in ("redis-server", "redis-cli"):
            server = _SERVER.format(server=runs) if runs else ""
            (folder / program).write_text(_PROGRAM.format(who=self.who, version=version, server=server))
            (folder / program).chmod(0o755)
        for path in (folder, *folder.iterdir()):
            os.lchown(path, uid, uid)
        return folder

    def file(self, name: str, text: str = "port 1\n", mode: int = 0o640) -> Path:
        """Make a file of the hostile user."""
        path = self.home / name
        with contextlib.suppress(OSError):
            path.unlink()
        path.write_text(text)
        path.chmod(mode)
        os.lchown(path, UID, UID)
        return path

    def clear(self) -> None:
        for path in list(self.home.iterdir()):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()

    def ran_as(self) -> set[str]:
        return set(self.who.read_text().split())

    def remove(self) -> None:
        # the hostile user may have renamed the folder of a trial just when it was removed
        left = [path for path in Path("/tmp").glob("redis-trial-*") if path.lstat().st_uid == UID]
        for path in (self.path, *left):
            shutil.rmtree(path, ignore_errors=True)


def _as_user(work: Callable[[], None]) -> int:
    """Run work in a child of the hostile user; return the pid."""
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            os.setsid()
            os.setgroups([])
            os.setgid(UID)
            os.setuid(UID)
            work()
            code = 0
        os._exit(code)
    return child


class Attacker:
    """The process of the hostile user, which swaps the files that match ``reach``."""

    def __init__(self, world: World, reach: Sequence[str]) -> None:
        self._world, self._reach = world, [str(world.home / "**"), *reach]
        self._loot = Path(tempfile.mkdtemp(prefix="loot-", dir="/tmp"))
        os.chown(self._loot, UID, UID)

    def __enter__(self) -> Attacker:
        self._pid = _as_user(self._attack)
        return self

    def __exit__(self, *_error: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the attacker until the block ends, in which the test lays out its files anew."""
        os.kill(self._pid, signal.SIGSTOP)
        os.waitpid(self._pid, os.WUNTRACED)
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGCONT)

    def loot(self) -> list[str]:
        """Return the files in which the hostile user has read, or can read, a secret of root's."""
        child = _as_user(lambda: [self._read(path) for path in glob.glob(str(self._world.path / "**"), recursive=True)] and None)
        os.waitpid(child, 0)
        found = [path.read_text() for path in self._loot.iterdir()]
        shutil.rmtree(self._loot)
        return sorted(found)

    def _read(self, path: str) -> None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if stat.S_ISREG(os.stat(path).st_mode) and SECRET in Path(path).read_text():
                (self._loot / str(hash(path))).write_text(path)

    def _attack(self) -> None:
        end = time.monotonic() + 120
        chance = random.Random()
        canaries = self._world.canary_paths()
        while time.monotonic() < end:
            paths = [path for pattern in self._reach for path in glob.glob(pattern, recursive=True)]
            paths = [path for path in paths if path.rstrip("/") != str(self._world.home)] or [str(self._world.home / "x")]
            for _time in range(20):
                path = chance.choice(paths).rstrip("/")
                if chance.random() < 0.2:
                    path += chance.choice([".partial", ".before-upgrade", ".set-aside", ".new", ".old"])
                self._swap(path, chance.choice(canaries), chance)
                self._read(path)

    def _swap(self, path: str, canary: str, chance: random.Random) -> None:
        aside = f"{os.path.dirname(path)}/.{os.path.basename(path)}.aside"
        with contextlib.suppress(OSError):
            os.rename(path, aside)
        with contextlib.suppress(OSError):
            os.link(canary, path) if chance.random() < 0.1 else os.symlink(canary, path)
        self._read(path)
        with contextlib.suppress(OSError):
            if chance.random() < 0.8:
                os.unlink(path)
        with contextlib.suppress(OSError):
            os.rename(aside, path)
