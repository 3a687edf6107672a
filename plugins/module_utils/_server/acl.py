# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that a run needs: those that our user may not run, or that the server does not know.

The check runs no command that changes anything. A server looks the command up, and checks the ACL
(Redis 6.0 and later), when a command is queued in a transaction; a transaction that is discarded
runs nothing. Sentinels have no transactions, but check both before they look up the master name.
A server does not know a command that ``rename-command`` has renamed or disabled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .._errors import AccessDenied, CommandRefused, ConnectionFailed
from .commands import Server

__all__ = [
    "Refusals",
    "is_unknown",
    "missing_on_node",
    "missing_on_sentinel",
    "missing_to_coordinate",
    "refused_on_node",
    "refused_on_sentinel",
]

SETTING: list[list[Any]] = [["CONFIG", "SET", "replica-priority", 100], ["CONFIG", "REWRITE"]]
MOVING: list[list[Any]] = [["REPLICAOF", "NO", "ONE"], ["CLIENT", "KILL", "TYPE", "normal"]]
# Sentinels send this to a node in every failover, up to Valkey 9.1; our user needs no right to it.
BY_SENTINELS: list[list[Any]] = [["SLAVEOF", "NO", "ONE"]]
SAVING: list[list[Any]] = [["BGSAVE"]]
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


@dataclass(frozen=True)
class Refusals:
    """The rights that our user lacks (``+client|pause``), and the commands that are not known.

    Each with the server's reply.
    """

    denied: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)

    def add(self, words: list[Any], error: AccessDenied | CommandRefused) -> bool:
        """Note the refusal of a command; return whether the reason is one of the two."""
        if isinstance(error, AccessDenied):
            self.denied[_right(words)] = error.message
        elif is_unknown(error):
            self.unknown[str(words[0]).upper()] = error.reply
        else:
            return False
        return True

    def __or__(self, other: Refusals) -> Refusals:
        return Refusals({**self.denied, **other.denied}, {**self.unknown, **other.unknown})


def is_unknown(error: CommandRefused) -> bool:
    """Return whether the server does not know the command: "unknown command", since Redis 1.0."""
    return "unknown command" in error.reply.lower()


def missing_on_node(node: Server, mode: str) -> list[str]:
    """Return a sentence for each right or command that a handover in this mode lacks on a node."""
    refused = _refused_in_transactions(node, [*PAUSING * (mode == "pause"), *MOVING * (mode != "plain"), *SETTING])
    unknown = [f"{node.address} does not know the command {name}: it is renamed or disabled" for name in refused.unknown]
    return [*(_sentence(node, right, reply) for right, reply in refused.denied.items()), *unknown]


def _refused_in_transactions(node: Server, commands: list[list[Any]]) -> Refusals:
    """Return the refusals of these commands, and of what Sentinels send; none of them runs."""
    found = Refusals()
    for words in (["MULTI"], ["EXEC"]):  # an empty transaction
        try:
            node.command(*words)
        except (AccessDenied, CommandRefused) as error:
            if not found.add(words, error):
                return found  # a busy script, for example; the survey reports the reason
        except ConnectionFailed:
            return found
    if found.denied or found.unknown:
        return found
    for words in [*commands, *BY_SENTINELS]:
        try:
            node.command("MULTI")
            node.command(*words)
        except (AccessDenied, CommandRefused) as error:
            if not found.add(words, error):
                break
        except ConnectionFailed:
            break
        finally:
            node.close()  # the server discards the transaction
    for words in BY_SENTINELS:
        found.denied.pop(_right(words), None)
    return found


def _refused(server: Server, commands: list[list[Any]]) -> Refusals:
    """Return the refusals of commands that change nothing when they run."""
    found = Refusals()
    for words in commands:
        try:
            server.command(*words)
        except (AccessDenied, CommandRefused) as error:
            found.add(words, error)
        except ConnectionFailed:
            pass
    return found


def refused_on_node(node: Server) -> Refusals:
    """Return the refusals of all commands that an upgrade in any mode needs on a data node.

    ``+command|info`` is among them, although an upgrade can do without, and ``+bgsave``, which only
    a backup needs.
    """
    return _refused(node, [*READING, STOPPING]) | _refused_in_transactions(node, [*PAUSING, *MOVING, *SETTING, *SAVING])


def refused_on_sentinel(sentinel: Server) -> Refusals:
    """Return the refusals of all commands that an upgrade needs on a Sentinel.

    ``+sentinel|set`` and ``+sentinel|debug`` are among them, although an upgrade can do without.
    """
    return _refused(sentinel, [*ASKING, STOPPING])


def missing_on_sentinel(sentinel: Server) -> list[str]:
    """Return a sentence for each right that a handover lacks on a Sentinel."""
    denied = _refused(sentinel, [["SENTINEL", "FAILOVER", NO_SUCH_MASTER]]).denied
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
