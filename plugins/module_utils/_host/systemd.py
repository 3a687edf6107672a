# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd as a service manager: how to find, stop and start the unit of a server."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from dataclasses import dataclass
from typing import Any, Iterator

from .._atomic_write import write_atomically
from .._errors import OperationFailed, PreconditionFailed, SentinelOpsError
from .._server.commands import Server
from .._server.config_file import read_text
from .._wait import Clock, until
from .process import version_folder
from .service import THIS_HOST, Host, Start
from .unit_files import (
    PROPERTIES,
    ExecStart,
    Unit,
    choose_manager,
    drop_in,
    exec_start,
    expanded,
    is_plain,
    is_server_program,
    parse_unit,
    unit_in_cgroup,
)

__all__ = ["DROP_IN", "Systemd", "service_of", "systemd_for"]

UNITS = "/etc/systemd/system"
RUNTIME_UNITS = "/run/systemd/system"  # emptied by the next boot
# "zz": applied after the administrator's drop-ins, whose ExecStart is taken over into ours
DROP_IN = "zz-sentinelops-redis.conf"
_NO_RESTART = "# Written by the Ansible collection sentinelops.redis while it stops the server\n[Service]\nRestart=no\n"
# a server built without libsystemd prints this text when started with "supervised systemd"
_NO_SYSTEMD = b"compiled without libsystemd support"
_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def show(unit: str, host: Host) -> Unit:
    """Return a unit's state. Raises OperationFailed if systemctl fails, or knows no such unit."""
    done = host.run(["systemctl", "show", "--no-pager", f"--property={','.join(PROPERTIES)}", "--", unit], 30)
    if done.code:
        raise OperationFailed(f"systemctl show {unit} ended with {done.code}: {done.errors}")
    found = parse_unit(done.output)
    if found.loaded == "not-found":
        raise OperationFailed(f"systemd knows no unit {unit}", advice="Check its name (systemctl list-units)")
    return found


class SystemdAttempt:
    """The start of a unit."""

    def __init__(self, service: Systemd, since_s: float) -> None:
        self._service, self._since_s = service, since_s
        self._unit = service.unit()

    def failure(self) -> str:
        self._unit = unit = self._service.unit()
        if unit.restarts:
            return f"its unit {unit.name} ended, and systemd has started it again"
        if unit.active == "failed" or unit.sub == "auto-restart":
            return f"its unit {unit.name} failed ({unit.result})"
        if unit.active == "inactive" and not unit.job:
            return f"its unit {unit.name} ended at once"
        return ""

    def pending(self) -> str:
        return "" if self._unit.active == "active" else f"its unit is {self._unit.active} ({self._unit.sub}, Type={self._unit.type})"

    def owns(self, pid: int) -> bool:
        found = unit_in_cgroup(self._service.host.cgroup(pid))
        return pid == self._unit.main_pid or (found is not None and found.name == self._unit.name)

    def printed(self) -> str:
        # selected by _SYSTEMD_UNIT, since --unit also shows the messages of systemd itself
        words = ["journalctl", f"_SYSTEMD_UNIT={self._unit.name}", "--since", f"@{self._since_s:.3f}", "--lines", "20", "--output", "cat"]
        return self._service.host.run([*words, "--no-pager", "--quiet"], 30).output.strip()

    def end(self) -> None:
        self._service.host.run(["systemctl", "stop", "--", self._unit.name], 120)


@dataclass(frozen=True)
class Systemd:
    """A unit of systemd, which sets user and limits. The unit is never enabled or disabled."""

    name: str
    host: Host = THIS_HOST
    units: str = UNITS
    runtime_units: str = RUNTIME_UNITS

    @property
    def drop_in_file(self) -> str:
        return os.path.join(self.units, f"{self.name}.d", DROP_IN)

    @property
    def no_restart_file(self) -> str:
        return os.path.join(self.runtime_units, f"{self.name}.d", DROP_IN.replace(".conf", "-stop.conf"))

    def unit(self) -> Unit:
        return show(self.name, self.host)

    def require_startable(self, binary: str, path_changes: bool) -> None:
        unit, why, advice = self.unit(), "", ""
        if binary and unit.type.startswith("notify") and _lacks_libsystemd(binary):
            why = f"{binary} is built without libsystemd: its unit {unit.name} (Type={unit.type}) would wait for its ready message in vain"
            advice = "Build it with USE_SYSTEMD=yes, or give the unit Type=simple"
        elif path_changes and not is_plain(binary):
            why, advice = f"the path {binary} would need quotes in a unit file", "Choose a version folder with plain letters"
        elif path_changes and self._own_command(unit) is None:
            why = (
                f"its unit {unit.name} starts {unit.program or 'several programs'}, which is no server by its name, so the unit cannot be "
                f"made to start the new server, {os.path.basename(binary)} at another path"
            )
            advice = "Let ExecStart name the server in its version folder"
        if why:
            raise PreconditionFailed(why, state="The version in use was not touched", advice=advice)

    def starts_other_path(self, executable: str) -> bool:
        return is_plain(executable) and self._own_command(self.unit()) is not None

    @contextlib.contextmanager
    def automatic_restart_off(self) -> Iterator[None]:
        """Switch off the unit's ``Restart=`` inside the context; at most until the next boot."""
        if self.unit().restart in ("always", "on-success") and _ensure_file(self.no_restart_file, _NO_RESTART):
            self._reload()
        try:
            yield
        finally:
            self._remove_no_restart()

    def _remove_no_restart(self) -> None:
        if _ensure_file(self.no_restart_file, None):
            self._reload()

    def request_shutdown(self, server: Server, wait_s: float) -> None:
        # systemctl stop would kill a server that saves for longer than TimeoutStopSec, or that
        # keeps running because it cannot save
        server.command("SHUTDOWN")

    def keep_down(self, ended: bool, wait_s: float, clock: Clock) -> None:
        """Stop the unit, and wait until systemd reports the unit as down."""
        if not ended:
            self._refuse_running()
        self._systemctl("stop", timeout_s=wait_s)
        down = until(
            self.unit,
            lambda unit: unit.active in ("inactive", "failed"),
            deadline_s=wait_s,
            interval_s=0.05,
            clock=clock,
            says=lambda unit: f"its unit {self.name} is {unit.active}",
        )
        if not down.satisfied:
            raise OperationFailed(f"its unit {self.name} is still {down.seen.active} {wait_s:g} s after systemctl stop")

    def _refuse_running(self) -> None:
        """Raise PreconditionFailed if the unit runs, although nothing answers on the port.

        A unit with restarts passes: a crashing server runs for moments, too.
        """
        unit = self.unit()
        if (unit.active, unit.sub) == ("active", "running") and not unit.restarts:
            raise PreconditionFailed(
                f"its unit {unit.name} runs (pid {unit.main_pid}), but nothing answers here",
                state="The server was left alone",
                advice="Check port, address and the name of the unit",
            )

    def start(self, request: Start) -> SystemdAttempt:
        self._remove_no_restart()  # a killed run may have left the drop-in
        if request.executable:
            self.point_to(request)
        # our starts count against StartLimitBurst=
        self.host.run(["systemctl", "reset-failed", "--", self.name], 30)
        since_s = time.time()
        self._systemctl("start", "--no-block")
        return SystemdAttempt(self, since_s)

    def point_to(self, request: Start) -> bool:
        """Make the unit start this executable: by a drop-in, unless the unit's files name it.

        Returns whether that was changed.
        """
        unit = self.unit()
        own = self._own_command(unit)
        if own is None:
            return False  # a script starts the server, and chooses the executable
        text = None
        if not _same_file(_resolved(own.program, self.name), request.executable):
            text = drop_in(own, request.executable, version_folder(request.executable), request.sentinel, unit.no_exec)
        changed = _ensure_file(self.drop_in_file, text)
        if changed or unit.needs_reload:
            self._reload()
        return changed

    def _reload(self) -> None:
        done = self.host.run(["systemctl", "daemon-reload"], 120)
        if done.code:
            raise OperationFailed(f"systemctl daemon-reload ended with {done.code}: {done.errors}")

    def _own_command(self, unit: Unit) -> ExecStart | None:
        """Return the unit's command without our drop-in; None if that does not run a server."""
        found = exec_start([read_text(path) for path in unit.files if path != self.drop_in_file and os.path.isfile(path)])
        return found if found is not None and is_server_program(found.program) else None

    def _systemctl(self, *words: str, timeout_s: float = 60) -> None:
        done = self.host.run(["systemctl", *words, "--", self.name], timeout_s)
        if done.code:
            raise OperationFailed(
                f"systemctl {' '.join(words)} {self.name} ended with {done.code}: {done.errors or done.output.strip()}",
                advice=f"See systemctl status {self.name}",
            )


def _lacks_libsystemd(binary: str) -> bool:
    """Return whether a server cannot tell systemd that it is ready (Redis 5.0 needs no library)."""
    with open(binary, "rb") as file:
        return _NO_SYSTEMD in file.read()


def _resolved(program: str, unit: str) -> str:
    path = expanded(program, unit)
    return path if os.path.isabs(path) else shutil.which(path, path=_SEARCH_PATH) or path


def _same_file(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _ensure_file(path: str, text: str | None) -> bool:
    """Write a drop-in, or remove it (None) with its folder if empty; return whether it changed."""
    now = read_text(path) if os.path.isfile(path) else None
    if now == text:
        return False
    if text is None:
        os.remove(path)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))
        return True
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    write_atomically(path, text, mode=0o644)
    return True


# -- finding the unit


def service_of(pid: int, setting: str, host: Host = THIS_HOST) -> dict[str, Any]:
    """Return the record of how the running process is stopped and started; see ``choose_manager``.

    ``setting``: the user's choice, ``auto`` or a manager.
    """
    booted = setting in ("auto", "systemd") and host.booted_by_systemd()
    cgroup = unit_in_cgroup(host.cgroup(pid)) if booted else None
    unit, trouble = None, ""
    if cgroup is not None and not cgroup.of_user:
        try:
            unit = show(cgroup.name, host)
        except SentinelOpsError as error:
            trouble = error.message
    return choose_manager(setting, pid, host.parent(pid), booted, cgroup, unit, trouble)


def systemd_for(unit: str, pid: int | None, node: str, host: Host = THIS_HOST) -> Systemd:
    """Return the named unit as the service of a process (``pid`` None: no process runs).

    Raises PreconditionFailed if the process belongs to another unit, or to none.
    """
    if not host.booted_by_systemd():
        raise PreconditionFailed(
            "systemd does not run this host", node=node, state="The server was left alone", advice="Leave out the option unit"
        )
    service = Systemd(unit, host)
    name = service.unit().name  # an alias has the name of its unit
    found = unit_in_cgroup(host.cgroup(pid)) if pid is not None else None
    if pid is not None and (found is None or found.of_user or found.name != name):
        raise PreconditionFailed(
            f"its process {pid} does not belong to the unit {name}, but to {found.name if found else 'none'}",
            node=node,
            state="The server was left alone",
            advice="Run again, or correct the unit",
        )
    return Systemd(name, host)
