"""A host with systemd that replays recorded output.

Recorded on Debian 12 (systemd 252) with redis-server 7.0.15 from its package.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Host, Ran
from ansible_collections.sentinelops.redis.plugins.module_utils._host.unit_files import exec_start

# recorded: systemctl show --property=... redis-server.service
SHOWN = """\
Type=notify
Restart=always
MainPID=448
Result=success
NRestarts=0
ExecStart={ path=/usr/bin/redis-server ; argv[]=/usr/bin/redis-server /etc/redis/redis.conf --supervised systemd --daemonize no ; \
ignore_errors=no ; start_time=[Sun 2026-11-22 18:23:19 UTC] ; stop_time=[n/a] ; pid=448 ; code=(null) ; status=0/0 }
NoExecPaths=/
Id=redis-server.service
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/lib/systemd/system/redis-server.service
DropInPaths=
UnitFileState=enabled
Job=
NeedDaemonReload=no
Transient=no
"""
# recorded: /proc/<pid>/cgroup of the same server, in a container on a host with hybrid cgroups
CGROUP = "9:name=systemd:/\n8:pids:/\n4:memory:/\n1:cpu:/\n0::/system.slice/redis-server.service\n"
# the package's unit, without most of its sandboxing
FRAGMENT = """\
[Unit]
Description=Advanced key-value store
After=network.target

[Service]
Type=notify
ExecStart=/usr/bin/redis-server /etc/redis/redis.conf --supervised systemd --daemonize no
PIDFile=/run/redis/redis-server.pid
TimeoutStopSec=0
Restart=always
# This restricts this service from executing binaries other than redis-server
NoExecPaths=/
ExecPaths=/usr/bin/redis-server /usr/lib /lib

[Install]
WantedBy=multi-user.target
"""


def shown(**changes: object) -> str:
    """Return the recorded output of ``systemctl show`` with changed or additional values."""
    values = {line.partition("=")[0]: line.partition("=")[2] for line in SHOWN.splitlines()}
    values.update({name: str(value) for name, value in changes.items()})
    return "".join(f"{name}={value}\n" for name, value in values.items())


class ReplayedHost(Host):
    """A host that replays ``states`` for ``systemctl show``, the last one repeatedly."""

    def __init__(self, *states: str, cgroup: str = CGROUP, parent: int = 1, booted: bool = True) -> None:
        self.states = list(states) or [SHOWN]
        self.commands: list[str] = []
        self.fails: dict[str, Ran] = {}
        self.journal = ""
        self._cgroup, self._parent, self._booted = cgroup, parent, booted

    def booted_by_systemd(self) -> bool:
        return self._booted

    def cgroup(self, pid: int) -> str:
        return self._cgroup

    def parent(self, pid: int) -> int:
        return self._parent

    def run(self, words: Sequence[str], timeout_s: float) -> Ran:
        line = " ".join(words)
        for part, ran in self.fails.items():
            if part in line:
                return ran
        if words[:2] == ["systemctl", "show"]:
            return Ran(0, self.states.pop(0) if len(self.states) > 1 else self.states[0])
        if words[0] == "journalctl":
            return Ran(0, self.journal)
        self.commands.append(line)
        return Ran(0, "")


class UnitFiles:
    """The files of a unit in a folder of a test, and the output of systemctl for them."""

    def __init__(self, path: Path, fragment: str = FRAGMENT) -> None:
        self.units, self.runtime_units = path / "system", path / "runtime"
        self.units.mkdir()
        self.fragment = path / "redis-server.service"
        self.fragment.write_text(fragment)
        self.stop_drop_in = self.runtime_units / "redis-server.service.d" / "zz-sentinelops-redis-stop.conf"
        self.drop_in = self.units / "redis-server.service.d" / "zz-sentinelops-redis.conf"

    def shown(self, **changes: object) -> str:
        drop_ins = str(self.drop_in) if self.drop_in.exists() else ""
        return shown(**{"FragmentPath": self.fragment, "DropInPaths": drop_ins, **changes})


class WorkingHost(Host):
    """A host that runs one unit as systemd would, from the files of ``UnitFiles``.

    It reads the files at daemon-reload, and honours ``Restart=always``.
    """

    def __init__(self, files: UnitFiles) -> None:
        self.files = files
        self.commands: list[str] = []
        self.enabled = "disabled"
        self.process: subprocess.Popen[bytes] | None = None
        self.unwanted_restarts = 0
        self._wanted = False
        self._loaded, self._restarts = self._command(), True

    def _command(self) -> list[str]:
        texts = [path.read_text() for path in (self.files.fragment, self.files.drop_in) if path.exists()]
        own = exec_start(texts)
        assert own is not None
        return [own.program, *own.arguments.split()]

    def booted_by_systemd(self) -> bool:
        return True

    def cgroup(self, pid: int) -> str:
        return CGROUP if self.process is not None and pid == self.process.pid else "0::/system.slice/ssh.service\n"

    def parent(self, pid: int) -> int:
        return 1

    def run(self, words: Sequence[str], timeout_s: float) -> Ran:
        verb = words[1] if words[0] == "systemctl" else words[0]
        if verb == "show":
            return Ran(0, self._show())
        self.commands.append(verb)
        if verb == "daemon-reload":
            self._loaded, self._restarts = self._command(), not self.files.stop_drop_in.exists()
        elif verb == "start":
            self._wanted = True
            self.process = subprocess.Popen(self._loaded, stdout=subprocess.DEVNULL, start_new_session=True)
        elif verb == "stop":
            if self._wanted and self._restarts and self.process is not None and self.process.poll() == -signal.SIGTERM:
                self.unwanted_restarts += 1
            self._wanted = False
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        return Ran(0, "it printed this" if verb == "journalctl" else "")

    def _show(self) -> str:
        lives = self.process is not None and self.process.poll() is None
        if lives or not self._wanted:
            active, sub = ("active", "running") if lives else ("inactive", "dead")
        else:
            active, sub = "activating", "auto-restart"
        pid = self.process.pid if lives and self.process is not None else 0
        changed = {"ActiveState": active, "SubState": sub, "MainPID": pid, "UnitFileState": self.enabled}
        return self.files.shown(**changed, Result="success" if active != "activating" else "exit-code")
