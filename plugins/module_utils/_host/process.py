# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server processes on this host: facts of a running process, and starting a process that outlives
this module (Linux, /proc).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Callable, NamedTuple

from .._errors import OperationFailed
from .disk_space import is_noexec
from .program_owner import change_user, run_as_its_owner

__all__ = [
    "Owner",
    "Started",
    "alive",
    "binary_version",
    "cgroup_of",
    "executable_of",
    "executed_file",
    "is_replaced",
    "is_shipped_program",
    "machine_id",
    "parent_of",
    "processes_running",
    "servers_started_from",
    "signalled_with_us",
    "start_detached",
    "started_at_s",
    "version_folder",
]

_DELETED = " (deleted)"
_VERSION = re.compile(r"(?:Redis|Valkey|Server)\s+(?:server )?v=(\S+)")
_SHIPPED_PROGRAM = re.compile(r"(redis|valkey)-(server|sentinel|cli|benchmark|check-\w+)$")
_PR_SET_PDEATHSIG = 1  # prctl(2)


def _stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat behind the program's name; none of an ended process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def alive(pid: int) -> bool:
    """Return whether a process with this id exists and is not a zombie."""
    fields = _stat_fields(pid)
    return bool(fields) and fields[0] not in ("Z", "X")


def parent_of(pid: int) -> int:
    """Return the id of the parent process; 0 if the process is gone."""
    fields = _stat_fields(pid)
    return int(fields[1]) if len(fields) > 1 and fields[1].isdigit() else 0


def started_at_s(pid: int) -> float:
    """Return when a process began, in seconds since the boot of its host; 0 if it is gone."""
    fields = _stat_fields(pid)
    return int(fields[19]) / os.sysconf("SC_CLK_TCK") if len(fields) > 19 else 0.0


def cgroup_of(pid: int) -> str:
    """Return the content of the process's cgroup file; empty if the process is gone."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def executable_of(pid: int, claimed: str) -> str:
    """Return the path of the file that the process was started from.

    INFO's ``executable`` (``claimed``) is wrong for a server that was found through PATH, so /proc
    comes first. ``claimed`` is right for a link to a binary of another name: Debian's redis-server
    is a link to redis-check-rdb.
    """
    try:
        path = os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return claimed
    path = path[: -len(_DELETED)] if path.endswith(_DELETED) else path
    if os.path.basename(path) == "":
        return claimed  # a deleted file that was bound into the mount namespace of a unit reads "/"
    by_another_name = not os.path.basename(path).endswith(("-server", "-sentinel"))
    return claimed if by_another_name and claimed and os.path.realpath(claimed) == path else path


def executed_file(pid: int) -> IO[bytes] | None:
    """Open the file that a process runs, also a deleted one; None if that cannot be read."""
    try:
        return open(f"/proc/{pid}/exe", "rb")
    except OSError:
        return None


def processes_running(paths: Sequence[str]) -> list[int]:
    """Return the ids of all processes that run one of the files that are now at these paths.

    Files are compared by device and inode, so a process of a replaced file does not count.
    """
    wanted = {(found.st_dev, found.st_ino) for found in map(_stat, paths) if found is not None}
    return [pid for pid in _process_ids() if (found := _stat(f"/proc/{pid}/exe")) is not None and (found.st_dev, found.st_ino) in wanted]


def servers_started_from(folder: str) -> list[int]:
    """Return the ids of all servers and Sentinels whose file is, or was, in or below a folder.

    A program that is only asked for its version is no server; see binary_version.
    """
    prefix = os.path.join(os.path.realpath(folder), "")
    found = []
    for pid in _process_ids():
        with contextlib.suppress(OSError):
            path = os.readlink(f"/proc/{pid}/exe")
            path = path[: -len(_DELETED)] if path.endswith(_DELETED) else path
            if path.startswith(prefix) and is_shipped_program(os.path.basename(path)) and not _tells_version(pid):
                found.append(pid)
    return found


def _tells_version(pid: int) -> bool:
    """Return whether a program was started to print its version, and nothing else."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().split(b"\0")[1:2] == [b"--version"]


def is_replaced(pid: int, executable: str) -> bool:
    """Return whether another file than the one that a process runs is at this path now."""
    running, there = _stat(f"/proc/{pid}/exe"), _stat(executable)
    return running is not None and there is not None and (running.st_dev, running.st_ino) != (there.st_dev, there.st_ino)


def _process_ids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


class Owner(NamedTuple):
    """User and group id that a process runs with.

    ``groups``: the supplementary groups; None for those that the user database gives.
    """

    uid: int
    gid: int
    groups: tuple[int, ...] | None = None


def machine_id(folder: str) -> str:
    """Return an id of this machine and folder: boot id, device and inode; empty if unknown.

    Inventory aliases of one machine have the same id.
    """
    try:
        found = os.stat(folder)
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()}:{found.st_dev}:{found.st_ino}"
    except OSError:
        return ""


def is_shipped_program(name: str) -> bool:
    """Return whether a file name is one of the programs that every server version ships."""
    return bool(_SHIPPED_PROGRAM.match(name))


def version_folder(executable: str) -> str:
    """Return the folder of a version: the executable's, or the parent of ``src`` or ``bin``."""
    folder = os.path.dirname(executable)
    return os.path.dirname(folder) if os.path.basename(folder) in ("src", "bin") else folder


def binary_version(executable: str) -> str:
    """Return the version that ``<executable> --version`` prints, for example ``7.0.15``.

    Raises OperationFailed if the executable cannot be run, or prints no version.
    """
    try:
        done = run_as_its_owner([executable, "--version"], timeout_s=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OperationFailed(f"{executable} cannot be run: {error}", advice=_remedy(executable)) from error
    text = done.stdout.decode(errors="replace")
    found = _VERSION.search(text)
    if done.returncode or not found:
        raise OperationFailed(f"{executable} --version ended with {done.returncode} and printed: {text.strip()[:500]}")
    return found.group(1)


def _remedy(executable: str) -> str:
    """Return what to do about an executable that cannot be run."""
    with contextlib.suppress(OSError):
        if is_noexec(os.path.dirname(executable)):
            return "Its file system is mounted with noexec; mount it with exec"
    return "Check that it is built for this machine"


@dataclass
class Started:
    """A started process; ``outputs``: the files that it prints to before its log is open, with
    their sizes before the start, in bytes.
    """

    process: subprocess.Popen[bytes]
    outputs: list[tuple[IO[bytes], int]]

    def exit_code(self) -> int | None:
        """Return the exit code of the started process; None while it runs.

        A server that daemonizes ends with 0.
        """
        return self.process.poll()

    def end(self) -> None:
        """End the process and all processes of its session: by SIGTERM, after 5 s by SIGKILL."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)

    def printed(self) -> str:
        """Return the end of the output so far, as far as its files can be read."""
        text = b""
        for file, begin in self.outputs:
            if file.readable() and file.seekable():
                file.seek(begin)
                text += file.read()
        return text[-4000:].decode(errors="replace").strip()


def start_detached(
    arguments: list[str],
    folder: str,
    output: IO[bytes],
    owner: Owner | None = None,
    environment: Mapping[str, str] | None = None,
    dies_with_us: bool = False,
    errors: IO[bytes] | None = None,
    prepare: Callable[[], object] | None = None,
) -> Started:
    """Start a program in a session of its own, so that the program outlives this process.

    ``owner``: the user to run the program as, if this process is root. ``dies_with_us``: the kernel
    kills the program as soon as this process ends, for whatever reason. ``errors``: the file for
    standard error, if not ``output``. ``prepare`` is called in the child process, before the change
    of user. Raises OperationFailed if the program cannot be started.
    """
    outputs = [(file, os.fstat(file.fileno()).st_size) for file in (output, errors) if file is not None]
    try:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if errors is None else errors,
            start_new_session=True,
            # there are no threads here
            preexec_fn=_child_setup(owner, dies_with_us, prepare),  # noqa: PLW1509
            close_fds=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise OperationFailed(f"{arguments[0]} cannot be started: {error}") from error
    return Started(process, outputs)


def _child_setup(owner: Owner | None, dies_with_us: bool, prepare: Callable[[], object] | None) -> Callable[[], None]:
    """Return the function for the child process; libraries are loaded here, before the fork."""
    set_signal = signalled_with_us(signal.SIGKILL) if dies_with_us else None

    def set_up() -> None:
        if prepare is not None:
            prepare()
        if owner is not None and os.geteuid() == 0 and not _is_ours(owner):
            change_user(owner.uid, owner.gid, owner.groups)
        if set_signal is not None:  # after the change of user, which clears the signal
            set_signal()

    return set_up


def signalled_with_us(number: int) -> Callable[[], None]:
    """Return what a child process calls to get a signal from the kernel as soon as this one ends.

    The library is loaded here, before the fork. Only Linux has such a signal.
    """
    prctl, parent = getattr(ctypes.CDLL(None), "prctl", None), os.getpid()

    def set_signal() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, number)
            if os.getppid() != parent:
                os._exit(1)

    return set_signal


def _is_ours(owner: Owner) -> bool:
    """Return whether this process, as root, has the user and the groups already."""
    groups = owner.groups is None or set(owner.groups) == set(os.getgroups())
    return owner.uid == 0 and groups and (owner.groups is None or owner.gid == os.getegid())
