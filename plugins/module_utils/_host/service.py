# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service managers: the interface by which an instance is shut down, kept down and started.

Plain processes and the user's own commands are here; units of systemd are in ``systemd``, with the
same interface.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO, Any, Callable, ContextManager, Mapping, NamedTuple, Protocol, Sequence

from .._errors import OperationFailed, PreconditionFailed
from .._owner import author_of
from .._server.commands import Server
from .._server.config_file import directives, read_text
from .._wait import Clock
from .process import Owner, Started, cgroup_of, parent_of, start_detached
from .process_facts import ProcessFacts

__all__ = ["THIS_HOST", "Command", "Host", "Process", "Ran", "Service", "Start", "StartAttempt", "command_words"]


class Ran(NamedTuple):
    """Exit code, output and error output of a command that was run."""

    code: int
    output: str
    errors: str = ""


class Host:
    """This host, as far as service managers are concerned.

    Tests replace it by a host that replays the recorded answers of a real one.
    """

    def booted_by_systemd(self) -> bool:
        return os.path.isdir("/run/systemd/system")  # the test of sd_booted(3)

    def cgroup(self, pid: int) -> str:
        return cgroup_of(pid)

    def parent(self, pid: int) -> int:
        return parent_of(pid)

    def run(self, words: Sequence[str], timeout_s: float, variables: Mapping[str, str] | None = None) -> Ran:
        """Run a command without a shell, in a session of its own, out of reach of Ctrl-C.

        ``variables`` are added to the environment. Exit code 124: the command did not end in time;
        127: the command could not be run.
        """
        environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0", **(variables or {})}
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
            return Ran(124, "", f"the command did not end within {timeout_s:g} s")
        except OSError as error:
            return Ran(127, "", str(error))
        return Ran(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace").strip())


THIS_HOST = Host()


@dataclass(frozen=True)
class Start:
    """A server to start; ``executable`` may be empty if the manager knows the executable."""

    executable: str
    config_file: str
    sentinel: bool

    @property
    def arguments(self) -> list[str]:
        return [self.executable, self.config_file, *(["--sentinel"] if self.sentinel else [])]


class StartAttempt(Protocol):
    """A start that was requested."""

    def failure(self) -> str:
        """Return why the start has failed; empty if the start has not failed so far."""

    def pending(self) -> str:
        """Return what the manager still waits for; empty if nothing."""

    def owns(self, pid: int) -> bool:
        """Return whether the server with this process id is the started one."""

    def printed(self) -> str:
        """Return what the started server has printed."""

    def end(self) -> None:
        """End whatever was started, so that another server can be started instead."""


class Service(Protocol):
    """One instance, as its manager sees the instance."""

    def require_startable(self, binary: str, path_changes: bool) -> None:
        """Raise PreconditionFailed if the manager could not start this new server.

        ``path_changes``: the new server will have another path than the one in use.
        """

    def starts_other_path(self, executable: str) -> bool:
        """Return whether the manager can start this executable instead of the one in use."""

    def automatic_restart_off(self) -> ContextManager[None]:
        """Return a context in which the manager does not restart a server whose process ends."""

    def request_shutdown(self, server: Server, wait_s: float) -> None:
        """Tell the server to save its data and end.

        Raises the server's answer, or ConnectionFailed if the server shuts down.
        """

    def keep_down(self, ended: bool, wait_s: float, clock: Clock) -> None:
        """Ensure that the manager does not start the instance again.

        ``ended``: the process has ended just now; otherwise there was none.
        """

    def start(self, request: Start) -> StartAttempt:
        """Request the start. Raises OperationFailed if the manager refuses."""


# -- plain processes


class ProcessAttempt:
    """The start of a process by this module."""

    def __init__(self, started: Started) -> None:
        self._started = started

    def failure(self) -> str:
        code = self._started.exit_code()  # 0 for a server that daemonizes
        return f"the server ended at once with exit code {code}" if code else ""

    def pending(self) -> str:
        return ""

    def owns(self, pid: int) -> bool:
        return self._started.exit_code() is not None or pid == self._started.process.pid

    def printed(self) -> str:
        return self._started.printed()

    def end(self) -> None:
        self._started.end()


@dataclass(frozen=True)
class Process:
    """No manager: SHUTDOWN ends the server, and the module starts it with the facts of the process
    before (None: with those of the module).
    """

    facts: ProcessFacts | None = None

    def require_startable(self, binary: str, path_changes: bool) -> None:
        """Accept any path; raise PreconditionFailed if the limit of open files would be lowered."""
        lower = [problem for problem in (self.facts.impossible() if self.facts else []) if problem.startswith("limit nofile")]
        if lower:
            raise PreconditionFailed(
                f"the server could not be started with its limit of open files ({lower[0][len('limit nofile ') :]})",
                state="The server was left alone",
                advice="Run with become, raise the limit of the user that Ansible logs in as, or let a unit of systemd start the server",
            )

    def starts_other_path(self, executable: str) -> bool:
        return True

    def automatic_restart_off(self) -> ContextManager[None]:
        return contextlib.nullcontext()

    def request_shutdown(self, server: Server, wait_s: float) -> None:
        server.command("SHUTDOWN")

    def keep_down(self, ended: bool, wait_s: float, clock: Clock) -> None:
        """Do nothing: no manager would start a plain process."""

    def start(self, request: Start) -> ProcessAttempt:
        config_file, facts = request.config_file, self.facts
        output, errors = _outputs(facts, config_file)
        if facts is None:
            user = author_of(request.arguments[0])
            owner = Owner(user.uid, user.gid, user.groups) if user else None
            return ProcessAttempt(start_detached(request.arguments, os.path.dirname(config_file), output, owner, errors=errors))
        prepare, folder = facts.preparation(config_file), facts.start_folder(config_file)
        return ProcessAttempt(start_detached(request.arguments, folder, output, facts.owner, errors=errors, prepare=prepare))


def _outputs(facts: ProcessFacts | None, config_file: str) -> tuple[IO[bytes], IO[bytes] | None]:
    """Return the files for standard output and standard error (None: the same one).

    Files of the process before are opened again. Without them, a server that logs to standard
    output must not fill a file that nobody sees.
    """
    output = facts.stdout.open() if facts and facts.stdout else None
    if output is not None and facts is not None and facts.stderr == facts.stdout:
        return output, None
    errors = facts.stderr.open() if facts and facts.stderr else None
    if output is None and not _logs_to_output(config_file):
        return _output(), errors
    return output or open(os.devnull, "r+b", buffering=0), errors or _output()


def _logs_to_output(config_file: str) -> bool:
    """Return whether a configuration file makes the server log to standard output."""
    try:
        lines = directives(read_text(config_file))
    except OSError:
        return False
    return (lines.get("logfile") or [[""]])[-1] == [""] and (lines.get("daemonize") or [["no"]])[-1] != ["yes"]


def _output() -> IO[bytes]:
    """Return a file for the output of a server; the file is gone once nobody has it open."""
    return tempfile.TemporaryFile()


# -- own commands


def command_words(given: Any, name: str) -> list[str]:
    """Return the words of a command that is given as a list or as a line.

    Raises PreconditionFailed if the command is empty, or its program is missing.
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
    """A start command that was run; the server is that process, or started by that process."""

    def __init__(self, started: Started, stop: Callable[[], Ran]) -> None:
        super().__init__(started)
        self._stop = stop

    def failure(self) -> str:
        code = self._started.exit_code()
        return f"the start command ended with exit code {code}" if code else ""

    def owns(self, pid: int) -> bool:
        return True  # the command may start the server as any process

    def end(self) -> None:
        self._stop()
        super().end()


@dataclass(frozen=True)
class Command:
    """The user's own commands."""

    start_words: tuple[str, ...]
    stop_words: tuple[str, ...]
    host: Host = THIS_HOST

    def require_startable(self, binary: str, path_changes: bool) -> None:
        if path_changes:
            raise PreconditionFailed(
                f"the new server {os.path.basename(binary)} has another path, and the start command may not run that path",
                state="The version in use was not touched",
                advice="Give a version folder in which the server has the same name and place as before",
            )

    def starts_other_path(self, executable: str) -> bool:
        return False

    def automatic_restart_off(self) -> ContextManager[None]:
        return contextlib.nullcontext()  # left to the stop command

    def request_shutdown(self, server: Server, wait_s: float) -> None:
        done = self.host.run(self.stop_words, wait_s)
        if done.code:
            raise OperationFailed(
                f"the stop command {shlex.join(self.stop_words)} ended with {done.code}: {done.errors or done.output.strip()}",
                node=str(server.address),
                state="The server may still be running",
                advice="Run the command by hand on the host",
            )

    def keep_down(self, ended: bool, wait_s: float, clock: Clock) -> None:
        """Do nothing: the user's stop command must keep the server down."""

    def start(self, request: Start) -> CommandAttempt:
        started = start_detached(list(self.start_words), "/", _output())
        return CommandAttempt(started, lambda: self.host.run(self.stop_words, 60))
