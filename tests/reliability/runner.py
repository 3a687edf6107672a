"""Put a deployment through a fault: writers, the run that meets the fault, judge, second run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import judge
from deployment import Deployment, Writers
from fault import Expected, Fault, World
from preflights import untouched
from states import calm, locks_left, wait_until

import playbooks

WRITERS = 2
WRITES_PER_SECOND = 100
REWRITE = (("CONFIG", "REWRITE"), ("SENTINEL", "FLUSHCONFIG"))


@dataclass
class Row:
    """A row of the table."""

    fault: str
    happened: str = "failed"
    acknowledged: int = 0
    lost: str = "?"
    rerun: str = "-"


def build(world: World, folder: Path, port: int, **options: Any) -> Deployment:
    deployment = Deployment(
        folder, world.version, port, **{"access": world.access(folder / "certificates"), "extra": world.extra, **options}
    )
    try:
        deployment.build()
    except BaseException:
        deployment.remove()
        raise
    return deployment


def upgrade(deployment: Deployment, world: World, **given: Any) -> list[str]:
    return playbooks.command(deployment, "upgrade", wanted=world.wanted, **{**playbooks.reach(deployment), **world.variables, **given})


def log(deployment: Deployment) -> Path:
    """Return the file for the run's output, outside the deployment, in which nothing may change."""
    return deployment.folder.with_name(f"{deployment.folder.name}.log")


def plain(version: str) -> str:
    return version.removeprefix("valkey-")


def endure(fault: Fault, deployment: Deployment, row: Row) -> None:
    """Put a deployment through a fault and fill in the row.

    Raises AssertionError if the upgrade did not behave as the fault requires.
    """
    before, state = judge.kept(deployment), deployment.whole_state()
    with Writers(deployment, writers=WRITERS, writes_per_second=WRITES_PER_SECOND, duration_s=3600) as writers:
        _meet(fault, deployment)
        row.happened = fault.expected.value
        if fault.shared and not fault.last:
            row.rerun = "by the last one"
        else:
            _again(fault, deployment, before)
            playbooks.require_unchanged(deployment, state)
            row.rerun = "completes"
        time.sleep(2)  # all causes of a write gap are over: the writes must continue
        verdict = writers.verdict()
    number = judge.lost(verdict, int(fault.may_lose_s * WRITERS * WRITES_PER_SECOND))
    row.acknowledged, row.lost = verdict["acknowledged"], f"{number}{' (replication)' if fault.may_lose_s else ''}"


def _meet(fault: Fault, deployment: Deployment) -> None:
    """Run the upgrade that meets the fault; check its end, its output and the deployment."""
    versions = {plain(fault.world.version), plain(fault.world.wanted)}
    words = upgrade(deployment, fault.world, **fault.given(deployment))
    observe = _observer(fault)
    for name in fault.old:
        # the upgrade does so as well
        deployment.administer(name, *REWRITE[name in deployment.sentinels])
    installed = {name: judge.installed(deployment, name) for name in fault.old}
    with fault.before(deployment):
        observed = observe(deployment)
        with playbooks.started(words, log(deployment), deployment.mark) as running, contextlib.ExitStack() as stack:
            if fault.moment is not None:
                running.wait_for(lambda: fault.moment is None or fault.moment(deployment, running))
                stack.enter_context(fault.then(deployment))
            code = running.end()
            output = playbooks.words(running.output)
        assert (code == 0) == (fault.expected is Expected.DONE), output
        assert fault.says in output, output
        if fault.shared and not fault.last:
            assert "TASK" not in output.partition("PLAY [(4/8)")[2], output
            now = observe(deployment)
            changed = {what: (value, now.get(what)) for what, value in observed.items() if now.get(what) != value}
            assert not changed, f"touched: {changed}"
            assert fault.expected is Expected.UNSTAGED or not locks_left(deployment)
    secrets = [secret for secret in deployment.access.secrets if secret in output]
    assert secrets == []
    # A killed run may have left a stopped instance, which the next run starts.
    if fault.expected is Expected.KILLED:
        wait_until(lambda: not deployment.handing_over(), 600)
        judge.await_served(deployment)
    else:
        judge.await_whole(deployment, versions)
        # Sentinels notice a restored link every ten seconds; until then the next run is refused.
        deployment.wait_until_known()
    for name in fault.old:
        assert deployment.administered_info(name)["redis_version"] == plain(fault.world.version)
        now = judge.installed(deployment, name)
        assert now == installed[name], f"{name} was {installed[name]}, is {now}"


def _observer(fault: Fault) -> Callable[[Deployment], Mapping[str, Any]]:
    """Return a function that returns the state to keep: after a refusal, everything.

    Where files were staged, only the running processes must be the same.
    """
    if fault.expected is Expected.REFUSED:
        return lambda deployment: untouched(deployment, fault.silent)
    return lambda deployment: {name: deployment.administered_info(name)["process_id"] for name in deployment.ports}


def _again(fault: Fault, deployment: Deployment, before: Mapping[str, Any]) -> None:
    """Run the upgrade again: it must complete, or find nothing to do."""
    # A step that a killed run has left on a host is finished there.
    wait_until(lambda: not deployment.handing_over(), 600)
    wait_until(lambda: calm(deployment), 120)
    with playbooks.started(upgrade(deployment, fault.world), log(deployment), deployment.mark) as running:
        assert running.end() == 0, playbooks.words(running.output)
        done = "Nothing to do" in running.output
    assert done or fault.expected is not Expected.DONE
    judge.await_whole(deployment, {plain(fault.world.wanted)})
    assert judge.kept(deployment) == before
    assert judge.left_behind(deployment) == []
