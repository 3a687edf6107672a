# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trial of a configuration with a new server beside the running one, which is not touched.

The new server runs for a moment: without a port, data or replication, in a temporary folder, and as
the user of the running server. An answer proves that the new server has read its configuration with
all included files, users and certificates, and has loaded its modules, since all of that precedes
the first answer. Nothing is left behind, also if this process is killed.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shlex
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ContextManager, Protocol

from .._errors import PreconditionFailed
from .._host.process import Owner, Started, executable_of, start_detached
from .._host.process_facts import ProcessFacts
from .._host.service import THIS_HOST, Host
from .._host.standby import Standby
from .._owned_files import remove_tree
from .._owner import User, as_user, author_of, user_of
from .._server.config_file import read_text
from .._wait import Clock, until
from .config_trial_files import TrialConfig, TrialPlace, trial_config
from .config_trial_refusal import Refusal, explain

__all__ = ["RUNNING", "HostFiles", "Surroundings", "Trial", "Visit", "surroundings_of", "try_config"]

# Not TMPDIR: that folder may be closed to every user but the one that runs the module.
_TEMPORARY = "/tmp"
_NOT_INHERITED = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "UPSTART_JOB"}
RUNNING = "the running version's server"
_STATE = "Nothing was stopped, and the running server was not touched"


class HostFiles:
    """The files of this host."""

    def read(self, path: str) -> str | None:
        try:
            return read_text(path)
        except OSError:
            return None

    def matching(self, pattern: str) -> list[str]:
        return sorted(glob.glob(pattern))

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def executable(self, path: str) -> bool:
        return os.access(path, os.X_OK)


@dataclass(frozen=True)
class Surroundings:
    """The folder, the environment variables and the user with which a server is started."""

    folder: str
    environment: Mapping[str, str]
    owner: Owner | None


def surroundings_of(config_file: str, unit: str, process: ProcessFacts | None, host: Host = THIS_HOST) -> Surroundings:
    """Return the surroundings that a unit of systemd sets.

    Without a unit, a server is started in the folder where the running process was started, with
    the environment of this process.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    folder = process.start_folder(config_file) if process else os.path.dirname(config_file)
    if unit:
        command = ["systemctl", "show", "--no-pager", "--property=WorkingDirectory,Environment", "--", unit]
        shown = dict(line.partition("=")[::2] for line in host.run(command, 30).output.splitlines())
        folder = shown.get("WorkingDirectory", "").lstrip("!-")
        folder = folder if os.path.isabs(folder) else "/"
        with contextlib.suppress(ValueError):
            environment.update(setting.partition("=")[::2] for setting in shlex.split(shown.get("Environment", "")))
    return Surroundings(folder, environment, process.owner if process else None)


def _owner(trial: Trial, surroundings: Surroundings) -> Owner | None:
    """Return the user to try a configuration as: the server's, or who could replace the program."""
    user = author_of(trial.executable)
    return surroundings.owner or (Owner(user.uid, user.gid, user.groups) if user else None)


def _acting_as(owner: Owner | None) -> ContextManager[None]:
    """Read and write as the server does: what its user may not read must not be copied for it."""
    if owner is None or os.geteuid() != 0:
        return contextlib.nullcontext()
    user = user_of(owner.uid, owner.gid)
    return as_user(User(owner.uid, owner.gid, user.groups if owner.groups is None else owner.groups))


@dataclass(frozen=True)
class Trial:
    """A new server's executable and the configuration file to try; ``version_folder`` is in use.

    ``noun``: the name of the server in messages.
    """

    executable: str
    new_folder: str
    config_file: str
    sentinel: bool
    version_folder: str = ""
    noun: str = "the new server"

    def arguments(self, config_file: str) -> list[str]:
        return [self.executable, config_file, *(["--sentinel"] if self.sentinel else [])]


@contextlib.contextmanager
def _temporary_folder(owner: Owner | None, executable: str) -> Iterator[tuple[str, Standby]]:
    """Yield a folder of the owner, and the standby that cleans up if this process is killed.

    The standby kills the server whose pid was noted, and removes the folder.
    """
    folder = tempfile.mkdtemp(prefix="redis-trial-", dir=_TEMPORARY)

    def clean_up(state: Mapping[str, Any]) -> None:
        pid = int(state.get("pid", 0))
        if pid and os.path.realpath(executable_of(pid, "")) == os.path.realpath(executable):
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        remove_tree(folder)

    standby = Standby.standing_by(clean_up)
    standby.note(phase="trial")
    try:
        if owner is not None and os.geteuid() == 0:
            os.chown(folder, owner.uid, owner.gid)  # nobody else could replace it yet
        yield folder, standby
    finally:
        remove_tree(folder)
        standby.dismiss()


@contextlib.contextmanager
def _closed_port() -> Iterator[int]:
    """Yield a port that refuses connections on all addresses: bound, but not listened on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        held.bind(("", 0))
        yield int(held.getsockname()[1])


def _write(config: TrialConfig) -> None:
    for file in config.to_write():
        # they hold secrets
        with os.fdopen(os.open(file.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
            new.write(file.text.encode("utf-8", "surrogateescape"))


def _answers(path: str) -> bool:
    """Return whether a server answers on its socket, with a reply or an error."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(0.5)
        try:
            client.connect(path)
            client.sendall(b"PING\r\n")
            return client.recv(1) in (b"+", b"-")
        except OSError:
            return False


def _kill(started: Started) -> None:
    """Kill the server, which has no data, and all processes of its session."""
    if started.process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.process.pid, signal.SIGKILL)
        started.process.wait()


class Visit(Protocol):
    """Further work in a trial."""

    def prepare(self, config: TrialConfig, place: TrialPlace) -> TrialConfig:
        """Return changed files for the trial."""

    def ask(self, path: str) -> None:
        """Ask the server, which answers, on its socket."""


def try_config(trial: Trial, surroundings: Surroundings, wait_s: float, clock: Clock, visit: Visit | None = None) -> list[str]:
    """Return the real names of the configuration files that the new server has read.

    Raises PreconditionFailed with the server's own words if the server does not start.
    """
    surroundings = replace(surroundings, owner=_owner(trial, surroundings))
    with _temporary_folder(surroundings.owner, trial.executable) as (folder, standby), _closed_port() as port:
        no_op = shutil.which("true") or ""
        place = TrialPlace(folder, port, no_op, surroundings.folder, trial.version_folder, trial.new_folder)
        with _acting_as(surroundings.owner):
            config = trial_config(trial.config_file, trial.sentinel, HostFiles(), place)
            if config is not None:
                config = visit.prepare(config, place) if visit else config
                _write(config)
        if config is None:
            raise PreconditionFailed(
                f"the configuration file {trial.config_file} cannot be read",
                state=_STATE,
                advice="Check the path, and run the module as root or as the user of the server (become)",
            )
        _run(trial, config, place, surroundings, standby, wait_s, clock, visit)
        return sorted({file.source for file in config.files})


def _run(
    trial: Trial,
    config: TrialConfig,
    place: TrialPlace,
    surroundings: Surroundings,
    standby: Standby,
    wait_s: float,
    clock: Clock,
    visit: Visit | None,
) -> None:
    """Start the new server, and kill it after its answer; raise PreconditionFailed without one."""
    with tempfile.TemporaryFile() as output:
        arguments = trial.arguments(config.files[0].path)
        started = start_detached(arguments, surroundings.folder, output, surroundings.owner, surroundings.environment, dies_with_us=True)
        standby.note(phase="trial", pid=started.process.pid)
        try:
            waited = until(
                lambda: (started.exit_code(), _answers(place.socket)),
                lambda seen: seen[0] is not None or seen[1],
                deadline_s=wait_s,
                interval_s=0.02,
                clock=clock,
                says=lambda _seen: f"{trial.noun} {trial.executable} starts for a trial",
            )
            if visit and waited.seen == (None, True):
                visit.ask(place.socket)
        finally:
            _kill(started)
        code, answered = waited.seen
        if not answered or code is not None:
            verb = "refuses" if code is not None else f"neither answers nor ends within {wait_s:g} s with"
            raise _refused(trial, verb, explain(started.printed(), config))


def _refused(trial: Trial, verb: str, refusal: Refusal) -> PreconditionFailed:
    return PreconditionFailed(
        f"{trial.noun} {trial.executable} {verb} {refusal if refusal.file else f'{trial.config_file}: {refusal}'}",
        state=_STATE,
        advice="Correct the configuration so that the running version can read it, too, and run again",
        config_file=refusal.file or trial.config_file,
        line=refusal.line,
        reason=refusal.reason,
        output=refusal.output,
    )
