# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that modules end with: what is wrong, on which node, what state things are in, what to
do next.
"""

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
    """Base of all our errors; a module's ``main()`` turns it into
    ``fail_json(**error.as_result())``.

    ``node`` is ``host:port`` or a path's owner, ``state`` says what the deployment is like now,
    ``advice`` what to do next; ``facts`` are further return values (JSON types).
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
        result: dict[str, Any] = {"msg": str(self)}
        for key in ("node", "state", "advice"):
            if getattr(self, key):
                result[f"{key}_now" if key == "state" else key] = getattr(self, key)
        result.update(self.facts)
        return result


class ConnectionFailed(SentinelOpsError):
    """The node cannot be reached, or the connection broke.

    ``sent`` is false if the command certainly never reached the server; else whether it ran is
    unknown. ``refused`` is true if nothing listens there (as opposed to something that hangs, or a
    network that is down).
    """

    def __init__(self, message: str, *, node: str, sent: bool, refused: bool = False) -> None:
        super().__init__(message, node=node)
        self.sent = sent
        self.refused = refused


class AccessDenied(SentinelOpsError):
    """NOAUTH, WRONGPASS or NOPERM: the credentials or the ACL of the user do not suffice."""


class CommandRefused(SentinelOpsError):
    """The server answered a command with an error; ``reply`` is that error's text."""

    def __init__(self, reply: str, *, node: str, command: str) -> None:
        super().__init__(f"{command} was answered with: {reply}", node=node, reply=reply)
        self.reply = reply
        self.command = command


class ConditionNotMet(SentinelOpsError):
    """A wait ended at its deadline; the message says what was last seen."""


class PreconditionFailed(SentinelOpsError):
    """What was asked for must not be done now; nothing was changed."""


class OperationFailed(SentinelOpsError):
    """Something that was begun did not end well; ``state`` says where it was left."""
