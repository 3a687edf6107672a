# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a running plain process that its next start must restore (Linux, /proc).

Arguments and environment are not among these facts: a server overwrites both with its process title
(all of ``environ`` is zeros; measured with 5.0.6, 6.2.14, 7.0.15, Valkey 8.0.1 and 9.1.2). Only
``set-proc-title no`` (7.0) leaves them readable.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import stat
from dataclasses import asdict, dataclass, field
from typing import IO, Any, Callable, Mapping

from .._server.config_file import directives, read_text
from .facts import identity_of
from .process import Owner

__all__ = ["PROCESS_OPTIONS", "Output", "ProcessFacts", "facts_of", "limits_from", "lower_limits", "process_facts_from"]

# The names in /proc/<pid>/limits, the names of limits.conf(5), and the kernel's numbers.
_LIMITS = {
    "Max cpu time": ("cpu", resource.RLIMIT_CPU),
    "Max file size": ("fsize", resource.RLIMIT_FSIZE),
    "Max stack size": ("stack", resource.RLIMIT_STACK),
    "Max core file size": ("core", resource.RLIMIT_CORE),
    "Max resident set": ("rss", resource.RLIMIT_RSS),
    "Max processes": ("nproc", resource.RLIMIT_NPROC),
    "Max open files": ("nofile", resource.RLIMIT_NOFILE),
    "Max locked memory": ("memlock", resource.RLIMIT_MEMLOCK),
    "Max file locks": ("locks", 10),  # RLIMIT_LOCKS
    "Max pending signals": ("sigpending", resource.RLIMIT_SIGPENDING),
    "Max msgqueue size": ("msgqueue", resource.RLIMIT_MSGQUEUE),
    "Max nice priority": ("nice", resource.RLIMIT_NICE),
    "Max realtime priority": ("rtprio", resource.RLIMIT_RTPRIO),
    "Max realtime timeout": ("rttime", resource.RLIMIT_RTTIME),
    # the last ones: a small one may leave this process without memory
    "Max data size": ("data", resource.RLIMIT_DATA),
    "Max address space": ("as", resource.RLIMIT_AS),
}
_NUMBERS = dict(_LIMITS.values())
_OUTPUT_OPTIONS = {
    "type": "dict",
    "options": {"path": {"type": "str", "required": True}, "device": {"type": "int"}, "inode": {"type": "int"}},
}
# The option `process` of modules that start a server.
PROCESS_OPTIONS: dict[str, Any] = {
    "type": "dict",
    "options": {
        "uid": {"type": "int", "required": True},
        "gid": {"type": "int", "required": True},
        "groups": {"type": "list", "elements": "int"},
        "folder": {"type": "str"},
        "umask": {"type": "int"},
        "limits": {"type": "dict"},
        "nice": {"type": "int"},
        "oom_score_adj": {"type": "int"},
        "stdout": _OUTPUT_OPTIONS,
        "stderr": _OUTPUT_OPTIONS,
    },
}


@dataclass(frozen=True)
class Output:
    """The file behind standard output or standard error: ``path`` as /proc shows it.

    ``inode`` is 0 for anything but a file that still exists at its path.
    """

    path: str
    device: int = 0
    inode: int = 0

    @property
    def is_lost(self) -> bool:
        """True if nothing can be opened again: a pipe, a socket, a terminal or a deleted file."""
        return self.inode == 0 and self.path != os.devnull

    def open(self) -> IO[bytes] | None:
        """Return the same file, open for appending; None if another file, or none, is there."""
        if self.inode == 0:
            return None
        for mode in (os.O_RDWR, os.O_WRONLY):
            with contextlib.suppress(OSError):
                handle = os.open(self.path, mode | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                if _identity(os.fstat(handle)) == (self.device, self.inode):
                    return os.fdopen(handle, "r+b" if mode == os.O_RDWR else "wb", buffering=0)
                os.close(handle)
                return None
        return None


def _identity(found: os.stat_result) -> tuple[int, int]:
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else (0, 0)


@dataclass(frozen=True)
class ProcessFacts:
    """The facts of a process; None or empty for each that is not known.

    ``folder``: the working directory of the start. ``limits``: soft and hard limit by the names of
    limits.conf(5), -1 for unlimited.
    """

    uid: int
    gid: int
    groups: tuple[int, ...] | None = None
    folder: str = ""
    umask: int | None = None
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    nice: int | None = None
    oom_score_adj: int | None = None
    stdout: Output | None = None
    stderr: Output | None = None

    @property
    def owner(self) -> Owner:
        return Owner(self.uid, self.gid, self.groups)

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as JSON types, for ``process_facts_from``."""
        groups = None if self.groups is None else list(self.groups)
        return {**asdict(self), "groups": groups, "limits": {name: list(pair) for name, pair in self.limits.items()}}

    def apply(self, config_file: str = "") -> list[str]:
        """Give this process the facts, all but user and files; return what is not possible.

        A limit that cannot be raised is set as high as possible. A configuration file with
        ``oom-score-adj`` makes the server itself set its score, relative to the score at its start.
        """
        problems = []
        if self.oom_score_adj is not None and not _sets_oom_score(config_file):
            problems += _set_oom_score(self.oom_score_adj)
        if self.nice is not None:
            problems += _set_nice(self.nice)
        if self.umask is not None:
            os.umask(self.umask)
        for name, number in _NUMBERS.items():
            if name in self.limits:
                problems += _set_limit(name, number, self.limits[name])
        return problems

    def impossible(self, config_file: str = "") -> list[str]:
        """Return what ``apply`` cannot do with the rights and limits of this process.

        A child process tries.
        """
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                os.write(writer, json.dumps(self.apply(config_file)).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as answer:
            text = answer.read()
        os.waitpid(child, 0)
        return [str(problem) for problem in json.loads(text or b"[]")]

    def start_folder(self, config_file: str) -> str:
        """Return the folder to start the server in: the process's own, if that still exists."""
        return self.folder if os.path.isdir(self.folder) else os.path.dirname(config_file)

    def preparation(self, config_file: str) -> Callable[[], object]:
        """Return the function that the child process calls before it becomes the server."""
        return lambda: self.apply(config_file)


def _set_oom_score(wanted: int) -> list[str]:
    path = "/proc/self/oom_score_adj"
    try:
        if int(read_text(path)) != wanted:
            with open(path, "w", encoding="ascii") as file:
                file.write(str(wanted))
    except (OSError, ValueError):
        return [f"oom_score_adj {wanted}"]
    return []


def _set_nice(wanted: int) -> list[str]:
    try:
        if os.getpriority(os.PRIO_PROCESS, 0) != wanted:
            os.setpriority(os.PRIO_PROCESS, 0, wanted)
    except OSError:
        return [f"nice {wanted}"]
    return []


def _set_limit(name: str, number: int, wanted: tuple[int, int]) -> list[str]:
    now = resource.getrlimit(number)
    if now == wanted:
        return []
    hard = min(wanted[1], now[1], key=_height)
    for pair in (wanted, (min(wanted[0], hard, key=_height), hard)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(number, pair)
            break
    lower = lower_limits({name: wanted}, {name: resource.getrlimit(number)})
    return [f"limit {one}" for one in lower]


def _height(limit: int) -> float:
    return float("inf") if limit == resource.RLIM_INFINITY else limit


def lower_limits(before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]) -> list[str]:
    """Return a text for each limit that is lower than before: ``nofile 1024 instead of 10032``, or
    ``hard nofile 1024 instead of 4096`` if the soft limit is as before.
    """
    found = []
    for name in before:
        for kind, old, new in zip(("", "hard "), before[name], after.get(name, before[name])):
            if _height(new) < _height(old):
                found.append(f"{kind}{name} {_number(new)} instead of {_number(old)}")
                break
    return found


def _number(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)


# -- reading


def process_facts_from(given: Mapping[str, Any] | None) -> ProcessFacts | None:
    """Return the facts that ``as_dict`` or the option ``process`` gives."""
    if not given:
        return None
    values = {name: value for name, value in given.items() if value is not None and name in PROCESS_OPTIONS["options"]}
    for name in ("stdout", "stderr"):
        if name in values:
            values[name] = Output(values[name]["path"], values[name].get("device") or 0, values[name].get("inode") or 0)
    if "groups" in values:
        values["groups"] = tuple(values["groups"])
    limits = {name: (int(pair[0]), int(pair[1])) for name, pair in (values.pop("limits", None) or {}).items()}
    return ProcessFacts(**values, limits=limits)


def facts_of(pid: int, config_file: str = "") -> ProcessFacts | None:
    """Return the facts of a process; None if the process is gone.

    Folder and outputs are empty for a process of another user, unless this process is root.
    """
    try:
        status = read_text(f"/proc/{pid}/status")
        limits, scheduling = read_text(f"/proc/{pid}/limits"), read_text(f"/proc/{pid}/stat")
        score = int(read_text(f"/proc/{pid}/oom_score_adj"))
    except (OSError, ValueError):
        return None
    owner = identity_of(status)
    return ProcessFacts(
        owner.uid,
        owner.gid,
        owner.groups,
        folder=_start_folder(_link(pid, "cwd"), config_file),
        umask=_umask(status),
        limits=limits_from(limits),
        nice=int(scheduling.rpartition(")")[2].split()[16]),  # field 19 of proc_pid_stat(5)
        oom_score_adj=score,
        stdout=_output(pid, 1),
        stderr=_output(pid, 2),
    )


def limits_from(text: str) -> dict[str, tuple[int, int]]:
    """Return the limits of the text of /proc/<pid>/limits."""
    found = {}
    for line in text.splitlines():
        name = line[:26].strip()
        if name in _LIMITS:
            soft, hard = (resource.RLIM_INFINITY if word == "unlimited" else int(word) for word in line[26:].split()[:2])
            found[_LIMITS[name][0]] = (soft, hard)
    return found


def _umask(status: str) -> int | None:
    found = [line.split()[1] for line in status.splitlines() if line.startswith("Umask:")]
    return int(found[0], 8) if found else None  # none before Linux 4.7


def _link(pid: int, name: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/{name}")
    except OSError:
        return ""


def _output(pid: int, number: int) -> Output | None:
    path = _link(pid, f"fd/{number}")
    if not path:
        return None
    with contextlib.suppress(OSError):
        identity = _identity(os.stat(f"/proc/{pid}/fd/{number}"))
        if identity == _identity(os.stat(path)) != (0, 0):
            return Output(path, *identity)
    return Output(path)


def _start_folder(current: str, config_file: str) -> str:
    """Return the folder that a server was started in, by its working directory now.

    The server has changed to the folder of its `dir` directive. Then the start folder is unknown,
    and taken to be that of the configuration file, where relative names of included files count.
    """
    lines = _directives(config_file)
    data = ([words[0] for words in lines.get("dir", []) if words] or ["."])[-1]
    if not os.path.isabs(data) or os.path.realpath(data) != os.path.realpath(current):
        moved = "" if os.path.normpath(data) == "." else os.sep + os.path.normpath(data)
        return current[: -len(moved)] if moved and current.endswith(moved) else current
    folder = os.path.dirname(config_file)
    relative = [words[0] for words in lines.get("include", []) if words and not os.path.isabs(words[0])]
    missing = any(not os.path.exists(os.path.join(folder, name)) and os.path.exists(os.path.join(current, name)) for name in relative)
    return current if missing else folder


def _directives(config_file: str) -> dict[str, list[list[str]]]:
    try:
        return directives(read_text(config_file)) if config_file else {}
    except OSError:
        return {}


def _sets_oom_score(config_file: str) -> bool:
    return (_directives(config_file).get("oom-score-adj") or [["no"]])[-1] != ["no"]
