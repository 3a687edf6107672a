# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run over several deployments: an ansible-playbook process for each, some side by side.

Each process is the command of this run once more, with two groups that hold one deployment. So each
deployment has its own plan, lock, gates and report, and the failure of one cannot touch another.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ...module_utils._host.process import signalled_with_us

__all__ = ["Run", "choose", "command", "prompts", "run_all", "verdict_lines"]

REDIS_GROUP, SENTINEL_GROUP = "sentinelops_redis_nodes", "sentinelops_redis_sentinels"
_FAILURE_LINES = 60  # of its output, from the failed task on
_OUTPUT = "ANSIBLE_STDOUT_CALLBACK"  # the lines of the default one are read below
_TIMES = "SENTINELOPS_RUN_TIMES_FILE"  # of the callback run_times: a file for each process


@dataclass
class Run:
    """The run of one deployment. ``code``: its exit code; None before its end, or if not begun."""

    name: str
    folder: Path
    words: list[str]
    code: int | None = None
    begun_s: float = 0.0
    seconds: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    output: IO[bytes] | None = None
    unread: bytes = field(default=b"", repr=False)

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def report(self) -> Path:
        return self.folder / f"{self.name}.report.json"

    def as_dict(self) -> dict[str, Any]:
        state = "not begun" if self.code is None else "failed" if self.code else "done"
        found = {"name": self.name, "state": state, "seconds": round(self.seconds, 1), "log": str(self.log)}
        files = {"report": self.report, "page": self.report.with_suffix(".html")}
        return {**found, **{name: str(path) if path.exists() else "" for name, path in files.items()}}


def choose(deployments: Sequence[Mapping[str, Any]], wanted: Sequence[str], first: str) -> list[dict[str, Any]]:
    """Return the wanted deployments (none means all), that of the name ``first`` in front.

    Raises ValueError if there is no such deployment, or if ``first`` is not a wanted one.
    """
    names = [str(one["name"]) for one in deployments]
    unknown = [name for name in [*wanted, first] if name and name not in names]
    if unknown:
        raise ValueError(f"there is no deployment {', '.join(unknown)}; the inventory has {', '.join(names)}")
    found = [dict(one) for one in deployments if not wanted or one["name"] in wanted]
    if first and not any(one["name"] == first for one in found):
        raise ValueError(f"the canary {first} (redis_upgrade_canary_deployment) is not among the chosen deployments")
    return sorted(found, key=lambda one: one["name"] != first)


def prompts(options: Mapping[str, Any]) -> list[str]:
    """Return the options of this command line by which Ansible asks for a password."""
    asked = {"ask_pass": "--ask-pass", "become_ask_pass": "--ask-become-pass", "ask_vault_pass": "--ask-vault-password"}
    found = [option for name, option in asked.items() if options.get(name)]
    return found + [f"--vault-id {one}" for one in options.get("vault_ids") or [] if str(one).endswith("@prompt")]


def command(deployment: Mapping[str, Any], folder: Path, argv: Sequence[str], inventories: Iterable[str]) -> list[str]:
    """Write the files of a deployment's run into ``folder``; return its command.

    ``argv``: the command of this run. ``inventories``: its sources, needed if ``argv`` names none.
    """
    name = deployment["name"]
    groups = {REDIS_GROUP: deployment["redis_hosts"], SENTINEL_GROUP: deployment["sentinel_hosts"]}
    children = {group: {"hosts": dict.fromkeys(hosts)} for group, hosts in groups.items()}
    inventory, variables = folder / f"{name}.inventory.json", folder / f"{name}.variables.json"
    inventory.write_text(json.dumps({"all": {"children": children}}), encoding="utf-8")
    given = {
        "__redis_upgrade_deployment": name,
        "redis_upgrade_redis_group": REDIS_GROUP,
        "redis_upgrade_sentinel_group": SENTINEL_GROUP,
        "redis_upgrade_report_file": str(folder / f"{name}.report.json"),
        "redis_upgrade_preflight_file": str(folder / f"{name}.preflight.json"),
    }
    variables.write_text(json.dumps(given), encoding="utf-8")
    named = any(word.startswith(("-i", "--inventory")) for word in argv[1:])
    sources = [] if named else [word for source in inventories for word in ("-i", str(source))]
    # unbuffered for run_all(), but not by PYTHONUNBUFFERED: modules on this host would inherit it,
    # and Python would read each of them byte by byte
    return [sys.executable, "-u", *argv, *sources, "-i", str(inventory), "-e", f"@{variables}"]


def run_all(runs: Sequence[Run], canary: bool, at_once: int, max_failed: int, say: Callable[[str], None]) -> None:
    """Run all, at most ``at_once`` side by side, the first one alone if it is a ``canary``.

    After more than ``max_failed`` failures no other one begins. Those under way end as planned.
    """
    waiting, failed = list(runs), 0
    under_way: list[Run] = []
    while waiting or under_way:
        alone = canary and (len(waiting) == len(runs) or (under_way and under_way[0] is runs[0]))
        while waiting and len(under_way) < (1 if alone else max(1, at_once)) and failed <= max_failed:
            run = waiting.pop(0)
            _begin(run, time.monotonic())
            say(f"{run.name}: begun, see {run.log}")
            under_way.append(run)
        if not under_way:
            return
        time.sleep(0.2)
        for run in list(under_way):
            _tell(run, say)
            code = run.process.poll() if run.process is not None else None
            if code is not None:
                _end(run, code, time.monotonic(), say)
                failed += bool(run.code)
                under_way.remove(run)


def _begin(run: Run, now_s: float) -> None:
    run.log.touch(mode=0o600)
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", _OUTPUT: "ansible.builtin.default"}
    if environment.get(_TIMES):
        environment[_TIMES] = str(run.folder / f"{run.name}.run-times.json")
    with run.log.open("wb") as log:
        run.process = subprocess.Popen(
            run.words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            preexec_fn=_interrupted_with_us(),  # noqa: PLW1509 (a worker of Ansible has one thread)
        )
    run.output, run.begun_s = run.log.open("rb"), now_s


def _interrupted_with_us() -> Callable[[], None]:
    """Return the set-up of a process that is interrupted, as by Ctrl-C, if this one ends."""
    set_signal = signalled_with_us(signal.SIGINT)

    def set_up() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        set_signal()

    return set_up


def _tell(run: Run, say: Callable[[str], None]) -> None:
    """Say which plays have begun since the last time."""
    read = run.output.read() if run.output is not None else b""
    *lines, run.unread = (run.unread + read).split(b"\n")
    for line in lines:
        if line.startswith(b"PLAY [("):
            say(f"{run.name}: {line.decode(errors='replace')[6:].rstrip('* ').removesuffix(']')}")


def _end(run: Run, code: int, now_s: float, say: Callable[[str], None]) -> None:
    _tell(run, say)
    if run.output is not None:
        run.output.close()
    run.code, run.seconds = code, now_s - run.begun_s
    if run.code:
        say(f"{run.name}: FAILED after {run.seconds:.0f} s:")
        for line in _failure(run.log.read_text(encoding="utf-8", errors="replace")):
            say(f"{run.name}:   {line}")
    else:
        say(f"{run.name}: done in {run.seconds:.0f} s")


def _failure(text: str) -> list[str]:
    """Return the end of an output, from the last task that failed on."""
    lines = text.splitlines()
    failed = [number for number, line in enumerate(lines) if line.startswith(("fatal:", "[ERROR]", "ERROR"))]
    return [line for line in lines[failed[-1] if failed else -_FAILURE_LINES :] if line.strip()][:_FAILURE_LINES]


def verdict_lines(runs: Sequence[Run]) -> list[str]:
    """Return one line for each deployment, and what to do if not all are done."""
    found = [run.as_dict() for run in runs]
    counted = ", ".join(f"{sum(one['state'] == state for one in found)} {state}" for state in ("done", "failed", "not begun"))
    lines = [f"{len(runs)} deployment{'' if len(runs) == 1 else 's'}: {counted}"]
    for one in found:
        took = f" after {one['seconds']:.0f} s" if one["state"] != "not begun" else ""
        lines.append(f"{one['name']}: {one['state']}{took}{', see ' + one['log'] if took else ''}")
    if any(one["state"] != "done" for one in found):
        lines.append(
            "Each failed one is in the state that its last lines say. Mend it and run the same command again: what is done is skipped"
        )
    return lines
