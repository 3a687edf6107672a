# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying a configuration with a new server beside the running one, which is not touched, and
leaving nothing behind.

The new server runs for a moment: without a port, in a folder that is thrown away, without data,
without replication, and as the user of the running one. That it answers proves that it has read its
configuration, the files that this names, its users, its certificates, and has loaded its modules:
all that comes before the first answer.
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
from dataclasses import dataclass
from typing import Any

from .._errors import PreconditionFailed
from .._host.process import Owner, Started, executable_of, start_detached
from .._host.service import THIS_HOST, Host
from .._host.standby import Standby
from .._server.config_file import read_text
from .._wait import Clock, until
from .config_trial_files import Place, TrialConfig, explain, trial_config

__all__ = ["Surroundings", "Trial", "surroundings_of", "try_config"]

# Not the system's setting for temporary files: that may be a folder that only the user who runs the
# module may enter.
_TEMPORARY = "/tmp"
_NOT_INHERITED = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "UPSTART_JOB"}
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
    """In which folder, with which variables of the environment and as whom a server is started."""

    folder: str
    environment: Mapping[str, str]
    owner: Owner | None


def surroundings_of(config_file: str, unit: str, owner: Owner | None, host: Host = THIS_HOST) -> Surroundings:
    """What a unit of systemd says; a plain process is started beside its configuration file, with
    our environment.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    folder = os.path.dirname(config_file)
    if unit:
        asked = ["systemctl", "show", "--no-pager", "--property=WorkingDirectory,Environment", "--", unit]
        said = dict(line.partition("=")[::2] for line in host.run(asked, 30).output.splitlines())
        folder = said.get("WorkingDirectory", "").lstrip("!-")
        folder = folder if os.path.isabs(folder) else "/"
        with contextlib.suppress(ValueError):
            environment.update(setting.partition("=")[::2] for setting in shlex.split(said.get("Environment", "")))
    return Surroundings(folder, environment, owner)


@dataclass(frozen=True)
class Trial:
    """What is tried: the new server's executable with a configuration file; ``version_folder`` is
    the one in use.
    """

    executable: str
    new_folder: str
    config_file: str
    sentinel: bool
    version_folder: str = ""

    def arguments(self, config_file: str) -> list[str]:
        return [self.executable, config_file, *(["--sentinel"] if self.sentinel else [])]


@contextlib.contextmanager
def _throw_away(owner: Owner | None, executable: str) -> Iterator[tuple[str, Standby]]:
    """A folder of the owner, which is removed in the end; also if we are killed, together with what
    was noted as started.
    """
    folder = tempfile.mkdtemp(prefix="redis-trial-", dir=_TEMPORARY)

    def clean_up(state: Mapping[str, Any]) -> None:
        pid = int(state.get("pid", 0))
        if pid and os.path.realpath(executable_of(pid, "")) == os.path.realpath(executable):
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)

    standby = Standby.standing_by(clean_up)
    standby.note(phase="trial")
    try:
        if owner is not None and os.geteuid() == 0:
            os.chown(folder, owner.uid, owner.gid)
        yield folder, standby
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        standby.dismiss()


@contextlib.contextmanager
def _dead_port() -> Iterator[int]:
    """A port that we hold and at which nobody listens, on all addresses: whoever connects is
    refused.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        held.bind(("", 0))
        yield int(held.getsockname()[1])


def _write(config: TrialConfig, owner: Owner | None) -> None:
    for file in config.to_write():
        # they hold secrets
        with os.fdopen(os.open(file.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
            new.write(file.text.encode("utf-8", "surrogateescape"))
        if owner is not None and os.geteuid() == 0:
            os.chown(file.path, owner.uid, owner.gid)


def _answers(path: str) -> bool:
    """Whether a server answers on its socket, with whatever."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(0.5)
        try:
            client.connect(path)
            client.sendall(b"PING\r\n")
            return client.recv(1) in (b"+", b"-")
        except OSError:
            return False


def _kill(started: Started) -> None:
    """Ends the server at once, and what it has started; it has no data."""
    if started.process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.process.pid, signal.SIGKILL)
        started.process.wait()


def try_config(trial: Trial, where: Surroundings, wait_s: float, clock: Clock) -> list[str]:
    """Raises PreconditionFailed with the new server's own words if it does not start with the
    configuration.

    Returns the files that it has read, those that stand for others under their real names.
    """
    with _throw_away(where.owner, trial.executable) as (folder, standby), _dead_port() as port:
        nothing = shutil.which("true") or ""
        place = Place(folder, port, nothing, where.folder, trial.version_folder, trial.new_folder)
        config = trial_config(trial.config_file, trial.sentinel, HostFiles(), place)
        if config is None:
            raise PreconditionFailed(
                f"the configuration file {trial.config_file} cannot be read",
                state=_STATE,
                advice="Check the path, and that the module runs as root or as the user of the server (become)",
            )
        _write(config, where.owner)
        _run(trial, config, place, where, standby, wait_s, clock)
        return sorted({file.source for file in config.files})


def _run(trial: Trial, config: TrialConfig, place: Place, where: Surroundings, standby: Standby, wait_s: float, clock: Clock) -> None:
    with tempfile.TemporaryFile() as output:
        arguments = trial.arguments(config.files[0].path)
        started = start_detached(arguments, where.folder, output, where.owner, where.environment, dies_with_us=True)
        standby.note(phase="trial", pid=started.process.pid)
        try:
            waited = until(
                lambda: (started.ended(), _answers(place.socket)),
                lambda seen: seen[0] is not None or seen[1],
                deadline_s=wait_s,
                interval_s=0.02,
                clock=clock,
            )
        finally:
            _kill(started)
        code, answered = waited.seen
        if answered and code is None:
            return
        refusal = explain(started.printed(), config)
        what = "refuses" if code is not None else f"neither answers nor ends within {wait_s:g} s with"
        raise PreconditionFailed(
            f"the new server {trial.executable} {what} {refusal if refusal.file else f'{trial.config_file}: {refusal}'}",
            state=_STATE,
            advice="Mend that in such a way that the running version can read it, too, and run again",
            config_file=refusal.file or trial.config_file,
            line=refusal.line,
            reason=refusal.reason,
            output=refusal.output,
        )
