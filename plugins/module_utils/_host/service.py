# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service managers: how an instance is told to end, is kept down, and is started. Plain processes,
and own commands.

Units of systemd are in _systemd; they have the same interface.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO, Any, Callable, ContextManager, NamedTuple, Protocol, Sequence

from .._errors import OperationFailed, PreconditionFailed
from .._server.commands import Server
from .._wait import Clock
from .process import Owner, Started, cgroup_of, parent_of, start_detached

__all__ = ["THIS_HOST", "Attempt", "Command", "Host", "Process", "Ran", "Service", "Start", "command_words"]


class Ran(NamedTuple):
    """Exit code and output of a command that was run."""

    code: int
    output: str
    errors: str = ""


class Host:
    """This host, as far as service managers are concerned; tests replace it by one that replays
    what a real one said.
    """

    def booted_by_systemd(self) -> bool:
        return os.path.isdir("/run/systemd/system")  # what sd_booted(3) looks at

    def cgroup(self, pid: int) -> str:
        return cgroup_of(pid)

    def parent(self, pid: int) -> int:
        return parent_of(pid)

    def run(self, words: Sequence[str], timeout_s: float) -> Ran:
        """Runs a command without a shell, in a session of its own, so that Ctrl-C does not reach
        it.
        """
        environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
        try:
            done = subprocess.run(
                list(words),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
                start_new_session=True,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            return Ran(124, "", f"it did not end within {timeout_s:g} s")
        except OSError as error:
            return Ran(127, "", str(error))
        return Ran(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace").strip())


THIS_HOST = Host()


@dataclass(frozen=True)
class Start:
    """What to start; ``executable`` may be empty where the manager knows what to start."""

    executable: str
    config_file: str
    sentinel: bool

    @property
    def arguments(self) -> list[str]:
        return [self.executable, self.config_file, *(["--sentinel"] if self.sentinel else [])]


class Attempt(Protocol):
    """A start that was asked for."""

    def failure(self) -> str:
        """Why it has failed; empty if it has not, so far."""

    def pending(self) -> str:
        """What the manager still waits for; empty if nothing."""

    def owns(self, pid: int) -> bool:
        """Whether a server that answers is the one that was started."""

    def printed(self) -> str:
        """What it has printed."""

    def end(self) -> None:
        """Ends what was started, so that it is not in the way of what is started instead."""


class Service(Protocol):
    """One instance as its manager sees it."""

    def examine(self, binary: str, moved: bool) -> None:
        """Raises PreconditionFailed if this new server could not be started; ``moved``: its path
        will be another one.
        """

    def held(self) -> ContextManager[None]:
        """While this is entered, nobody starts the server again when its process ends."""

    def ask_to_end(self, server: Server, wait_s: float) -> None:
        """Tells the server to save its data and end. Raises what the server answers
        (ConnectionFailed if it obeys).
        """

    def keep_down(self, ended: bool, wait_s: float, clock: Clock) -> None:
        """Sees to it that nobody else starts it; after the process has ``ended``, or where none
        was.
        """

    def start(self, what: Start) -> Attempt:
        """Asks for the start. Raises OperationFailed if that is refused."""


# -- plain processes
# --------------------------------------------------------------------------------------------------


class ProcessAttempt:
    """A process of our own making."""

    def __init__(self, started: Started) -> None:
        self._started = started

    def failure(self) -> str:
        code = self._started.ended()
        return f"the server ended at once with exit code {code}" if code else ""  # one that daemonizes ends with 0

    def pending(self) -> str:
        return ""

    def owns(self, pid: int) -> bool:
        return self._started.ended() is not None or pid == self._started.process.pid

    def printed(self) -> str:
        return self._started.printed()

    def end(self) -> None:
        self._started.end()


@dataclass(frozen=True)
class Process:
    """No manager: the server ends by SHUTDOWN and is started by us, as ``owner`` if we are root."""

    owner: Owner | None = None

    def examine(self, binary: str, moved: bool) -> None:
        """It is started from wherever it is."""

    def held(self) -> ContextManager[None]:
        return contextlib.nullcontext()

    def ask_to_end(self, server: Server, wait_s: float) -> None:
        server.command("SHUTDOWN")

    def keep_down(self, ended: bool, wait_s: float, clock: Clock) -> None:
        """Nobody starts it."""

    def start(self, what: Start) -> ProcessAttempt:
        return ProcessAttempt(start_detached(what.arguments, os.path.dirname(what.config_file), _output(), self.owner))


def _output() -> IO[bytes]:
    """A file for what a server prints; it is gone when both the server and we are."""
    return tempfile.TemporaryFile()


# -- own commands
# -----------------------------------------------------------------------------------------------------


def command_words(given: Any, name: str) -> list[str]:
    """The words of a command that is given as a list or as a line. Raises PreconditionFailed if it
    cannot be run.
    """
    try:
        words = [str(word) for word in given] if isinstance(given, (list, tuple)) else shlex.split(str(given or ""))
    except ValueError as error:
        raise PreconditionFailed(f"{name} cannot be read: {error}: {given}", state="Nothing was touched") from error
    if not words:
        raise PreconditionFailed(f"{name} is empty", state="Nothing was touched", advice="Give the command as a list of words")
    if shutil.which(words[0]) is None:
        raise PreconditionFailed(
            f"{name}: there is no program {words[0]} on this host",
            state="Nothing was touched",
            advice="Give its full path; commands are run without a shell",
        )
    return words


class CommandAttempt(ProcessAttempt):
    """A start command that was run; the server may be that process, or another one that it has
    started.
    """

    def __init__(self, started: Started, stop: Callable[[], Ran]) -> None:
        super().__init__(started)
        self._stop = stop

    def failure(self) -> str:
        code = self._started.ended()
        return f"the start command ended with exit code {code}" if code else ""

    def owns(self, pid: int) -> bool:
        return True  # which process the command makes the server is not for us to know

    def end(self) -> None:
        self._stop()
        super().end()


@dataclass(frozen=True)
class Command:
    """Commands of the user."""

    start_words: tuple[str, ...]
    stop_words: tuple[str, ...]
    host: Host = THIS_HOST

    def examine(self, binary: str, moved: bool) -> None:
        if moved:
            raise PreconditionFailed(
                f"the new server is {os.path.basename(binary)} at another place, and what the start command runs is not known",
                state="The version in use was not touched",
                advice="Give a version folder in which the server has the name and place that it had",
            )

    def held(self) -> ContextManager[None]:
        return contextlib.nullcontext()  # that is for the stop command to see to

    def ask_to_end(self, server: Server, wait_s: float) -> None:
        done = self.host.run(self.stop_words, wait_s)
        if done.code:
            raise OperationFailed(
                f"the stop command {shlex.join(self.stop_words)} ended with {done.code}: {done.errors or done.output.strip()}",
                node=str(server.address),
                state="It may go on serving",
                advice="Run the command by hand on the host",
            )

    def keep_down(self, ended: bool, wait_s: float, clock: Clock) -> None:
        """What the stop command has stopped stays so; that is for the user to provide."""

    def start(self, what: Start) -> CommandAttempt:
        started = start_detached(list(self.start_words), "/", _output())
        return CommandAttempt(started, lambda: self.host.run(self.stop_words, 60))
