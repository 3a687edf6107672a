"""Hosts with a network of their own, on this machine: a bridge, and one network namespace per host.

A link between two hosts can be cut, or all links of one host, without touching the network of the
machine: everything stands in a namespace that ``own_network()`` or ``reenter()`` makes, and is gone
with the processes in it. Needs ``unshare``, ``nsenter`` (util-linux) and ``ip`` (iproute2), and
root or user namespaces.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from access import Access
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from deployment import Deployment, server_in

NEW_NETWORK = 0x40000000  # CLONE_NEWNET
REENTERED = "LAB_ENTERED"
WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]  # in front of a command that must not outlive us
NOBODY = "02:00:00:00:00:01"  # the hardware address of no host
OPEN = Access(node_lines="protected-mode no\n", sentinel_lines="protected-mode no\n", bind="0.0.0.0")


def _ip(*words: object) -> None:
    subprocess.run(["ip", *map(str, words)], check=True)


def reenter() -> None:
    """Run this program once more in a network namespace of its own, unless it is in one already."""
    if REENTERED in os.environ:
        return
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    words = ["unshare", *user, "--net", "--", sys.executable, *sys.argv]
    os.execvpe(words[0], words, {**os.environ, REENTERED: "1"})


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """Move this thread, and what it starts, to a new network namespace for as long as it lasts.

    Needs root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "unshare")
        yield
    finally:
        libc.setns(before, NEW_NETWORK)
        os.close(before)


def favour(pid: int) -> None:
    """Let a server run before others where that is allowed: one that starves goes into TILT."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, -10)
        Path(f"/proc/{pid}/autogroup").write_text("-10", encoding="ascii")


class Host:
    """One host: a network namespace, kept by a process that sleeps, with the device ``host0``."""

    def __init__(self, number: int) -> None:
        self.ip = f"10.199.0.{number}"
        self._port = f"lab{number}"  # of the bridge
        self._keeper = subprocess.Popen(
            [*WITH_US, "unshare", "--net", "sh", "-c", "ip link set lo up; echo; exec sleep infinity"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._keeper.stdout is not None
        self._keeper.stdout.readline()
        _ip("link", "add", self._port, "type", "veth", "peer", "name", "host0", "netns", self._keeper.pid)
        _ip("link", "set", self._port, "master", "lab", "up")
        self.run("ip", "addr", "add", f"{self.ip}/24", "dev", "host0")
        self.run("ip", "link", "set", "host0", "up")

    @property
    def prefix(self) -> list[str]:
        """The words in front of a command that is to run on this host."""
        return ["nsenter", f"--net=/proc/{self._keeper.pid}/ns/net", "--"]

    def run(self, *words: str) -> None:
        subprocess.run([*self.prefix, *words], check=True)

    @property
    def disconnecting(self) -> list[str]:
        """The command, in the lab's namespace, that cuts the host off; packets vanish silently."""
        return ["ip", "link", "set", self._port, "down"]

    def disconnect(self) -> None:
        subprocess.run(self.disconnecting, check=True)

    def connect(self) -> None:
        _ip("link", "set", self._port, "up")

    def lose(self, other: str) -> None:
        """Let all packets to another host vanish."""
        self.run("ip", "neigh", "replace", other, "lladdr", NOBODY, "dev", "host0", "nud", "permanent")

    def find(self, other: str) -> None:
        """Let packets to another host arrive again."""
        self.run("ip", "neigh", "del", other, "dev", "host0")

    def close(self) -> None:
        _ip("link", "del", self._port)
        self._keeper.kill()
        self._keeper.wait()


@contextlib.contextmanager
def cut(one: Host, other: Host) -> Iterator[None]:
    """Cut the link between two hosts; all their other links stay."""
    one.lose(other.ip)
    other.lose(one.ip)
    try:
        yield
    finally:
        one.find(other.ip)
        other.find(one.ip)


class LabDeployment(Deployment):
    """A deployment on three hosts, each with a data node and a Sentinel; the lab is a fourth.

    Everything that a test asks for comes from the lab, which is never cut off. ``outside`` is one
    more host, with no server: for a module that is to be cut off.
    """

    def __init__(self, folder: Path, version: str, port: int, **options: Any) -> None:
        super().__init__(folder, version, port, **{"access": replace(OPEN, host="10.199.0.1"), **options})
        _ip("link", "set", "lo", "up")
        _ip("link", "add", "lab", "type", "bridge")
        _ip("addr", "add", "10.199.0.254/24", "dev", "lab")
        _ip("link", "set", "lab", "up")
        self._hosts = {number: Host(number) for number in range(1, len(self.nodes) + 1)}
        self.outside = Host(100)
        self.prefixes: dict[str, list[str]] = {}

    def host(self, name: str) -> Host:
        """Return the host of an instance: that of redis-2 and sentinel-2 is the second one."""
        return self._hosts[int(name.rpartition("-")[2])]

    def listens(self, name: str) -> Address:
        return Address(self.host(name).ip, self.ports[name])

    def start(self, name: str) -> None:
        """Start an instance on its host, with the words of ``prefixes`` in front of it."""
        words = [*WITH_US, *self.host(name).prefix, *self.prefixes.get(name, [])]
        words += [str(server_in(self.folder / name / "redis")), str(self.config(name)), *["--sentinel"] * (name in self.sentinels)]
        self.processes[name] = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        favour(self.processes[name].pid)

    def remove(self) -> None:
        super().remove()
        for host in [*self._hosts.values(), self.outside]:
            host.close()
        _ip("link", "del", "lab")
