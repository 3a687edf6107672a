"""One trial: a handover under load with an accident at one of its events, and a second run."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from accident import Accidental
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from deployment import MASTER, Writers
from lab import WITH_US, LabDeployment
from scenarios import ALL_KINDS, roles_of
from states import SETTINGS, calm, journals_left, settled, wait_until

EVENTS = (
    "steered",
    "tuned",
    "pause",
    "caught up",
    "armed",
    "failover accepted",
    "promoted",
    "demoted",
    "agreed",
    "released",
    "loss",
    "freed",
    "settled",
    "restored",
)
LASTS_S = 8.0
END_S = 150.0  # by when a module or its standby must have ended
QUIET_S = 120.0
CHANGING = {"replicaof", "slaveof"}  # that is what a handover is for
DEFAULTS = dict(zip(SETTINGS, ("100", "0", "10", "10"), strict=True))
SENTINEL_FIELDS = ("quorum", "down-after-milliseconds", "failover-timeout", "parallel-syncs")


@dataclass
class Trial:
    """The record of one trial. ``failures``: a sentence each; none if all was as it must be.

    ``came``: what became of the first run, ``then``: of the second one.
    """

    version: str
    event: str
    kind: str
    lasts_s: float = LASTS_S
    acknowledged: int = 0
    lost: int = 0
    longest_gap_ms: float = 0.0
    came: str = ""
    then: str = ""
    took_s: float = 0.0
    failures: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def everything(deployment: LabDeployment) -> dict[str, str]:
    """Return every setting of every instance, and what the files say of those that we change."""
    found: dict[str, str] = {}
    for name in deployment.nodes:
        reply = deployment.administer(name, "CONFIG", "GET", "*")
        found |= {f"{name} {what}": value for what, value in zip(reply[::2], reply[1::2], strict=True) if what not in CHANGING}
        found |= {f"{name}'s file: {what}": value for what, value in {**DEFAULTS, **_lines(deployment, name, DEFAULTS)}.items()}
    for name in deployment.sentinels:
        reply = deployment.administer(name, "SENTINEL", "MASTER", MASTER)
        fields = dict(zip(reply[::2], reply[1::2], strict=True))
        found |= {f"{name} {what}": fields[what] for what in SENTINEL_FIELDS}
        for words in (["DEBUG"], ["CONFIG", "GET", "*"]):
            with contextlib.suppress(SentinelOpsError):  # 7.0 and later, 6.2 and later
                reply = deployment.administer(name, "SENTINEL", *words)
                found |= {f"{name} {what}": value for what, value in zip(reply[::2], reply[1::2], strict=True)}
        in_file = _lines(deployment, name, [f"sentinel {what} {MASTER}" for what in SENTINEL_FIELDS])
        found |= {f"{name}'s file: {what}": value for what, value in in_file.items()}
    return found


def _lines(deployment: LabDeployment, name: str, settings: Iterable[str]) -> dict[str, str]:
    """Return what the instance's file says of some settings."""
    found = {}
    for line in deployment.config(name).read_text(encoding="utf-8").splitlines():
        what, _space, value = line.rpartition(" ")
        if what in settings:
            found[what] = value
    return found


def changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    return [f"{what}: {before.get(what)} -> {now.get(what)}" for what in sorted({*before, *now}) if before.get(what) != now.get(what)]


def writable(deployment: LabDeployment) -> list[str]:
    """Return the nodes that take writes; one that pauses them is waited for."""
    found = []
    for name in deployment.nodes:
        with contextlib.suppress(SentinelOpsError):
            deployment.administer(name, "SET", "sweep:probe", name, "PX", 1000)
            found.append(name)
    return found


def quiet(deployment: LabDeployment) -> bool:
    return not deployment.handing_over() and settled(deployment) and calm(deployment)


def await_quiet(deployment: LabDeployment) -> None:
    """Wait until it is quiet, and still is one second later."""
    deadline = time.monotonic() + QUIET_S
    while True:
        wait_until(lambda: quiet(deployment), max(1.0, deadline - time.monotonic()))
        time.sleep(0.7)
        if quiet(deployment):
            return


def run(deployment: LabDeployment, event: str, kind: str, lasts_s: float = LASTS_S) -> Trial:
    """Carry one trial out; its failures are in it."""
    trial, begun_s = Trial(deployment.version, event, kind, lasts_s), time.monotonic()
    try:
        deployment.wait_until_known()
        await_quiet(deployment)
        before = everything(deployment)
        with Writers(deployment, key_prefix="sweep", writes_per_second=150, timeout_ms=20000) as writers:
            _meet(deployment, trial)
            _run_again(deployment, trial)
            now = everything(deployment)
            verdict = writers.verdict()
        trial.failures += [f"not restored: {text}" for text in changed(before, now)]
        _judge(trial, verdict)
    except (AssertionError, TimeoutError, RuntimeError, SentinelOpsError, subprocess.TimeoutExpired) as error:
        trial.failures.append(f"{type(error).__name__}: {error}")
    trial.took_s = round(time.monotonic() - begun_s, 1)
    return trial


def _meet(deployment: LabDeployment, trial: Trial) -> None:
    """Run the handover that the accident happens to, and wait until it is quiet."""
    scenario = ALL_KINDS[trial.kind]
    roles = roles_of(deployment, scenario.leader_of)
    prefix, command = [*WITH_US, *deployment.outside.prefix], scenario.command(deployment, roles)
    accident = Accidental(deployment, roles.target, trial.event, scenario.ours, prefix, command, leader=deployment.address(roles.leader))
    happened = accident.wait()
    try:
        if happened and scenario.ends:
            begun_s = time.monotonic()
            trial.failures += scenario.look(deployment, roles)
            time.sleep(max(0.0, trial.lasts_s - (time.monotonic() - begun_s)))
    finally:
        if happened:
            scenario.undo(deployment, roles)
            accident.go_on()
    result = accident.result(END_S)
    trial.came = result.get("msg") or ("done" if result else "ended without a result")
    trial.details |= {"accident": happened, "first": result, "roles": str(roles)}
    if not happened:
        trial.failures.append(f"the event did not happen: {trial.came}")
    await_quiet(deployment)
    if len(found := writable(deployment)) != 1:
        trial.failures.append(f"before the second run writes are taken by {' and '.join(found) or 'nobody'}")


def _run_again(deployment: LabDeployment, trial: Trial) -> None:
    """Run the module without an accident; it must do what it is asked for, and leave nothing."""
    target = deployment.other_than_master()
    result = deployment.hand_over(target)
    trial.details["second"] = result
    trial.then = result.get("msg") or "; ".join(result.get("recovered", [])) or "done"
    if result.get("failed"):
        trial.failures.append(f"the second run failed: {trial.then}")
    wait_until(lambda: settled(deployment), 60)
    if (masters := deployment.masters()) != [target]:
        trial.failures.append(f"masters are {masters} instead of {target}")
    if len(found := writable(deployment)) != 1:
        trial.failures.append(f"writes are taken by {' and '.join(found) or 'nobody'}")
    if left := journals_left(deployment):
        trial.failures.append(f"left behind: {', '.join(left)}")


def _judge(trial: Trial, verdict: dict[str, Any]) -> None:
    """Fill in the numbers, and compare them with what the module says."""
    trial.acknowledged, trial.lost, trial.longest_gap_ms = verdict["acknowledged"], verdict["lost"], verdict["longest_gap_ms"]
    bad = [what for what in ("lost", "unexpected", "duplicates") if verdict[what]]
    said = [trial.details[which].get("loss") for which in ("first", "second")]
    alarm = "found" in said or "acknowledged writes were lost" in trial.came + trial.then
    if trial.event in ALL_KINDS[trial.kind].servers_lose:
        bad = [what for what in bad if what != "lost"]
    elif trial.lost and not alarm and trial.came != "ended without a result":
        trial.failures.append(f"the module says of the loss: {said}")
    trial.failures += [f"{verdict[what]} {what} writes" for what in bad]
    if alarm and not trial.lost + verdict["unknown"]:
        trial.failures.append("the module says that writes were lost, and none was")
    trial.details["errors"] = verdict["errors"]
