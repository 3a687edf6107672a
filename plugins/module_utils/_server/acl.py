# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ACL rights: finding those that our user lacks without running a command that changes anything.

A server checks the ACL when a command is queued in a transaction, and a transaction that is
discarded runs nothing (Redis 6.0 and later; earlier versions have no ACL). Sentinels have no
transactions, but check the right before they look up the master name.
"""

from __future__ import annotations

from typing import Any

from .._errors import AccessDenied, CommandRefused, ConnectionFailed
from .commands import Server

__all__ = ["denied_on_node", "denied_on_sentinel", "missing_on_node", "missing_on_sentinel", "missing_to_coordinate"]

SETTING: list[list[Any]] = [["CONFIG", "SET", "replica-priority", 100], ["CONFIG", "REWRITE"]]
MOVING: list[list[Any]] = [["REPLICAOF", "NO", "ONE"], ["CLIENT", "KILL", "TYPE", "normal"]]
PAUSING: list[list[Any]] = [["CLIENT", "PAUSE", 1, "WRITE"], ["CLIENT", "UNPAUSE"]]
READING: list[list[Any]] = [["INFO"], ["PING"], ["CONFIG", "GET", "dir"], ["COMMAND", "INFO", "ping"]]
NO_SUCH_MASTER = "no-such-master-of-sentinelops"
ASKING: list[list[Any]] = [
    ["INFO"],
    ["PING"],
    ["SENTINEL", "MASTERS"],
    *(["SENTINEL", what, NO_SUCH_MASTER] for what in ("MASTER", "REPLICAS", "SENTINELS", "CKQUORUM")),
    *(["SENTINEL", what, NO_SUCH_MASTER] for what in ("GET-MASTER-ADDR-BY-NAME", "FAILOVER")),
    ["SENTINEL", "SET", NO_SUCH_MASTER, "quorum", 1],
    ["SENTINEL", "DEBUG"],
]
# The server checks the right first, and then refuses the unknown option. (From 7.0 on a transaction
# cannot hold SHUTDOWN.)
STOPPING: list[Any] = ["SHUTDOWN", "no-such-option-of-sentinelops"]


def missing_on_node(node: Server, mode: str) -> list[str]:
    """Return a sentence for each right that a handover in this mode lacks on a data node."""
    commands = [*PAUSING * (mode == "pause"), *MOVING * (mode != "plain"), *SETTING]
    return [_sentence(node, right, reply) for right, reply in _denied_in_transactions(node, commands).items()]


def _denied_in_transactions(node: Server, commands: list[list[Any]]) -> dict[str, str]:
    """Return the rights that are denied when commands are queued, each with the server's reply.

    No command runs.
    """
    found: dict[str, str] = {}
    for words in (["MULTI"], ["EXEC"]):  # an empty transaction
        try:
            node.command(*words)
        except AccessDenied as denied:
            found[_right(words)] = denied.message
        except (CommandRefused, ConnectionFailed):
            return found  # a busy script, for example; the survey reports the reason
    if found:
        return found
    for words in commands:
        try:
            node.command("MULTI")
            node.command(*words)
        except AccessDenied as denied:
            found[_right(words)] = denied.message
        except (CommandRefused, ConnectionFailed):
            break
        finally:
            node.close()  # the server discards the transaction
    return found


def _denied(server: Server, commands: list[list[Any]]) -> dict[str, str]:
    """Return the rights that are denied when commands run, each with the server's reply.

    The commands must change nothing.
    """
    found = {}
    for words in commands:
        try:
            server.command(*words)
        except AccessDenied as denied:
            found[_right(words)] = denied.message
        except (CommandRefused, ConnectionFailed):
            pass
    return found


def denied_on_node(node: Server) -> dict[str, str]:
    """Return the rights that an upgrade in any mode lacks on a data node, with the replies.

    ``+command|info`` is among them, although an upgrade can do without.
    """
    return {**_denied(node, [*READING, STOPPING]), **_denied_in_transactions(node, [*PAUSING, *MOVING, *SETTING])}


def denied_on_sentinel(sentinel: Server) -> dict[str, str]:
    """Return the rights that an upgrade lacks on a Sentinel, with the replies.

    ``+sentinel|set`` and ``+sentinel|debug`` are among them, although an upgrade can do without.
    """
    return _denied(sentinel, [*ASKING, STOPPING])


def missing_on_sentinel(sentinel: Server) -> list[str]:
    """Return a sentence for each right that a handover lacks on a Sentinel."""
    denied = _denied(sentinel, [["SENTINEL", "FAILOVER", NO_SUCH_MASTER]])
    return [_sentence(sentinel, right, reply, kind="Sentinel ") for right, reply in denied.items()]


def _right(words: list[Any]) -> str:
    container = words[0] in ("CLIENT", "COMMAND", "CONFIG", "SENTINEL")
    return "+" + "|".join(str(word).lower() for word in words[: 2 if container else 1])


def _sentence(server: Server, right: str, reply: str, kind: str = "") -> str:
    return f"our user lacks the right {right} on {kind}{server.address} ({reply})"


def missing_to_coordinate(master: Server) -> tuple[list[str], list[str]]:
    """Check the Sentinels' own user on the master for a coordinated failover.

    Returns a sentence for each missing right, and a sentence if the check was not possible. The
    user is found in CLIENT LIST, where a Sentinel's connection is named
    ``sentinel-<start of its run id>-cmd``.
    """
    try:
        lines = str(master.command("CLIENT", "LIST")).splitlines()
        fields = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
        users = {one.get("user", "default") for one in fields if one.get("name", "").startswith("sentinel-")}
        found = []
        for user in sorted(users):
            for words in (["FAILOVER", "TO", "host", "1"], ["CLIENT", "PAUSE", "1"]):
                reply = str(master.command("ACL", "DRYRUN", user, *words))
                if reply != "OK":
                    right = "+failover" if words[0] == "FAILOVER" else "+client"
                    found.append(f"the Sentinels' user {user} lacks the right {right} on {master.address} ({reply})")
        return found, []
    except AccessDenied as denied:
        return [], [f"whether the Sentinels' user may coordinate a failover could not be checked: {denied.message}"]
    except (CommandRefused, ConnectionFailed) as failed:
        return [], [f"whether the Sentinels' user may coordinate a failover could not be checked: {failed}"]
