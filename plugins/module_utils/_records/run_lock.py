# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a run: a record beside a Sentinel's journal with the run's identity and its lease.

The clocks of the record's host measure the lease, never the controller's. A run that has lost its
lock must stop, since another run has taken the lock over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

from .._errors import PreconditionFailed
from .journal import SCHEMA, read_journal, write_journal
from .own_folder import require_own_folder

__all__ = ["Moment", "RunLock", "age_s", "describe_run", "now", "right_to_take"]

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Moment:
    """A point in time on one host.

    ``wall_s`` counts seconds since 1970, ``since_boot_s`` seconds since the boot ``boot_id``,
    suspend included.
    """

    wall_s: float
    since_boot_s: float
    boot_id: str

    def as_dict(self) -> dict[str, Any]:
        return {"wall_s": self.wall_s, "since_boot_s": self.since_boot_s, "boot_id": self.boot_id}


def now() -> Moment:
    """Return the current moment on this host."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot_id = file.read().strip()
    except OSError:
        boot_id = ""
    return Moment(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), boot_id)


def age_s(record: Record, moment: Moment) -> float:
    """Return the seconds since the record was renewed.

    Within one boot the boot clock counts, which nobody can set. After a reboot the wall clock
    counts; if the wall clock was set back, the age is the uptime. So every lease expires, whatever
    happens to the clocks.
    """
    then = record["renewed"]
    if then["boot_id"] and then["boot_id"] == moment.boot_id:
        return max(0.0, moment.since_boot_s - float(then["since_boot_s"]))
    wall = moment.wall_s - float(then["wall_s"])
    return wall if wall >= 0 else moment.since_boot_s


def is_expired(record: Record, moment: Moment) -> bool:
    """Return whether the lease of the record's run has run out."""
    return age_s(record, moment) >= float(record["lease_s"])


def right_to_take(record: Record | None, run: str, moment: Moment, instead_of: Sequence[str] = ()) -> str:
    """Return the right by which a run may take the lock, or an empty text if the run may not.

    ``free``: nobody holds the lock. ``own``: the run holds it. ``expired``: the holder's lease has
    run out. ``override``: the holder is one of the runs ``instead_of``.
    """
    if record is None:
        return "free"
    holder = str(record["run"]["id"])
    if holder == run:
        return "own"
    if holder in instead_of:
        return "override"
    return "expired" if is_expired(record, moment) else ""


def describe_run(run: Mapping[str, Any]) -> str:
    """Return a run in words: ``alice@bastion, process 4711, run 3f2a9c1e``."""
    return f"{run['user']}@{run['controller']}, process {run['pid']}, run {run['id']}"


class RunLock:
    """The lock file of one Sentinel; concurrent runs take, renew and release it one at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._folder = os.path.dirname(path)

    def read(self) -> dict[str, Any] | None:
        return read_journal(self._path)

    def is_held_by(self, run: str) -> bool:
        """Return whether the run with this id holds the lock, and its lease has not run out."""
        found = self.read()
        return found is not None and str(found["run"]["id"]) == run and not is_expired(found, now())

    def take(self, run: Mapping[str, Any], lease_s: float, instead_of: Sequence[str] = ()) -> tuple[str, dict[str, Any] | None]:
        """Take the lock if the run may.

        Returns the right (see ``right_to_take``), and the record of the previous holder.
        """
        with self._exclusive():
            found, moment = self.read(), now()
            right = right_to_take(found, str(run["id"]), moment, instead_of)
            if right:
                since = found["since_s"] if found is not None and right == "own" else moment.wall_s
                self._write(run, lease_s, since, moment)
        return right, found

    def renew(self, run: Mapping[str, Any], lease_s: float) -> None:
        """Renew the lease; raise PreconditionFailed if the run has lost the lock."""
        found = None
        if os.path.isdir(self._folder):
            with self._exclusive():
                found = self.read()
                if found is not None and found["run"]["id"] == run["id"]:
                    self._write(run, lease_s, found["since_s"], now())
                    return
        by = (
            f"{describe_run(found['run'])} has taken it over"
            if found
            else f"{self._path} is gone, so another run has taken it over and ended"
        )
        raise PreconditionFailed(
            f"this run ({run['id']}) has lost its lock: {by}",
            state="The last step of this run is complete, and no new step was begun",
            advice="Wait until the other run has ended, then run again: a new run surveys the deployment and does the remaining steps",
        )

    def release(self, run: Mapping[str, Any]) -> bool:
        """Remove the lock if this run holds it, and an empty folder; return whether it was held."""
        if not os.path.isdir(self._folder):
            return False
        with self._exclusive():
            found = self.read()
            if found is None or found["run"]["id"] != run["id"]:
                return False
            os.remove(self._path)
            # the folder may hold the journals of an unfinished upgrade
            with contextlib.suppress(OSError):
                os.rmdir(self._folder)
        return True

    def _write(self, run: Mapping[str, Any], lease_s: float, since_s: float, moment: Moment) -> None:
        record = {"schema": SCHEMA, "run": dict(run), "since_s": since_s, "renewed": moment.as_dict(), "lease_s": lease_s}
        write_journal(self._path, record)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Lock the folder, so that no other process changes a lock in it until the block ends."""
        require_own_folder(self._folder)
        descriptor = self._locked_folder()
        while descriptor is None:
            # exist_ok would check the folder once more, and fail if it was removed meanwhile
            with contextlib.suppress(FileExistsError):
                os.makedirs(self._folder, mode=0o700)
            descriptor = self._locked_folder()
        try:
            yield
        finally:
            os.close(descriptor)

    def _locked_folder(self) -> int | None:
        """Return a locked descriptor of the folder, or None if the folder was removed meanwhile."""
        try:
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == os.stat(self._folder).st_ino:
                return descriptor
        os.close(descriptor)
        return None
