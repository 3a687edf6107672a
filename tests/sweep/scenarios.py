"""The accidents of the sweep: what happens to ours, and to servers and links, at an event."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deployment import server_in
from lab import NOBODY, LabDeployment

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
FOREIGN_PORT = 23900
AFTER_PROMOTION = ("promoted", "demoted", "agreed", "released", "loss", "freed", "settled", "restored")


@dataclass(frozen=True)
class Roles:
    """The instances of one handover by their names. ``leader``: the Sentinel that is to lead it."""

    old: str
    target: str
    other: str
    leader: str


def roles_of(deployment: LabDeployment, leader_of: str) -> Roles:
    """Return the roles; the leader is the Sentinel beside the node that ``leader_of`` names."""
    old, target = deployment.masters()[0], deployment.other_than_master()
    other = next(name for name in deployment.nodes if name not in (old, target))
    beside = {"old": old, "target": target, "other": other}[leader_of]
    return Roles(old, target, other, beside.replace("redis", "sentinel"))


Command = Callable[[LabDeployment, Roles], list[str]]
Undo = Callable[[LabDeployment, Roles], None]
Look = Callable[[LabDeployment, Roles], list[str]]


@dataclass(frozen=True)
class Scenario:
    """One kind of accident.

    ``ours``: what happens to the module and its standby (see accident.py). ``command``: what
    happens at the event, before that; ``undo`` ends it, ``lasts_s`` later. ``look`` returns what is
    wrong meanwhile. ``faketime``: the data nodes have clocks of their own. ``spoils``: the next
    trial gets a new deployment. ``servers_lose``: events at which the servers themselves lose
    writes, handover or not: a master that hangs for longer than down-after-milliseconds is
    replaced, and takes writes when it wakes until Sentinel demotes it.
    """

    ours: str
    command: Command = lambda _deployment, _roles: []
    undo: Undo = lambda _deployment, _roles: None
    ends: bool = True
    leader_of: str = "old"
    look: Look = lambda _deployment, _roles: []
    faketime: bool = False
    spoils: bool = False
    servers_lose: tuple[str, ...] = ()


def in_lab(*words: str) -> list[str]:
    """Return a command that runs in the lab's network, whoever starts it."""
    return ["nsenter", f"--net=/proc/{os.getpid()}/ns/net", "--", *words]


def _disconnect(deployment: LabDeployment, _roles: Roles) -> list[str]:
    return in_lab(*deployment.outside.disconnecting)


def _connect(deployment: LabDeployment, _roles: Roles) -> None:
    deployment.outside.connect()


def _signal(number: signal.Signals, *who: str) -> Command:
    """Return the command that sends a signal to instances, which Roles' fields name."""

    def command(deployment: LabDeployment, roles: Roles) -> list[str]:
        return ["kill", f"-{number.name[3:]}", *[str(deployment.processes[getattr(roles, one)].pid) for one in who]]

    return command


def _start(*who: str) -> Undo:
    def undo(deployment: LabDeployment, roles: Roles) -> None:
        for name in (getattr(roles, one) for one in who):
            deployment.processes[name].wait(10)
            deployment.start(name)

    return undo


def _continue(*who: str) -> Undo:
    def undo(deployment: LabDeployment, roles: Roles) -> None:
        for name in (getattr(roles, one) for one in who):
            os.kill(deployment.processes[name].pid, signal.SIGCONT)

    return undo


def _lose(one: str, other: str) -> Command:
    """Return the command that cuts the link between the hosts of two instances."""

    def command(deployment: LabDeployment, roles: Roles) -> list[str]:
        hosts = [deployment.host(getattr(roles, who)) for who in (one, other)]
        losing = "ip neigh replace {} lladdr " + NOBODY + " dev host0 nud permanent"
        ways = ((hosts[0], hosts[1].ip), (hosts[1], hosts[0].ip))
        return ["sh", "-ec", "\n".join(" ".join([*host.prefix, losing.format(ip)]) for host, ip in ways)]

    return command


def _find(one: str, other: str) -> Undo:
    def undo(deployment: LabDeployment, roles: Roles) -> None:
        hosts = [deployment.host(getattr(roles, who)) for who in (one, other)]
        hosts[0].find(hosts[1].ip)
        hosts[1].find(hosts[0].ip)

    return undo


def clock_file(deployment: LabDeployment, name: str) -> Path:
    return deployment.folder / f"clock-{name}"


def with_clocks(deployment: LabDeployment) -> None:
    """Give each data node a clock of its own, before it is started."""
    if not FAKETIME.exists():
        raise SystemExit("the clock needs libfaketime: install Debian's package faketime")
    deployment.folder.mkdir(parents=True, exist_ok=True)
    for name in deployment.nodes:
        clock_file(deployment, name).write_text("+0\n", encoding="ascii")
        deployment.prefixes[name] = [
            "env",
            f"LD_PRELOAD={FAKETIME}",
            f"FAKETIME_TIMESTAMP_FILE={clock_file(deployment, name)}",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        ]


def _forward(deployment: LabDeployment, roles: Roles) -> list[str]:
    return ["sh", "-c", f"echo +10 > {clock_file(deployment, roles.old)}"]


def _right(deployment: LabDeployment, roles: Roles) -> None:
    clock_file(deployment, roles.old).write_text("+0\n", encoding="ascii")


def _foreign(deployment: LabDeployment, roles: Roles) -> list[str]:
    """Return the command that starts one more replica, of which nobody has been told."""
    folder = deployment.folder / "foreign"
    folder.mkdir(exist_ok=True)
    old = deployment.host(roles.old).ip, str(deployment.ports[roles.old])
    server = str(server_in(deployment.folder / roles.old / "redis"))
    own = ["--port", str(FOREIGN_PORT), "--dir", str(folder), "--daemonize", "yes", "--protected-mode", "no"]
    return [*deployment.outside.prefix, server, *own, "--replicaof", *old]


def _refuses_writes(deployment: LabDeployment, roles: Roles) -> list[str]:
    """Return what is wrong once the pause is over, and until the replica is back."""
    time.sleep(5)
    refused = "Not enough good replicas" in _written(deployment, roles.old)
    return [] if refused else [f"{roles.old} takes writes, although {roles.other} has left"]


def _written(deployment: LabDeployment, name: str) -> str:
    try:
        return str(deployment.administer(name, "SET", "sweep:probe", name, "PX", 1000))
    except Exception as error:  # what it says is what is wanted
        return str(error)


KINDS: dict[str, Scenario] = {
    "kill": Scenario("kill", ends=False),
    "stall": Scenario("stall"),
    "cut": Scenario("none", _disconnect, _connect),
}
MORE_KINDS: dict[str, Scenario] = {
    "host": Scenario("kill", _disconnect, _connect),
    "module": Scenario("module", ends=False),
    "standby": Scenario("standby", ends=False),
    "leader": Scenario("none", _signal(signal.SIGKILL, "leader"), _start("leader")),
    "leader+ours": Scenario("kill", _signal(signal.SIGKILL, "leader"), _start("leader")),
    "leader's host": Scenario("none", _signal(signal.SIGKILL, "leader", "other"), _start("leader", "other"), leader_of="other"),
    "leader's host+ours": Scenario("kill", _signal(signal.SIGKILL, "leader", "other"), _start("leader", "other"), leader_of="other"),
    "leader hangs": Scenario("none", _signal(signal.SIGSTOP, "leader"), _continue("leader")),
    "old hangs": Scenario("none", _signal(signal.SIGSTOP, "old"), _continue("old")),
    "target hangs": Scenario("none", _signal(signal.SIGSTOP, "target"), _continue("target"), servers_lose=AFTER_PROMOTION),
    "link old-target": Scenario("none", _lose("old", "target"), _find("old", "target")),
    "link old-target+ours": Scenario("kill", _lose("old", "target"), _find("old", "target")),
    "link old-leader": Scenario("none", _lose("old", "leader"), _find("old", "leader"), leader_of="other"),
    "link old-leader+ours": Scenario("kill", _lose("old", "leader"), _find("old", "leader"), leader_of="other"),
    "clock": Scenario("none", _forward, _right, faketime=True),
    "clock+ours": Scenario("kill", _forward, _right, faketime=True),
    "foreign": Scenario("none", _foreign, ends=False, spoils=True),
    "foreign+ours": Scenario("kill", _foreign, ends=False, spoils=True),
    "replica+ours": Scenario("kill", _signal(signal.SIGKILL, "other"), _start("other"), look=_refuses_writes),
}
ALL_KINDS = {**KINDS, **MORE_KINDS}


def build(kind: str, folder: Path, version: str, port: int) -> LabDeployment:
    """Return a deployment, running, for trials of this kind."""
    deployment = LabDeployment(folder, version, port)
    if ALL_KINDS[kind].faketime:
        with_clocks(deployment)
    deployment.build()
    return deployment
