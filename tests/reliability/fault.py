"""What a fault is: how it comes about, and what the upgrade must make of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from access import Access, with_passwords, with_users_and_certificates
from deployment import Deployment
from spoils import Spoil

from playbooks import Running

# What a run says that has come to its end.
DONE = "Every instance runs the version that it should run, and the master is where it should be."

Moment = Callable[[Deployment, Running], bool]


class Expected(Enum):
    """How the run ends that meets the fault."""

    REFUSED = "refused, nothing touched"
    UNSTAGED = "ended before anything was stopped"
    STOPPED = "stopped between two steps"
    PUT_BACK = "stopped, the old version put back"
    KILLED = "killed"
    DONE = "went through"


@dataclass(frozen=True)
class World:
    """The deployment that meets the fault, and where its upgrade leads."""

    version: str
    wanted: str
    access: Callable[[Path], Access]
    variables: Mapping[str, Any] = field(default_factory=dict)
    extra: str = ""


# A password with every character that somebody could take for their own.
PASSWORDS = World("6.2.9", "6.2.14", lambda _folder: with_passwords())
# There is no way back from it, but ACL rights can be taken away one by one.
USERS = World("7.0.15", "valkey-8.0.1", with_users_and_certificates, {"redis_upgrade_accept_no_way_back": True})


def nothing(_deployment: Deployment) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext()


@dataclass(frozen=True)
class Fault:
    """``says``: what the run that meets it must say.

    ``before`` is in force from before the run until after it, ``then`` from the moment on; both are
    gone when it is run again. ``given``: variables of the run that meets it. ``silent``: instances
    that do not answer meanwhile. ``old``: those that must run the old version after it.
    ``may_lose_s``: for how long the servers themselves lose what they have acknowledged.
    ``shared``: on the deployment that refusals leave untouched, and in the end it is gone.
    """

    name: str
    expected: Expected
    says: str
    world: World = PASSWORDS
    before: Spoil = nothing
    moment: Moment | None = None
    then: Spoil = nothing
    given: Callable[[Deployment], Mapping[str, Any]] = lambda _deployment: {}
    options: Mapping[str, Any] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    may_lose_s: float = 0
    quick: bool = False
    last: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def shared(self) -> bool:
        return self.last or self.expected in (Expected.REFUSED, Expected.UNSTAGED)


def said(text: str) -> Moment:
    """When a line of the run's output has the text."""
    return lambda _deployment, running: running.said(text)


def gone(name: str, after: str) -> Moment:
    """When the process that the instance has had until now has ended, once the run has said
    something.
    """
    return lambda deployment, running: running.said(after) and deployment.processes[name].poll() is not None


def answers(deployment: Deployment, name: str) -> bool:
    try:
        return bool(deployment.administer(name, "PING"))
    except Exception:  # whatever is the matter
        return False
