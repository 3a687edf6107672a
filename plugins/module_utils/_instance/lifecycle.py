# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lifecycle of one instance: find the running server, start, stop and restart it."""

from __future__ import annotations

import os
from dataclasses import replace

from .._errors import AccessDenied, CommandRefused, ConnectionFailed, OperationFailed, PreconditionFailed
from .._host.pid_namespace import visible_pid
from .._host.process import alive
from .._host.service import Start, StartAttempt
from .._install.instance_files import InstanceFiles
from .._server.activity import activity
from .._server.commands import Server
from .._server.info import NodeInfo, node_info, parse_info
from .._server.log import judge_log, size_of, tail
from .._wait import Clock, until
from .stop_guards import refuse_unsafe_stop

__all__ = ["ensure_down", "is_same_file", "located", "restart", "running_instance", "start", "stop"]

_NO_ADDRESS = "Cannot assign requested address"  # EADDRNOTAVAIL of bind(2), as servers log it
_RETRY_S = 1.0


def is_same_file(running: str, path: str) -> bool:
    """Return whether a running server's path is this file, also through links."""
    return bool(running) and os.path.realpath(running) == os.path.realpath(path)


def located(node: NodeInfo) -> NodeInfo:
    """Return the node with its process id as this host counts; 0 if its process is not visible."""
    return replace(node, pid=visible_pid(node.pid, node.port))


def running_instance(server: Server, *config_files: str) -> NodeInfo | None:
    """Return the running instance; None if nothing listens on its port.

    Raises PreconditionFailed if another program listens, or a server with another configuration
    file than the given ones.
    """
    try:
        info = parse_info(server.command("INFO"))
    except ConnectionFailed as error:
        if not error.refused:
            raise PreconditionFailed(
                f"what listens on this port hangs, or does not speak the Redis protocol ({error.message})",
                node=str(server.address),
                state="The server was left alone",
                advice="Find the process (ss -ltnp)",
            ) from error
        return None
    except CommandRefused as refused:
        raise PreconditionFailed(
            f"what listens on this port is not a Redis server: {refused.reply}",
            node=str(server.address),
            state="The server was left alone",
        ) from refused
    node = located(node_info(info))
    expected = list(dict.fromkeys(filter(None, config_files)))
    if expected and not any(is_same_file(node.config_file, path) for path in expected):
        raise PreconditionFailed(
            f"another server is there: pid {node.pid}, version {node.version}, configuration file {node.config_file or 'none'}; "
            f"expected was {' or '.join(expected)}",
            node=str(server.address),
            state="The server was left alone",
            advice="Choose another port, or stop that server if it is yours",
        )
    return node


# -- start


def start(server: Server, files: InstanceFiles, wait_s: float, clock: Clock) -> NodeInfo:
    """Start the server, wait until its data is loaded, and return the node.

    A host that has lost its network may lack the server's address, so such a start is tried again.
    Raises PreconditionFailed if a file is missing. Raises OperationFailed with the server's last
    words if it does not serve within ``wait_s`` seconds.
    """
    deadline_s = clock.now_s() + wait_s
    while True:
        try:
            return _start_once(server, files, wait_s, clock)
        except OperationFailed as error:
            if _NO_ADDRESS not in f"{error.message} {error.facts.get('log_tail', '')}" or clock.now_s() >= deadline_s:
                raise
        clock.sleep_s(_RETRY_S)


def _start_once(server: Server, files: InstanceFiles, wait_s: float, clock: Clock) -> NodeInfo:
    for kind, path in (("executable", files.executable), ("configuration file", files.config_file)):
        if files.local and path and not os.path.isfile(path):
            raise PreconditionFailed(f"the {kind} {path} does not exist", node=str(server.address), state="Nothing was started")
    offset = size_of(files.log_file)
    attempt = files.service.start(Start(files.executable if files.local else "", files.config_file, files.sentinel))

    def observe() -> dict[str, str] | None:
        failure = attempt.failure()
        if failure:
            raise _not_started(failure, server, attempt, files.log_file, offset)
        try:
            return parse_info(server.command("INFO"))
        except (ConnectionFailed, CommandRefused):
            return None

    def serves(seen: dict[str, str] | None) -> bool:
        return seen is not None and not node_info(seen).loading and not attempt.pending()

    def says(seen: dict[str, str] | None) -> str:
        return "starting" if seen is None else activity(seen) or attempt.pending()

    waited = until(observe, serves, deadline_s=wait_s, interval_s=0.02, clock=clock, says=says)
    node = None if waited.seen is None else node_info(waited.seen)
    if not waited.satisfied or node is None:
        last = "it does not answer" if node is None else "it still loads its data" if node.loading else attempt.pending()
        raise _not_started(f"it does not serve after {wait_s:g} s, {last}", server, attempt, files.log_file, offset)
    node = located(node)
    if (node.pid or files.local) and not attempt.owns(node.pid):
        raise _not_started(f"another server (pid {node.pid}) answers on this port", server, attempt, files.log_file, offset)
    return node


def _not_started(reason: str, server: Server, attempt: StartAttempt, log_file: str, offset: int) -> OperationFailed:
    """End what was started, to make way for another server; return the error to raise."""
    log_tail, printed = tail(log_file, offset), attempt.printed()
    attempt.end()
    errors = judge_log("\n".join(log_tail)).errors
    last_words = "; ".join(part for part in (printed, *(errors or log_tail[-3:])) if part)
    return OperationFailed(
        f"{reason}: {last_words or 'it printed nothing'}",
        node=str(server.address),
        state="The instance does not serve",
        advice=f"See {log_file or 'the output above'}",
        # without a log file, the output is the log
        log_tail=log_tail if log_file else printed.splitlines(),
    )


# -- stop


def stop(server: Server, node: NodeInfo, files: InstanceFiles, wait_s: float, clock: Clock) -> None:
    """Shut the server down, wait until its process is gone, and keep the instance down.

    The server saves its data if save points are set. Raises OperationFailed if the server does not
    end within ``wait_s`` seconds.
    """
    with files.service.automatic_restart_off():
        _shut_down(server, node, files, wait_s, clock)
        files.service.keep_down(True, wait_s, clock)


def _shut_down(server: Server, node: NodeInfo, files: InstanceFiles, wait_s: float, clock: Clock) -> None:
    offset = size_of(files.log_file)
    try:
        files.service.request_shutdown(server, wait_s)
    except ConnectionFailed:
        pass  # a server that obeys closes the connection instead of answering
    except CommandRefused as refused:
        raise OperationFailed(
            f"it refuses to shut down: {refused.reply}",
            node=str(server.address),
            state="The server is still running",
            advice="Its log says why; often it cannot save its data (disk full, folder not writable)",
            log_tail=tail(files.log_file, offset),
        ) from refused
    serving = (lambda: alive(node.pid)) if node.pid else (lambda: _listens(server))
    waited = until(
        serving,
        lambda lives: not lives,
        deadline_s=wait_s,
        interval_s=0.01 if node.pid else 0.1,
        clock=clock,
        says=lambda _lives: "shutting down, which saves its data",
    )
    if not waited.satisfied:
        raise OperationFailed(
            f"{f'its process {node.pid} is' if node.pid else 'it is'} still there {wait_s:g} s after SHUTDOWN",
            node=str(server.address),
            state="The server may be saving its data",
            advice="Look at the server's log, and run again when the process is gone",
            log_tail=tail(files.log_file, offset),
        )


def _listens(server: Server) -> bool:
    """Return whether anything accepts connections on the port, for want of a visible process."""
    try:
        server.command("PING")
    except ConnectionFailed as error:
        return not error.refused
    except (AccessDenied, CommandRefused):
        pass
    return True


def ensure_down(server: Server, node: NodeInfo | None, files: InstanceFiles, wait_s: float, clock: Clock) -> None:
    """Stop a running instance unless the deployment needs it; keep a stopped one (None) down."""
    if node is None:
        files.service.keep_down(False, wait_s, clock)
        return
    refuse_unsafe_stop(server, node, files.sentinel, clock)
    stop(server, node, files, wait_s, clock)


def restart(server: Server, files: InstanceFiles, wait_s: float, clock: Clock) -> NodeInfo:
    """Stop the instance if it runs, start it, and return the node."""
    ensure_down(server, running_instance(server, files.config_file), files, wait_s, clock)
    return start(server, files, wait_s, clock)
