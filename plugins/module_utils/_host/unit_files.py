# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure functions for units of systemd: the unit of a process, the output of systemctl, and the
drop-in that changes a unit's executable.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Sequence

__all__ = [
    "PROPERTIES",
    "UNREAD",
    "CgroupUnit",
    "ExecStart",
    "Unit",
    "choose_manager",
    "drop_in",
    "exec_start",
    "expanded",
    "is_plain",
    "is_server_program",
    "manager_when_stopped",
    "parse_unit",
    "unit_in_cgroup",
]

# the properties to request from `systemctl show`
PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Type",
    "MainPID",
    "NRestarts",
    "Restart",
    "Result",
    "Job",
    "ExecStart",
    "FragmentPath",
    "DropInPaths",
    "UnitFileState",
    "Transient",
    "NeedDaemonReload",
    "NoExecPaths",
)
UNREAD = "has changed on disk since systemd read it"
_SERVERS = ("redis-server", "valkey-server", "redis-sentinel", "valkey-sentinel")
_PATH = re.compile(r"\{ path=(.*?) ; argv\[\]=")
_EXEC = re.compile(r"(?P<prefix>[@\-:+!|]*)(?P<program>[^\s\"']+)(?P<arguments>(?:\s.*)?)$", re.DOTALL)
_USER_MANAGER = re.compile(r"user@\d+\.service$")
_PLAIN = re.compile(r"[\w./+@:,=-]+$")  # needs no quotes in a unit file


class CgroupUnit(NamedTuple):
    """The unit of a process; ``of_user``: whether it is a unit of a user's own systemd."""

    name: str
    of_user: bool


def unit_in_cgroup(text: str) -> CgroupUnit | None:
    """Return the service that the text of ``/proc/<pid>/cgroup`` names (v1, hybrid or v2).

    None if the process is in the scope of a session, or in no unit.
    """
    paths = {}
    for line in text.splitlines():
        number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        if controllers == "name=systemd" or (number == "0" and not controllers):
            paths[controllers] = path
    # Version 1 and hybrid have a hierarchy of systemd's own. A container with version 2 only may
    # have that hierarchy, too, but empty.
    for path in (paths.get("name=systemd", ""), paths.get("", "")):
        # the last unit counts: in a container, the units of its host come first
        units = [part for part in path.split("/") if part.endswith((".service", ".scope"))]
        if units:
            plain = units[-1].endswith(".scope") or _USER_MANAGER.match(units[-1])
            return None if plain else CgroupUnit(units[-1], any(_USER_MANAGER.match(part) for part in units))
    return None


@dataclass(frozen=True)
class Unit:
    """A service as ``systemctl show`` describes it.

    ``program`` is the path that ExecStart runs; empty if there are no or several commands.
    """

    name: str
    loaded: str
    active: str
    sub: str
    type: str
    main_pid: int
    restart: str
    restarts: int
    result: str
    job: str
    program: str
    files: tuple[str, ...]
    file_state: str
    transient: bool
    needs_reload: bool
    no_exec: bool


def parse_unit(text: str) -> Unit:
    """Parse the output of ``systemctl show --property=... UNIT``."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _equals, value = line.partition("=")
        values.setdefault(name, []).append(value)

    def last(name: str) -> str:
        return values.get(name, [""])[-1]

    programs = [found.group(1) for found in map(_PATH.match, values.get("ExecStart", [])) if found]
    return Unit(
        name=last("Id"),
        loaded=last("LoadState"),
        active=last("ActiveState"),
        sub=last("SubState"),
        type=last("Type"),
        main_pid=int(last("MainPID") or 0),
        restart=last("Restart"),
        restarts=int(last("NRestarts") or 0),
        result=last("Result"),
        job=last("Job") if last("Job") != "0" else "",
        program=programs[0] if len(programs) == 1 else "",
        files=tuple(path for path in (last("FragmentPath"), *last("DropInPaths").split()) if path),
        file_state=last("UnitFileState"),
        transient=last("Transient") == "yes",
        needs_reload=last("NeedDaemonReload") == "yes",
        no_exec=bool(last("NoExecPaths")),
    )


def is_server_program(path: str) -> bool:
    """Return whether a program is the server itself, and not a script that starts one."""
    return os.path.basename(path) in _SERVERS


def is_plain(path: str) -> bool:
    """Return whether a path needs no quotes in a unit file."""
    return bool(_PLAIN.match(path))


# -- choosing the manager


def _unclear(seen: str, why: str, do: str) -> dict[str, Any]:
    return {"manager": "unclear", "unit": "", "doubts": [{"seen": seen, "why": why, "do": do}]}


def choose_manager(
    setting: str, pid: int, parent: int, booted: bool, cgroup: CgroupUnit | None, unit: Unit | None, trouble: str = ""
) -> dict[str, Any]:
    """Return how the process is stopped and started: ``{"manager", "unit", "program", "enabled",
    "doubts"}``.

    ``setting``: the user's choice, ``auto`` or a manager. ``booted``: whether systemd runs this
    host. ``unit``: the unit of the cgroup; ``trouble``: why systemd does not describe that unit.
    An instance with doubts must not be touched.
    """
    if setting in ("process", "command"):
        return {"manager": setting, "unit": "", "doubts": []}
    mismatch = _not_a_unit(pid, parent, booted, cgroup, unit, trouble)
    if mismatch is not None or unit is None:
        if setting == "auto":
            return {"manager": "process", "unit": "", "doubts": []} if mismatch is None or mismatch[0] else mismatch[1]
        return _unclear(
            "redis_upgrade_service_manager is systemd, and its process belongs to no unit of systemd",
            "systemd could not stop and start it",
            "Start it through its unit, or set auto, process or command",
        )
    if setting == "auto" and unit.main_pid != pid:
        return _unclear(
            f"its process {pid} runs in the unit {unit.name}, whose main process is {unit.main_pid or 'none'}",
            "That unit starts the server through something else, and may be meant for more than this server",
            "Set redis_upgrade_service_manager: systemd if stopping the unit stops this server and nothing else, else process or command",
        )
    return {
        "manager": "systemd",
        "unit": unit.name,
        "program": unit.program,
        "enabled": unit.file_state,
        "doubts": list(_doubts(unit)),
    }


def _not_a_unit(
    pid: int, parent: int, booted: bool, cgroup: CgroupUnit | None, unit: Unit | None, trouble: str
) -> tuple[bool, dict[str, Any]] | None:
    """Return None if the unit may own the process; otherwise whether the process certainly is a
    plain one, and the record of the doubt if not.
    """
    if not booted or cgroup is None:
        return True, {}
    if cgroup.of_user:
        return False, _unclear(
            f"it runs as {cgroup.name} of the systemd of a user",
            "Only units of the system are supported, and that systemd may restart the server at any time",
            "Set redis_upgrade_service_manager: command, with systemctl --user as the commands",
        )
    if unit is None:
        return False, _unclear(
            f"it runs in {cgroup.name}, of which systemd says nothing ({trouble})",
            "systemd may or may not restart the server after its stop",
            "Check systemctl on that host, or set redis_upgrade_service_manager",
        )
    if unit.main_pid not in (0, pid, parent):
        # started by hand inside the cgroup of another service, for example of an sshd without PAM
        return True, {}
    return None


def _doubts(unit: Unit) -> Sequence[Mapping[str, str]]:
    found = []
    if unit.transient:
        seen, why, do = "is transient (systemd-run)", "A stopped transient unit is gone", "Write a unit file for it"
        found.append((seen, why, do))
    if unit.loaded == "masked" or unit.file_state.startswith("masked"):
        found.append(("is masked", "systemd does not start a masked unit", f"systemctl unmask {unit.name}"))
    if unit.needs_reload:
        why = "The next start would use settings that the server has never run with"
        found.append((UNREAD, why, "Review the change, then run systemctl daemon-reload"))
    return [{"seen": f"its unit {unit.name} {seen}", "why": why, "do": do} for seen, why, do in found]


def manager_when_stopped(setting: str, recorded: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return how to start a stopped instance: by the set manager, or as its journal recorded."""
    known = dict(recorded) if recorded else {"manager": "process", "unit": ""}
    if setting in ("auto", known["manager"]):
        return known if known["manager"] == "unclear" else {**known, "doubts": []}
    if setting != "systemd":
        return {"manager": setting, "unit": "", "doubts": []}
    return _unclear(
        "it does not run, and its journal names no unit of systemd",
        "The unit to start is not known",
        "Start it through its unit and run again, or set redis_upgrade_service_manager to auto",
    )


# -- the drop-in


@dataclass(frozen=True)
class ExecStart:
    """The command of a unit: ``program`` as written, ``arguments`` with their leading space."""

    prefix: str
    program: str
    arguments: str


def _assignments(text: str) -> list[tuple[str, str, str]]:
    """Return section, name and value of a unit file's settings; continued lines are joined."""
    found, section, continued = [], "", ""
    for line in text.splitlines():
        if line.lstrip().startswith(("#", ";")):
            continue  # comments may also stand between the parts of a continued line
        whole, continued = continued + line, ""
        if whole.endswith("\\"):
            continued = whole[:-1] + " "
            continue
        whole = whole.strip()
        if whole.startswith("["):
            section = whole
        elif "=" in whole:
            name, _equals, value = whole.partition("=")
            found.append((section, name.strip(), value.strip()))
    return found


def exec_start(texts: Sequence[str]) -> ExecStart | None:
    """Return the ExecStart of a unit's files, given with the fragment first.

    None unless the files set exactly one command, whose program is written without quotes.
    """
    commands: list[str] = []
    for text in texts:
        for section, name, value in _assignments(text):
            if (section, name) == ("[Service]", "ExecStart"):
                commands = [*commands, value] if value else []
    found = _EXEC.match(commands[0]) if len(commands) == 1 else None
    return ExecStart(found.group("prefix"), found.group("program"), found.group("arguments")) if found else None


def expanded(program: str, unit: str) -> str:
    """Return a program's path with the specifiers of the unit's name expanded."""
    name = unit.rpartition(".")[0]
    prefix, _at, instance = name.partition("@")
    values = {"%i": instance, "%p": prefix, "%n": unit, "%N": name, "%%": "%"}
    return re.sub("%[ipnN%]", lambda found: values[found.group()], program)


def drop_in(own: ExecStart, executable: str, folder: str, sentinel: bool, no_exec: bool) -> str:
    """Return a drop-in that makes a unit run another executable (of a plain path) with the unit's
    own arguments.

    ``folder``: the version folder of the executable. ``no_exec``: the unit confines execution to
    its own program (NoExecPaths, as in Debian's unit), so the drop-in permits the folder.
    """
    as_sentinel = "sentinel" in os.path.basename(executable) or "--sentinel" in own.arguments.split()
    arguments = own.arguments + (" --sentinel" if sentinel and not as_sentinel else "")
    lines = [
        "# Written by the Ansible collection sentinelops.redis: the server runs from its version folder.",
        "# Without this file (and after systemctl daemon-reload) it runs from where its unit says.",
        "[Service]",
        "ExecStart=",
        f"ExecStart={own.prefix}{executable}{arguments}",
    ]
    return "\n".join([*lines, *([f"ExecPaths={folder}"] if no_exec else [])]) + "\n"
