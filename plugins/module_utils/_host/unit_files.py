# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd, purely: which one a process belongs to, what systemctl says of it, and the
drop-in that moves it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Sequence

__all__ = [
    "PROPERTIES",
    "CgroupUnit",
    "ExecStart",
    "Unit",
    "choose",
    "drop_in",
    "exec_start",
    "expanded",
    "is_plain",
    "is_server_program",
    "parse_unit",
    "unit_in_cgroup",
    "when_stopped",
]

# what `systemctl show` is asked for
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
_SERVERS = ("redis-server", "valkey-server", "redis-sentinel", "valkey-sentinel")
_PATH = re.compile(r"\{ path=(.*?) ; argv\[\]=")
_EXEC = re.compile(r"(?P<prefix>[@\-:+!|]*)(?P<program>[^\s\"']+)(?P<arguments>(?:\s.*)?)$", re.DOTALL)
_USER_MANAGER = re.compile(r"user@\d+\.service$")
_PLAIN = re.compile(r"[\w./+@:,=-]+$")  # what needs no quoting in a unit file


class CgroupUnit(NamedTuple):
    """The unit that a process is in, for example ``redis-server@6380.service``; ``of_user``: of a
    user's own systemd.
    """

    name: str
    of_user: bool


def unit_in_cgroup(text: str) -> CgroupUnit | None:
    """The service that ``/proc/<pid>/cgroup`` names (v1, hybrid or v2); None for a session's scope,
    or none at all.
    """
    paths = {}
    for line in text.splitlines():
        number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        if controllers == "name=systemd" or (number == "0" and not controllers):
            paths[controllers] = path
    # version 1 and hybrid have systemd's own hierarchy; in a container that is all version 2 it may
    # be there, and empty
    for path in (paths.get("name=systemd", ""), paths.get("", "")):
        # the units of a container's host come before those of the container's own systemd, so the
        # last one counts
        units = [part for part in path.split("/") if part.endswith((".service", ".scope"))]
        if units:
            plain = units[-1].endswith(".scope") or _USER_MANAGER.match(units[-1])
            return None if plain else CgroupUnit(units[-1], any(_USER_MANAGER.match(part) for part in units))
    return None


@dataclass(frozen=True)
class Unit:
    """What ``systemctl show`` says of a service; ``program`` is the path that its ExecStart runs
    (empty: none, or several).
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
    """The output of ``systemctl show --property=... UNIT``."""
    said: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _equals, value = line.partition("=")
        said.setdefault(name, []).append(value)

    def one(name: str) -> str:
        return said.get(name, [""])[-1]

    programs = [found.group(1) for found in map(_PATH.match, said.get("ExecStart", [])) if found]
    return Unit(
        name=one("Id"),
        loaded=one("LoadState"),
        active=one("ActiveState"),
        sub=one("SubState"),
        type=one("Type"),
        main_pid=int(one("MainPID") or 0),
        restart=one("Restart"),
        restarts=int(one("NRestarts") or 0),
        result=one("Result"),
        job=one("Job") if one("Job") != "0" else "",
        program=programs[0] if len(programs) == 1 else "",
        files=tuple(path for path in (one("FragmentPath"), *one("DropInPaths").split()) if path),
        file_state=one("UnitFileState"),
        transient=one("Transient") == "yes",
        needs_reload=one("NeedDaemonReload") == "yes",
        no_exec=bool(one("NoExecPaths")),
    )


def is_server_program(path: str) -> bool:
    """Whether a unit that runs this program starts the server itself, and not a script that does."""
    return os.path.basename(path) in _SERVERS


def is_plain(path: str) -> bool:
    """Whether a path can stand in a unit file as it is."""
    return bool(_PLAIN.match(path))


# -- which manager
# ----------------------------------------------------------------------------------------------------


def _unclear(seen: str, why: str, do: str) -> dict[str, Any]:
    return {"manager": "unclear", "unit": "", "doubts": [{"seen": seen, "why": why, "do": do}]}


def choose(
    wanted: str, pid: int, parent: int, booted: bool, cgroup: CgroupUnit | None, unit: Unit | None, trouble: str = ""
) -> dict[str, Any]:
    """How the process is stopped and started: ``{"manager", "unit", "program", "enabled",
    "doubts"}``.

    ``wanted`` is what the user has set (``auto`` or a manager), ``booted`` whether systemd runs
    this host, ``unit`` what it says of the unit in the cgroup, or ``trouble`` why it says nothing.
    Doubts forbid to touch the instance.
    """
    if wanted in ("process", "command"):
        return {"manager": wanted, "unit": "", "doubts": []}
    mismatch = _not_a_unit(pid, parent, booted, cgroup, unit, trouble)
    if mismatch is not None or unit is None:
        if wanted == "auto":
            return {"manager": "process", "unit": "", "doubts": []} if mismatch is None or mismatch[0] else mismatch[1]
        return _unclear(
            "redis_upgrade_service_manager is systemd, and its process belongs to no unit of systemd",
            "It could not be stopped and started by systemd",
            "Start it by its unit, or set auto, process or command",
        )
    if wanted == "auto" and unit.main_pid != pid:
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
    """None if the unit may own the process; else whether it is a plain process for certain, and
    what is unclear if not.
    """
    if not booted or cgroup is None:
        return True, {}
    if cgroup.of_user:
        return False, _unclear(
            f"it runs as {cgroup.name} of the systemd of a user",
            "Only units of the system are known, and that systemd may start it again behind our back",
            "Set redis_upgrade_service_manager: command, with systemctl --user as the commands",
        )
    if unit is None:
        return False, _unclear(
            f"it runs in {cgroup.name}, of which systemd says nothing ({trouble})",
            "It cannot be told whether systemd would start it again",
            "Check systemctl on that host, or set redis_upgrade_service_manager",
        )
    if unit.main_pid not in (0, pid, parent):
        # started by hand in what another service left, for example under an sshd without PAM
        return True, {}
    return None


def _doubts(unit: Unit) -> Sequence[Mapping[str, str]]:
    found = []
    if unit.transient:
        seen, why, do = "is transient (systemd-run)", "It would be gone once it is stopped", "Write a unit file for it"
        found.append((seen, why, do))
    if unit.loaded == "masked" or unit.file_state.startswith("masked"):
        found.append(("is masked", "It could not be started again", f"systemctl unmask {unit.name}"))
    if unit.needs_reload:
        why = "It would be started with settings that it has never run with"
        found.append(("has changed on disk since systemd read it", why, "Look at the change, then systemctl daemon-reload"))
    return [{"seen": f"its unit {unit.name} {seen}", "why": why, "do": do} for seen, why, do in found]


def when_stopped(wanted: str, noted: Mapping[str, Any] | None) -> dict[str, Any]:
    """The same for an instance that does not run: what its journal has noted, unless another
    manager is set.
    """
    known = dict(noted) if noted else {"manager": "process", "unit": ""}
    if wanted in ("auto", known["manager"]):
        return known if known["manager"] == "unclear" else {**known, "doubts": []}
    if wanted != "systemd":
        return {"manager": wanted, "unit": "", "doubts": []}
    return _unclear(
        "it does not run, and its journal names no unit of systemd",
        "It cannot be told which unit to start",
        "Start it by its unit and run again, or set redis_upgrade_service_manager to auto",
    )


# -- the drop-in
# ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExecStart:
    """The command that a unit's files set; ``program`` as written there, ``arguments`` with the
    space before them.
    """

    prefix: str
    program: str
    arguments: str


def _assignments(text: str) -> list[tuple[str, str, str]]:
    """Section, name and value of a unit file's settings; continued lines are joined."""
    found, section, begun = [], "", ""
    for line in text.splitlines():
        if line.lstrip().startswith(("#", ";")):
            continue  # also between the parts of a continued line
        whole, begun = begun + line, ""
        if whole.endswith("\\"):
            begun = whole[:-1] + " "
            continue
        whole = whole.strip()
        if whole.startswith("["):
            section = whole
        elif "=" in whole:
            name, _equals, value = whole.partition("=")
            found.append((section, name.strip(), value.strip()))
    return found


def exec_start(texts: Sequence[str]) -> ExecStart | None:
    """The ExecStart of a unit's files, the fragment first; None if there is not exactly one that
    can be understood.
    """
    commands: list[str] = []
    for text in texts:
        for section, name, value in _assignments(text):
            if (section, name) == ("[Service]", "ExecStart"):
                commands = [*commands, value] if value else []
    found = _EXEC.match(commands[0]) if len(commands) == 1 else None
    return ExecStart(found.group("prefix"), found.group("program"), found.group("arguments")) if found else None


def expanded(program: str, unit: str) -> str:
    """A program's path with the specifiers that name the unit put in."""
    name = unit.rpartition(".")[0]
    prefix, _at, instance = name.partition("@")
    values = {"%i": instance, "%p": prefix, "%n": unit, "%N": name, "%%": "%"}
    return re.sub("%[ipnN%]", lambda found: values[found.group()], program)


def drop_in(own: ExecStart, executable: str, folder: str, sentinel: bool, no_exec: bool) -> str:
    """A drop-in that makes a unit run another executable (of a plain path) with the arguments that
    it has.

    ``folder`` is where the executable's version is: a unit that may execute nothing but its own
    program (NoExecPaths, as in Debian's) must be allowed to.
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
