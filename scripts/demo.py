"""Run a whole upgrade on a throw-away deployment under load, and print what it did.

usage: demo.py [--from VERSION_OR_FOLDER] [--to VERSION_OR_FOLDER] [--layout LAYOUT]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

from servers import CannotFetch, folder_for, version_of

COLLECTION = "sentinelops.redis"
COLUMNS = 80
WRITES_PER_SECOND = 200
REPORTS = Path(__file__).resolve().parent.parent / ".cache" / "demo"


class Failed(Exception):
    """A failed step of the demo; the output of the step says why."""


class Demo:
    """One sandbox in a temporary folder."""

    def __init__(self, old: Path, new: Path, layout: str) -> None:
        self.old, self.new = old, new
        self.folder = Path(tempfile.mkdtemp(prefix="redis-upgrade-demo-"))
        self.inventory = self.folder / "inventory.yml"
        self.times_file = self.folder / "times.json"
        # the report outlives the sandbox
        self.report_file = REPORTS / "upgrade-report.json"
        shutil.rmtree(REPORTS, ignore_errors=True)
        REPORTS.mkdir(parents=True)
        self.sandbox = {
            "redis_sandbox_folder": str(self.folder),
            "redis_sandbox_version_folder": str(old),
            "redis_sandbox_layout": layout,
        }
        # Processes of the demo inherit this mark, by which they are found.
        self.mark = f"REDIS_UPGRADE_DEMO={self.folder}"
        self.environment = {**os.environ, "REDIS_UPGRADE_DEMO": str(self.folder)}

    def playbook(self, name: str, variables: dict[str, Any], *arguments: str, quiet: bool = False, **environment: str) -> None:
        """Run a playbook of the collection. Ctrl-C ends the playbook.

        A quiet playbook shows its output only if it fails.
        """
        process = subprocess.Popen(
            ["ansible-playbook", f"{COLLECTION}.{name}", "-e", json.dumps(variables), *arguments],
            env={**self.environment, **environment},
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
            text=True,
        )
        try:
            output, _nothing = process.communicate()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        if process.returncode:
            print(output or "", flush=True)
            raise Failed(f"the playbook {name} failed, see above")

    def build(self) -> None:
        print(f"Building a sandbox of three Redis and three Sentinels on {version_of(self.old)} ...", flush=True)
        self.playbook("sandbox", self.sandbox, quiet=True)

    def upgrade(self) -> float:
        variables = {
            "redis_upgrade_version": version_of(self.new).removeprefix("valkey-"),
            "redis_upgrade_accept_no_way_back": True,
            "redis_upgrade_report_file": str(self.report_file),
            "redis_upgrade_audit": True,
            "redis_upgrade_audit_writes_per_second": WRITES_PER_SECOND,
            "redis_binaries_source": str(self.new),
            "redis_binaries_remote_src": True,
        }
        start = time.monotonic()
        self.playbook(
            "upgrade",
            variables,
            "-i",
            str(self.inventory),
            ANSIBLE_STDOUT_CALLBACK=f"{COLLECTION}.upgrade",
            ANSIBLE_CALLBACKS_ENABLED=f"{COLLECTION}.run_times",
            SENTINELOPS_RUN_TIMES_FILE=str(self.times_file),
        )
        return time.monotonic() - start

    def show_report(self, interrupted: bool) -> None:
        """Print where the report is, also that of a run that has not ended."""
        if not self.report_file.exists():
            return
        if interrupted:
            self.playbook("report", {"redis_upgrade_report_file": str(self.report_file)}, quiet=True)
        page = self.report_file.with_suffix(".html")
        print(f"Report: {os.path.relpath(page)}", flush=True)

    def remove(self) -> None:
        """Wait for the demo's own processes, stop the servers, and delete the folder."""
        # ends the audit of an interrupted run
        shutil.rmtree(self.folder / "journal" / "audit", ignore_errors=True)
        deadline = time.monotonic() + 20
        while self.processes(servers=False) and time.monotonic() < deadline:
            # An interrupted module ends only when the server that it restarts is safe.
            time.sleep(0.1)
        for pid in self.processes(servers=False):
            os.kill(pid, signal.SIGKILL)
        try:
            self.playbook("sandbox", {**self.sandbox, "redis_sandbox_state": "absent"}, quiet=True)
        except Failed as error:
            print(f"{error}; ending what is left by process id", flush=True)
            for pid in self.processes(servers=True):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self, *, servers: bool) -> list[int]:
        """Return the ids of the demo's living processes: its servers, or all others."""
        found = []
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if process.name.isdigit() and self.mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                    is_server = str((process / "exe").readlink()).startswith(f"{self.folder}/")
                    if is_server == servers:
                        found.append(int(process.name))
        return found


def summary(demo: Demo, seconds: float) -> tuple[list[str], bool]:
    """Return the lines of the summary, and whether the demo succeeded."""
    report = json.loads(demo.report_file.read_text(encoding="utf-8"))
    times = json.loads(demo.times_file.read_text(encoding="utf-8"))
    (audit,) = report["audits"].values()
    good = audit["lost"] == 0 and audit["unexpected"] == 0 and not report["problems"]
    lines = ["", "==== Summary ===="]
    lines += [f"{play['seconds']:6.1f} s  {play['name']}" for play in times["plays"] if play["seconds"] >= 0.1]
    lines += [f"{seconds:6.1f} s  the whole upgrade, start of Ansible included", ""]
    calls = ", ".join(f"{host} {count}" for host, count in sorted(times["calls"].items()))
    lines.append(f"Ansible calls per node: {calls}")
    lines.append(f"longest time without a write: {audit['longest_gap_ms']:.0f} ms")
    lines.append(
        f"writes: acknowledged {audit['acknowledged']}, lost {audit['lost']}, unexpected {audit['unexpected']}, "
        f"duplicates {audit['duplicates']}"
    )
    lines.append(f"writes whose outcome the client does not know: {audit['unknown']}, of these applied {audit['recovered']}")
    return [row for line in lines for row in textwrap.wrap(line, COLUMNS, subsequent_indent="  ") or [""]], good


def run(demo: Demo) -> int:
    demo.build()
    seconds = demo.upgrade()
    lines, good = summary(demo, seconds)
    print("\n".join(lines), flush=True)
    return 0 if good else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="old", default="6.2.9", help="the version to begin with (a known version, or a folder)")
    parser.add_argument("--to", dest="new", default="6.2.14", help="the version to upgrade to")
    parser.add_argument(
        "--layout",
        choices=["version_folders", "runbook"],
        default="version_folders",
        help="a version folder per instance, or one folder per machine with everything in it",
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        demo = Demo(folder_for(arguments.old), folder_for(arguments.new), arguments.layout)
    except CannotFetch as error:
        print(error, file=sys.stderr)
        return 2
    code = 130
    try:
        code = run(demo)
    except Failed as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
    finally:
        # A second Ctrl-C must not leave servers behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("Removing the sandbox ...", flush=True)
        demo.remove()
        demo.show_report(interrupted=code == 130)
    return code


if __name__ == "__main__":
    sys.exit(main())
