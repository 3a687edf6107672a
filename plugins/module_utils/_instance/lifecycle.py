# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and stopping a server by its service manager, and restarting it with another version of
its binary.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Callable, Sequence

from .._atomic_write import FileIdentity
from .._errors import CommandRefused, ConnectionFailed, OperationFailed, PreconditionFailed, SentinelOpsError
from .._host.process import alive, binary_version
from .._host.service import Attempt, Start
from .._install.activation import Activation
from .._install.instance_files import InstanceFiles, log_file_of
from .._server.address import Address
from .._server.commands import Server
from .._server.config_file import quote_sentinel_secrets, read_text, write_text
from .._server.data_files import configured_master, data_files, data_was_refused, set_aside, set_configured_master, unreadable
from .._server.info import NodeInfo, node_info, parse_info
from .._server.log import judge_log, size_of, tail
from .._server.versions import can_downgrade
from .._topology.sentinel import SentinelView, monitored_masters, read_view
from .._wait import Clock, until

__all__ = [
    "InstanceFiles",
    "PutBack",
    "log_file_of",
    "put_back",
    "refuse_unsafe_stop",
    "refuse_while_replicas_are_missing",
    "restart",
    "running_instance",
    "running_now",
    "runs_previous",
    "start",
    "stop",
    "switch_version",
]


ONLINE_WITHIN_S = 5.0


def running_instance(server: Server, *config_files: str) -> NodeInfo | None:
    """The instance's INFO if one answers, else None.

    Something that is not a Redis server, or one with another configuration file than the expected
    ones, is an error.
    """
    try:
        info = parse_info(server.command("INFO"))
    except ConnectionFailed as error:
        if not error.refused:
            raise PreconditionFailed(
                f"what listens on this port hangs, or does not speak the Redis protocol ({error.message})",
                node=str(server.address),
                state="It was left alone",
                advice="Find out what it is (ss -ltnp)",
            ) from error
        return None
    except CommandRefused as refused:
        raise PreconditionFailed(
            f"what listens on this port is not a Redis server: {refused.reply}",
            node=str(server.address),
            state="It was left alone",
        ) from refused
    node = node_info(info)
    expected, running = list(dict.fromkeys(filter(None, config_files))), node.config_file
    if expected and not any(_is_same_file(running, path) for path in expected):
        raise PreconditionFailed(
            f"another server is there: pid {node.pid}, version {node.version}, configuration file {running or 'none'}; "
            f"expected was {' or '.join(expected)}",
            node=str(server.address),
            state="It was left alone",
            advice="Choose another port, or stop that server if it is yours",
        )
    return node


def _is_same_file(running: str, path: str) -> bool:
    return bool(running) and os.path.realpath(running) == os.path.realpath(path)


def _not_started(what: str, server: Server, attempt: Attempt, log_file: str, offset: int) -> OperationFailed:
    log_tail = tail(log_file, offset)
    attempt.end()  # what does not serve must not be in the way of what is started instead
    errors = judge_log("\n".join(log_tail)).errors
    said = "; ".join(part for part in (attempt.printed(), *(errors or log_tail[-3:])) if part)
    return OperationFailed(
        f"{what}: {said or 'it printed nothing'}",
        node=str(server.address),
        state="The instance does not serve",
        advice=f"See {log_file or 'the output above'}",
        log_tail=log_tail,
    )


def start(server: Server, files: InstanceFiles, wait_s: float, clock: Clock) -> NodeInfo:
    """Starts the server and waits until it has loaded its data. Raises OperationFailed with its
    last words.
    """
    for what, path in (("executable", files.executable), ("configuration file", files.config_file)):
        if path and not os.path.isfile(path):
            raise PreconditionFailed(f"the {what} {path} does not exist", node=str(server.address), state="Nothing was started")
    offset = size_of(files.log_file)
    attempt = files.service.start(Start(files.executable, files.config_file, files.sentinel))

    def observe() -> NodeInfo | None:
        failure = attempt.failure()
        if failure:
            raise _not_started(failure, server, attempt, files.log_file, offset)
        try:
            return node_info(parse_info(server.command("INFO")))
        except (ConnectionFailed, CommandRefused):
            return None

    def serves(seen: NodeInfo | None) -> bool:
        return seen is not None and not seen.loading and not attempt.pending()

    waited = until(observe, serves, deadline_s=wait_s, interval_s=0.02, clock=clock)
    node = waited.seen
    if not waited.satisfied or node is None:
        last = "it does not answer" if node is None else "it still loads its data" if node.loading else attempt.pending()
        raise _not_started(f"it does not serve after {wait_s:g} s, {last}", server, attempt, files.log_file, offset)
    if not attempt.owns(node.pid):
        raise _not_started(f"another server (pid {node.pid}) answers on this port", server, attempt, files.log_file, offset)
    return node


def refuse_unsafe_stop(server: Server, node: NodeInfo, sentinel: bool) -> None:
    """Raises PreconditionFailed for an instance that the deployment cannot do without now."""
    if sentinel:
        for master in monitored_masters(server):
            _refuse_needed_sentinel(server, read_view(server, master.name))
        return
    if node.is_master:
        replicas = ", ".join(replica.address for replica in node.replicas) or "nobody"
        raise PreconditionFailed(
            f"it is a master, followed by {replicas}, and will not be stopped",
            node=str(server.address),
            state="It goes on serving",
            advice="Hand the master role over first (redis_sentinel_failover)",
            untouched=True,
        )


def refuse_while_replicas_are_missing(
    server: Server, node: NodeInfo, wanted: int, ask: Callable[[Address], NodeInfo | None], clock: Clock
) -> None:
    """Raises PreconditionFailed for a replica whose master has fewer than so many replicas online,
    this one included.

    One that was restarted before it may have crashed since it was proved. ``ask`` tells what the
    node at an address is like (None: not known, then nothing is refused). A master calls a replica
    online a moment after that has its link.
    """
    master = _master_of(node)
    if master is None:
        return

    def online() -> list[str] | None:
        found = ask(master)
        return None if found is None else sorted(replica.address for replica in found.replicas if replica.state == "online")

    def enough(seen: list[str] | None) -> bool:
        return seen is None or len(seen) >= wanted

    waited = until(online, enough, deadline_s=ONLINE_WITHIN_S, interval_s=0.25, clock=clock)
    if not waited.satisfied:
        found = ", ".join(waited.seen or []) or "none"
        raise PreconditionFailed(
            f"its master {master} should have {wanted} replicas, and has {found}, so this one will not be stopped",
            node=str(server.address),
            state="It goes on serving",
            advice="See what has become of the other replicas (their logs), and run again",
            untouched=True,
        )


def _refuse_needed_sentinel(server: Server, view: SentinelView) -> None:
    total = view.master.other_sentinels + 1
    others = sum(1 for peer in view.peers if not {"s_down", "disconnected"} & set(peer.flags))
    needed = max(view.master.quorum, total // 2 + 1)
    why = ""
    if view.master.failover_in_progress:
        why = f"a failover of {view.master.name} is in progress"
    elif others < needed:
        why = f"it reaches {others} of the {total - 1} other Sentinels of {view.master.name}, and {needed} are needed for a failover"
    if why:
        raise PreconditionFailed(
            f"{why}, so it will not be stopped",
            node=str(server.address),
            state="It goes on watching",
            advice="Wait until the failover has ended, or bring the other Sentinels back, and run again",
            untouched=True,
        )


def stop(server: Server, node: NodeInfo, files: InstanceFiles, wait_s: float, clock: Clock) -> None:
    """Tells the server to end (which saves if save points are set) and waits until the process is
    gone, for good.
    """
    with files.service.held():
        _end(server, node, files, wait_s, clock)
        files.service.keep_down(True, wait_s, clock)


def _end(server: Server, node: NodeInfo, files: InstanceFiles, wait_s: float, clock: Clock) -> None:
    offset = size_of(files.log_file)
    try:
        files.service.ask_to_end(server, wait_s)
    except ConnectionFailed:
        pass  # the answer to a SHUTDOWN that works is the end of the connection
    except CommandRefused as refused:
        raise OperationFailed(
            f"it refuses to shut down: {refused.reply}",
            node=str(server.address),
            state="It goes on serving",
            advice="Its log says why; often it cannot save its data (disk full, folder not writable)",
            log_tail=tail(files.log_file, offset),
        ) from refused
    waited = until(lambda: alive(node.pid), lambda lives: not lives, deadline_s=wait_s, interval_s=0.01, clock=clock)
    if not waited.satisfied:
        raise OperationFailed(
            f"its process {node.pid} is still there {wait_s:g} s after SHUTDOWN",
            node=str(server.address),
            state="It may be saving its data",
            advice="Look at its log, and run again when it is gone",
            log_tail=tail(files.log_file, offset),
        )


def _ensure_down(server: Server, node: NodeInfo | None, files: InstanceFiles, wait_s: float, clock: Clock) -> None:
    """Stops the instance if it runs and can be done without; if it does not run, it stays so."""
    if node is None:
        files.service.keep_down(False, wait_s, clock)
        return
    refuse_unsafe_stop(server, node, files.sentinel)
    stop(server, node, files, wait_s, clock)


def switch_version(
    server: Server,
    files: InstanceFiles,
    activation: Activation,
    version: str,
    identity: FileIdentity | None,
    wait_s: float,
    clock: Clock,
) -> NodeInfo:
    """Stops the instance, puts the staged version in place, and starts that; if it does not serve,
    the old one again.

    All in one go, so that the instance is down for a moment only, and not left stopped if the
    controller dies. Raises OperationFailed when the old version serves again (or, said so, does
    not).
    """
    activation.require_staged(version)
    activation.after(files).service.examine(activation.new_server(), activation.changes_place(files.executable))
    activation.examine(files)
    node, running = running_now(server, files, activation)
    old_version = _old_version(node, files, activation)
    _ensure_down(server, node, running, wait_s, clock)
    try:
        if files.sentinel:
            _mend(activation.now_at(files.config_file))
        new = activation.activate(files, identity)
        started = start(server, new, wait_s, clock)
        if started.version != version:
            raise OperationFailed(
                f"what was started is version {started.version}, not {version}",
                node=str(server.address),
                advice=f"What starts it does not start {new.executable}: correct that",
            )
        return started
    except (SentinelOpsError, OSError) as error:
        raise _back_to(old_version, server, files, activation, wait_s, clock, error) from error


def running_now(server: Server, files: InstanceFiles, activation: Activation) -> tuple[NodeInfo | None, InstanceFiles]:
    """What serves now (None: nothing), and from which files: those before the activation, or those
    after it.
    """
    new = activation.after(files)
    node = running_instance(server, files.config_file, new.config_file)
    is_new = node is not None and not _is_same_file(node.config_file, files.config_file)
    return node, new if is_new else files


def _old_version(node: NodeInfo | None, files: InstanceFiles, activation: Activation) -> str:
    if not activation.moved(files.executable):
        return activation.installed_version()
    return node.version if node is not None and _is_same_file(node.config_file, files.config_file) else binary_version(files.executable)


def _mend(path: str) -> None:
    """Makes a stopped Sentinel's file readable again, for the new version and for the old one
    alike.
    """
    text = read_text(path)
    mended = quote_sentinel_secrets(text)
    if mended != text:
        write_text(path, mended)


def _back_to(
    old_version: str,
    server: Server,
    files: InstanceFiles,
    activation: Activation,
    wait_s: float,
    clock: Clock,
    error: Exception,
) -> OperationFailed:
    """Puts the old version back and starts it; returns the error to raise, which says how that
    went.
    """
    facts = getattr(error, "facts", {})
    try:
        back = put_back(server, files, activation, old_version, wait_s, clock)
    except (SentinelOpsError, OSError) as second:
        return OperationFailed(
            f"the new version failed ({error}), and the old version {old_version} could not be started again ({second})",
            node=str(server.address),
            state="The instance is down",
            advice="Start it by hand before anything else",
            **facts,
        )
    return OperationFailed(
        f"the new version failed: {error}",
        node=str(server.address),
        state=f"The old version {old_version} was put back and serves again{_said(back.set_aside)}",
        advice="Mend the cause and run again",
        **{**facts, "set_aside": list(back.set_aside)},
    )


def _said(aside: Sequence[str]) -> str:
    return f"; data that it could not read was set aside: {', '.join(aside)}" if aside else ""


def runs_previous(node: NodeInfo, files: InstanceFiles, activation: Activation, version: str) -> bool:
    """Whether what serves is the version before the switch, from where that is kept."""
    return node.version == version and (activation.moved(files.executable) or activation.in_place(version))


@dataclass(frozen=True)
class PutBack:
    """The old version serves again; ``set_aside``: the new names of data files that it could not
    read.
    """

    node: NodeInfo
    set_aside: tuple[str, ...] = ()


Asked = Callable[[Address], "tuple[str, str] | None"]


def put_back(
    server: Server,
    files: InstanceFiles,
    activation: Activation,
    version: str,
    wait_s: float,
    clock: Clock,
    ask: Asked = lambda _address: None,
) -> PutBack:
    """Undoes switch_version: stops what runs, puts the kept version back and starts it, if that is
    not so already.

    Data files that the old version cannot read are set aside; it gets the data from the master
    again. ``ask`` tells the server and version at an address (None: not known): where the old
    version could not follow that master, nothing is touched.
    """
    node, running = running_now(server, files, activation)
    if node is not None and runs_previous(node, files, activation, version):
        return PutBack(node)
    old = ("valkey" if "valkey" in os.path.basename(files.executable) else "redis", version)
    if not files.sentinel:
        _refuse_barrier(server, node, files, old, ask)
    _ensure_down(server, node, running, wait_s, clock)
    activation.undo(files, version)
    aside = [] if files.sentinel else _prepare_data(server, node, files, old)
    try:
        return PutBack(start(server, files, wait_s, clock), tuple(aside))
    except OperationFailed as error:
        refused = not files.sentinel and data_was_refused(error.facts.get("log_tail", []))
        if not refused or not configured_master(files.config_file):
            raise
    aside += set_aside(data_files(files.config_file).all())
    return PutBack(start(server, files, wait_s, clock), tuple(aside))


def _refuse_barrier(server: Server, node: NodeInfo | None, files: InstanceFiles, old: tuple[str, str], ask: Asked) -> None:
    """Raises PreconditionFailed where the old version could neither read what is there nor get it
    from the master.
    """
    if not os.path.isfile(files.config_file):
        return
    named = configured_master(files.config_file).split()
    master = _master_of(node) if node is not None else Address(named[0], int(named[1])) if len(named) == 2 else None
    if master is None or (node is None and not unreadable(data_files(files.config_file), old)):
        # what is on disk may do for a partial resynchronisation, which crosses such a barrier
        return
    theirs = ask(master)
    if theirs is not None and not can_downgrade(old, theirs):
        raise PreconditionFailed(
            f"{old[1]} cannot be put back: its master {master} runs {theirs[1]}, whose data {old[1]} cannot read, so it could not follow",
            node=str(server.address),
            state="It was left with the new version" + ("" if node is not None else ", and does not serve"),
            advice="There is no way back from here but a restore; mend what keeps the new version from its work",
        )


def _master_of(node: NodeInfo | None) -> Address | None:
    """The master that a replica follows."""
    return Address.parse(node.master) if node is not None and node.master and not node.master.startswith(":") else None


def _prepare_data(server: Server, node: NodeInfo | None, files: InstanceFiles, old: tuple[str, str]) -> list[str]:
    """Before the old version is started: data that it cannot read is set aside, and it follows the
    master of now.
    """
    if not os.path.isfile(files.config_file):
        return []
    master = _master_of(node)
    if master is not None:
        set_configured_master(files.config_file, f"{master.host} {master.port}")
    paths = unreadable(data_files(files.config_file), old)
    if paths and not configured_master(files.config_file):
        raise OperationFailed(
            f"{old[1]} cannot read {', '.join(paths)}, and would come back empty: its configuration names no master to get the data from",
            node=str(server.address),
            state="The instance is down",
            advice="Start the new version again by hand, or restore a backup",
        )
    return set_aside(paths)


def restart(server: Server, files: InstanceFiles, wait_s: float, clock: Clock) -> NodeInfo:
    """Stops the instance if it runs, and starts it."""
    _ensure_down(server, running_instance(server, files.config_file), files, wait_s, clock)
    return start(server, files, wait_s, clock)
