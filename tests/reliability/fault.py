"""A fault: how it is injected, and the required behaviour of the upgrade."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from access import Access, with_passwords, with_users_and_certificates
from deployment import Deployment
from injections import Injection

from playbooks import Running

# The output of a run that reached its end.
DONE = "Every instance runs the version that it should run, and the master is where it should be."

Moment = Callable[[Deployment, Running], bool]


class Expected(Enum):
    """The end of the run that meets the fault."""

    REFUSED = "refused, nothing touched"
    UNSTAGED = "ended before anything was stopped"
    STOPPED = "stopped between two steps"
    PUT_BACK = "stopped, the old version put back"
    KILLED = "killed"
    DONE = "went through"


@dataclass(frozen=True)
class World:
    """The deployment that meets the fault, and the version that its upgrade leads to."""

    version: str
    wanted: str
    access: Callable[[Path], Access]
    variables: Mapping[str, Any] = field(default_factory=dict)
    extra: str = ""


# A password with every character that has a special meaning somewhere.
PASSWORDS = World("6.2.9", "6.2.14", lambda _folder: with_passwords())
# A rollback is impossible, but ACL rights can be taken away one by one.
USERS = World("7.0.15", "valkey-8.0.1", with_users_and_certificates, {"redis_upgrade_accept_no_way_back": True})


def nothing(_deployment: Deployment) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext()


@dataclass(frozen=True)
class Fault:
    """A fault, and the upgrade that meets it.

    ``says``: a text that the run must print. ``before`` is in force from before the run until after
    it, ``then`` from the ``moment`` on; neither is in force when the upgrade runs again. ``given``:
    variables of the run.

    ``silent``: instances that do not answer meanwhile. ``old``: instances that must run the old
    version afterwards. ``may_lose_s``: the time for which the servers' own replication may lose
    acknowledged writes. ``last``: the upgrade that completes the earlier refusals. ``shared``: the
    deployment is the one that refusals leave untouched.
    """

    name: str
    expected: Expected
    says: str
    world: World = PASSWORDS
    before: Injection = nothing
    moment: Moment | None = None
    then: Injection = nothing
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


def printed(text: str) -> Moment:
    """Return the moment at which the output of the run has the text."""
    return lambda _deployment, running: running.has_printed(text)


def process_ended(name: str, after: str) -> Moment:
    """Return the moment at which an instance's process has ended, after a text in the output."""
    return lambda deployment, running: running.has_printed(after) and deployment.processes[name].poll() is not None


def answers(deployment: Deployment, name: str) -> bool:
    try:
        return bool(deployment.administer(name, "PING"))
    except Exception:  # any error means that it does not answer
        return False
