# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server processes on this host: who runs, from which file, and starting one that outlives us
(Linux, /proc).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, NamedTuple

from .._errors import OperationFailed

__all__ = [
    "Owner",
    "alive",
    "binary_version",
    "cgroup_of",
    "executable_of",
    "machine_id",
    "owner_of",
    "parent_of",
    "start_detached",
    "version_folder",
]

_DELETED = " (deleted)"
_VERSION = re.compile(r"(?:Redis|Valkey|Server)\s+(?:server )?v=(\S+)")


def alive(pid: int) -> bool:
    """Whether a process with this id exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False


def cgroup_of(pid: int) -> str:
    """The content of the process's cgroup file; empty if it is gone."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    """The id of the parent process; 0 if the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def executable_of(pid: int, claimed: str) -> str:
    """The file that the process was started from.

    INFO's ``executable`` (``claimed``) is wrong where the server was found through PATH, so /proc
    is asked first. It is right where it is a link to one binary that goes by many names: Debian's
    redis-server is one to redis-check-rdb.
    """
    try:
        path = os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return claimed
    path = path[: -len(_DELETED)] if path.endswith(_DELETED) else path
    by_another_name = not os.path.basename(path).endswith(("-server", "-sentinel"))
    return claimed if by_another_name and claimed and os.path.realpath(claimed) == path else path


class Owner(NamedTuple):
    """User and group id that a process runs with."""

    uid: int
    gid: int


def owner_of(pid: int) -> Owner | None:
    """Whom the process runs as; None if it is gone."""
    try:
        found = os.stat(f"/proc/{pid}")
    except OSError:
        return None
    return Owner(found.st_uid, found.st_gid)


def machine_id(folder: str) -> str:
    """What tells this machine, and the file system that a folder is on, from others: aliases of one
    have it in common.
    """
    try:
        found = os.stat(folder)
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()}:{found.st_dev}:{found.st_ino}"
    except OSError:
        return ""


def version_folder(executable: str) -> str:
    """The folder that holds one server version: that of the executable, or the one above ``src`` or
    ``bin``.
    """
    folder = os.path.dirname(executable)
    return os.path.dirname(folder) if os.path.basename(folder) in ("src", "bin") else folder


def binary_version(executable: str) -> str:
    """The version that ``<executable> --version`` prints, for example ``7.0.15``.

    Raises OperationFailed if it cannot be run, or prints something else.
    """
    try:
        done = subprocess.run([executable, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OperationFailed(f"{executable} cannot be run: {error}", advice="Check that it is built for this machine") from error
    text = done.stdout.decode(errors="replace")
    found = _VERSION.search(text)
    if done.returncode or not found:
        raise OperationFailed(f"{executable} --version ended with {done.returncode} and printed: {text.strip()[:500]}")
    return found.group(1)


@dataclass
class Started:
    """A process that was started; ``output`` is what it prints until it opens its log."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def ended(self) -> int | None:
        """The exit code if the process that was started has ended; a server that daemonizes ends
        with 0.
        """
        return self.process.poll()

    def end(self) -> None:
        """Ends the process, and what it has started in its session, if it still runs."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)

    def printed(self) -> str:
        self.output.flush()
        self.output.seek(0)
        return self.output.read()[-4000:].decode(errors="replace").strip()


_PR_SET_PDEATHSIG = 1


def start_detached(
    arguments: list[str],
    folder: str,
    output: IO[bytes],
    owner: Owner | None = None,
    environment: Mapping[str, str] | None = None,
    dies_with_us: bool = False,
) -> Started:
    """Starts a program in a session of its own, so that it is not ended with us; as another user,
    if we are root.

    ``dies_with_us``: the kernel kills it the moment that this process ends, however that comes.
    """
    library, parent = ctypes.CDLL(None), os.getpid()

    def become() -> None:
        if owner is not None and os.geteuid() == 0 and owner.uid != 0:
            try:
                os.initgroups(pwd.getpwuid(owner.uid).pw_name, owner.gid)
            except KeyError:  # a user id without a name
                os.setgroups([])
            os.setgid(owner.gid)
            os.setuid(owner.uid)
        if dies_with_us:  # after the change of user, which would undo it
            library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    try:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=become,  # noqa: PLW1509 there are no threads here
            close_fds=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise OperationFailed(f"{arguments[0]} cannot be started: {error}") from error
    return Started(process, output)
