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
MASTER = "mymaster"
COLUMNS = 80
REPORTS = Path(__file__).resolve().parent.parent / ".cache" / "demo"


class Failed(Exception):
    """A failed step of the demo; the output of the step says why."""


class Demo:
    """One sandbox in a temporary folder."""

    def __init__(self, old: Path, new: Path, layout: str) -> None:
        self.old, self.new = old, new
        self.folder = Path(tempfile.mkdtemp(prefix="redis-upgrade-demo-"))
        self.inventory = self.folder / "inventory.yml"
        self.stop_file, self.audit_file = self.folder / "stop", self.folder / "audit.json"
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
        self.writing_host = "machine-1" if layout == "runbook" else "sentinel-1"
        self.audit: subprocess.Popen[str] | None = None
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

    def write(self) -> None:
        print("Starting four writers, which find the master through Sentinel ...", flush=True)
        options = {
            "login_port": 27001,
            "master_name": MASTER,
            "stop_file": str(self.stop_file),
            "result_file": str(self.audit_file),
            "duration_s": 600,
            "writes_per_second": 100,
        }
        command = [
            "ansible",
            self.writing_host,
            "-i",
            str(self.inventory),
            "-m",
            f"{COLLECTION}.redis_write_audit",
            "-a",
            json.dumps(options),
        ]
        # A session of its own: Ctrl-C is for the upgrade; the writers are told to stop afterwards.
        self.audit = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        time.sleep(2)

    def upgrade(self) -> float:
        variables = {
            "redis_upgrade_version": version_of(self.new).removeprefix("valkey-"),
            "redis_upgrade_accept_no_way_back": True,
            "redis_upgrade_report_file": str(self.report_file),
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

    def finish_writing(self) -> dict[str, Any]:
        self.stop_file.touch()
        if self.audit is None:
            raise Failed("the writers were not started")
        output, _nothing = self.audit.communicate(timeout=120)
        if not self.audit_file.exists():
            raise Failed(f"the write audit gave no result: {output}")
        result: dict[str, Any] = json.loads(self.audit_file.read_text(encoding="utf-8"))
        return result

    def remove(self) -> None:
        """Wait for the demo's own processes, stop the servers, and delete the folder."""
        self.stop_file.touch()
        deadline = time.monotonic() + 20
        while self.processes(servers=False) and time.monotonic() < deadline:
            # An interrupted module ends only when the server that it restarts is safe.
            time.sleep(0.1)
        for pid in self.processes(servers=False):
            os.kill(pid, signal.SIGKILL)
        if self.audit is not None:
            self.audit.wait()
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


def summary(demo: Demo, seconds: float, audit: dict[str, Any]) -> tuple[list[str], bool]:
    """Return the lines of the summary, and whether the demo succeeded."""
    report = json.loads(demo.report_file.read_text(encoding="utf-8"))
    times = json.loads(demo.times_file.read_text(encoding="utf-8"))
    good = audit["lost"] == 0 and audit["unexpected"] == 0 and not report["problems"]
    lines = ["", "==== Summary ===="]
    lines += [f"{play['seconds']:6.1f} s  {play['name']}" for play in times["plays"] if play["seconds"] >= 0.1]
    lines += [f"{seconds:6.1f} s  the whole upgrade, start of Ansible included", ""]
    calls = ", ".join(f"{host} {count}" for host, count in sorted(times["calls"].items()))
    lines.append(f"Ansible calls per node: {calls}")
    lines.append(f"write gap: {audit['longest_gap_ms']:.0f} ms for one writer, {audit['longest_gap_all_ms']:.0f} ms for all of them")
    lines.append(
        f"writes: acknowledged {audit['acknowledged']}, lost {audit['lost']}, unexpected {audit['unexpected']}, "
        f"duplicates {audit['duplicates']}"
    )
    lines.append(f"writes whose outcome the client does not know: {audit['unknown']}, of these applied {audit['recovered']}")
    return [row for line in lines for row in textwrap.wrap(line, COLUMNS, subsequent_indent="  ") or [""]], good


def run(demo: Demo) -> int:
    demo.build()
    demo.write()
    seconds = demo.upgrade()
    lines, good = summary(demo, seconds, demo.finish_writing())
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
