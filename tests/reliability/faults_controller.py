"""Faults of the controller, of other controllers, and of their connections to the hosts."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator

from deployment import Deployment
from fault import DONE, PASSWORDS, Expected, Fault, Moment, printed, process_ended
from injections import Injection
from killing import VICTIMS, kill_controller
from runner import upgrade
from ssh import over_ssh, unreachable
from states import wait_until

import playbooks


def killed(victims: str, after_s: float) -> Injection:
    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        time.sleep(after_s)
        kill_controller(deployment, victims)
        yield

    return inject


def in_play(number: int, task: str) -> Moment:
    return lambda _deployment, running: task in running.output.partition(f"PLAY [({number}/8)")[2]


def killing(name: str, moment: Moment, victims: str, after_s: float = 0.0) -> Fault:
    return Fault(f"{victims} killed {name}", Expected.KILLED, "PLAY [", moment=moment, then=killed(victims, after_s))


@contextlib.contextmanager
def second_controller(deployment: Deployment) -> Iterator[None]:
    """Start a second run, which must be refused while the first continues."""
    words = upgrade(deployment, PASSWORDS)
    second = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert second.returncode != 0
    said_so = playbooks.words(second.stdout)
    assert "Nothing was touched." in said_so
    assert "Another run is at work on this deployment" in said_so, said_so
    yield


def out_of_reach(name: str) -> Injection:
    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        with over_ssh(deployment), unreachable(deployment, name):
            yield

    return inject


def lost_for_good(name: str, after_s: float = 0.0) -> Injection:
    """Lose a host until the run has ended; a step that runs there is finished there."""

    @contextlib.contextmanager
    def inject(deployment: Deployment) -> Iterator[None]:
        time.sleep(after_s)
        with unreachable(deployment, name):
            yield
            wait_until(lambda: not deployment.handing_over(), 120)

    return inject


MAIN, CONTROLLER, EVERYTHING = VICTIMS
HAND_OVER = "Hand the master role to"
SWITCH = "Stop, put the wanted version in place, and start it"
FAULTS = [
    killing("while files are staged", in_play(3, "Place the new version"), EVERYTHING, after_s=1),
    killing("while a Sentinel is restarted", in_play(4, SWITCH), EVERYTHING, after_s=0.5),
    killing("when a replica has been stopped", process_ended("redis-2", "PLAY [(5/8)"), EVERYTHING),
    killing("when a replica has been stopped", process_ended("redis-2", "PLAY [(5/8)"), CONTROLLER),
    killing("when a replica has been stopped", process_ended("redis-2", "PLAY [(5/8)"), MAIN),
    killing("in the handover", in_play(6, HAND_OVER), EVERYTHING, after_s=2),
    killing("in the handover", in_play(6, HAND_OVER), CONTROLLER, after_s=2),
    killing("when the old master has been stopped", process_ended("redis-1", "PLAY [(7/8)"), EVERYTHING),
    killing("in the fail back", in_play(8, HAND_OVER), EVERYTHING, after_s=2),
    killing("while journals are closed", in_play(8, "Survey the instances of this host"), CONTROLLER),
    Fault("two controllers at once", Expected.DONE, DONE, moment=printed("PLAY [(4/8)"), then=second_controller),
    Fault("a data node's host cannot be reached", Expected.UNSTAGED, "UNREACHABLE!", before=out_of_reach("redis-3"), quick=True),
    Fault("a Sentinel's host cannot be reached", Expected.UNSTAGED, "UNREACHABLE!", before=out_of_reach("sentinel-2")),
    Fault(
        "a host cannot be reached any more in the middle",
        Expected.STOPPED,
        "No new step begins, since a step is not complete: the replica redis-3.",
        before=over_ssh,
        moment=printed("PLAY [(5/8)"),
        then=lost_for_good("redis-3"),
    ),
    Fault(
        "the SSH session is lost while a replica is down",
        Expected.STOPPED,
        "No new step begins, since a step is not complete: the replica redis-2.",
        before=over_ssh,
        moment=process_ended("redis-2", "PLAY [(5/8)"),
        then=lost_for_good("redis-2"),
    ),
    Fault(
        "the SSH session is lost in the handover",
        Expected.STOPPED,
        "No new step begins, since a step is not complete: the handover of mymaster to redis-2.",
        before=over_ssh,
        moment=in_play(6, HAND_OVER),
        then=lost_for_good("sentinel-1", after_s=1.5),
        given=lambda _deployment: {"redis_upgrade_handover_host": "sentinel-1"},
    ),
]
