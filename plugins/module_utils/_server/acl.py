# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether our user may do all that a handover needs, found out before anything is done.

A command that is queued in a transaction is checked against the ACL at once, and never runs if the
transaction is abandoned (Redis 6.0 and later; earlier ones have no ACL). Sentinels have no
transactions, but check the right before they look up the name.
"""

from __future__ import annotations

from typing import Any

from .._errors import AccessDenied, CommandRefused, ConnectionFailed
from .commands import Server

__all__ = ["denied_on_node", "denied_on_sentinel", "missing_on_node", "missing_on_sentinel", "missing_to_coordinate"]

SETTING: list[list[Any]] = [["CONFIG", "SET", "replica-priority", 100], ["CONFIG", "REWRITE"]]
MOVING: list[list[Any]] = [["REPLICAOF", "NO", "ONE"], ["CLIENT", "KILL", "TYPE", "normal"]]
PAUSING: list[list[Any]] = [["CLIENT", "PAUSE", 1, "WRITE"], ["CLIENT", "UNPAUSE"]]
READING: list[list[Any]] = [["INFO"], ["ROLE"], ["CONFIG", "GET", "dir"]]
NO_SUCH_MASTER = "no-such-master-of-sentinelops"
ASKING: list[list[Any]] = [
    ["INFO"],
    ["SENTINEL", "MASTERS"],
    *(["SENTINEL", what, NO_SUCH_MASTER] for what in ("MASTER", "REPLICAS", "SENTINELS", "CKQUORUM")),
    *(["SENTINEL", what, NO_SUCH_MASTER] for what in ("GET-MASTER-ADDR-BY-NAME", "FAILOVER")),
    ["SENTINEL", "SET", NO_SUCH_MASTER, "quorum", 1],
    ["SENTINEL", "DEBUG"],
]
# The right is checked first, and then that there is no such option. (A transaction cannot hold it
# from 7.0 on.)
STOPPING: list[Any] = ["SHUTDOWN", "no-such-option-of-sentinelops"]


def missing_on_node(node: Server, mode: str) -> list[str]:
    """The rights that our user lacks on a data node for a handover in this mode; a sentence each."""
    commands = [*PAUSING * (mode == "pause"), *MOVING * (mode != "plain"), *SETTING]
    return [_sentence(node, right, reply) for right, reply in _denied_in_transactions(node, commands).items()]


def _denied_in_transactions(node: Server, commands: list[list[Any]]) -> dict[str, str]:
    """The rights to commands that are queued and never run, each with the reply that denies it."""
    found: dict[str, str] = {}
    for words in (["MULTI"], ["EXEC"]):  # of nothing
        try:
            node.command(*words)
        except AccessDenied as denied:
            found[_right(words)] = denied.message
        except (CommandRefused, ConnectionFailed):
            return found  # a script that is busy, say: what it is, the survey tells
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
            node.close()  # and the transaction with it
    return found


def _denied(server: Server, commands: list[list[Any]]) -> dict[str, str]:
    """The rights to commands that are sent as they are, since they change nothing, each with the
    reply that denies it.
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
    """Every right for an upgrade in any mode that our user lacks on a data node, each with the
    reply that denies it.
    """
    return {**_denied(node, [*READING, STOPPING]), **_denied_in_transactions(node, [*PAUSING, *MOVING, *SETTING])}


def denied_on_sentinel(sentinel: Server) -> dict[str, str]:
    """As above, for a Sentinel; among them those that are useful only (``+sentinel|set``,
    ``+sentinel|debug``).
    """
    return _denied(sentinel, [*ASKING, STOPPING])


def missing_on_sentinel(sentinel: Server) -> list[str]:
    """As above, for a Sentinel."""
    denied = _denied(sentinel, [["SENTINEL", "FAILOVER", NO_SUCH_MASTER]])
    return [_sentence(sentinel, right, reply, kind="Sentinel ") for right, reply in denied.items()]


def _right(words: list[Any]) -> str:
    container = words[0] in ("CLIENT", "CONFIG", "SENTINEL")
    return "+" + "|".join(str(word).lower() for word in words[: 2 if container else 1])


def _sentence(server: Server, right: str, reply: str, kind: str = "") -> str:
    return f"our user lacks the right {right} on {kind}{server.address} ({reply})"


def missing_to_coordinate(master: Server) -> tuple[list[str], list[str]]:
    """What the Sentinels' own user lacks on the master for a coordinated failover, and what could
    not be found out.

    Sentinels name their connections ``sentinel-<start of their id>-cmd`` (CLIENT LIST).
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
