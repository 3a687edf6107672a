# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that modules report: the problem, its node, the resulting state, and advice."""

from __future__ import annotations

from typing import Any

__all__ = [
    "AccessDenied",
    "CommandRefused",
    "ConditionNotMet",
    "ConnectionFailed",
    "OperationFailed",
    "PreconditionFailed",
    "SentinelOpsError",
]


class SentinelOpsError(Exception):
    """Base of the collection's errors; ``run_module`` reports one with ``fail_json``.

    ``node`` is the ``host:port`` of the server concerned. ``state`` describes the deployment after
    the error, ``advice`` the next action. ``facts`` are further return values (JSON types).
    """

    def __init__(self, message: str, *, node: str = "", state: str = "", advice: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.state = state
        self.advice = advice
        self.facts = facts

    def __str__(self) -> str:
        where = f"{self.node}: " if self.node else ""
        parts = [f"{where}{self.message}", self.state, self.advice]
        return " ".join(part if part.endswith((".", "?", "!")) else f"{part}." for part in parts if part)

    def as_result(self) -> dict[str, Any]:
        """Return the arguments for ``fail_json``; ``state`` is returned as ``state_now``."""
        result: dict[str, Any] = {"msg": str(self)}
        for key in ("node", "state", "advice"):
            if getattr(self, key):
                result[f"{key}_now" if key == "state" else key] = getattr(self, key)
        result.update(self.facts)
        return result


class ConnectionFailed(SentinelOpsError):
    """A node that cannot be reached, or a broken connection.

    ``sent`` is false if the command certainly never reached the server; if ``sent`` is true, the
    command may have run. ``refused`` is true if nothing listens on the port, and false if the node
    hangs or the network is down.
    """

    def __init__(self, message: str, *, node: str, sent: bool, refused: bool = False) -> None:
        super().__init__(message, node=node)
        self.sent = sent
        self.refused = refused


class AccessDenied(SentinelOpsError):
    """Credentials or an ACL that do not suffice (NOAUTH, WRONGPASS, NOPERM, a TLS alert)."""


class CommandRefused(SentinelOpsError):
    """An error reply to a command; ``reply`` is its text."""

    def __init__(self, reply: str, *, node: str, command: str) -> None:
        super().__init__(f"{command} was answered with: {reply}", node=node, reply=reply)
        self.reply = reply
        self.command = command


class ConditionNotMet(SentinelOpsError):
    """A wait that ended at its deadline; the message has the last observation."""


class PreconditionFailed(SentinelOpsError):
    """A request that must not be carried out now; nothing was changed."""


class OperationFailed(SentinelOpsError):
    """An operation that failed after it had begun; ``state`` says how far it got."""
