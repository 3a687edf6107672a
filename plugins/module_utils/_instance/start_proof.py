# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that a restart took nothing from an instance: its numbers and limits before and after.

A server that may open too few files lowers its own ``maxclients`` (10000 becomes 992 with 1024
files), and says so only in its log. A Sentinel writes the lowered number into its configuration
file at its next change, a data node at its next CONFIG REWRITE (5.0 to 9.1).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Mapping

from .._errors import AccessDenied, CommandRefused, ConnectionFailed, OperationFailed
from .._host.process_facts import facts_of, lower_limits
from .._host.service import Process, Service
from .._server.commands import Server
from .._server.config_file import directives, number_of, read_text, write_text
from .._server.info import NodeInfo, parse_info

__all__ = ["StartProof", "lowered_numbers"]

# Numbers that a server lowers at its start by what the host permits, also if no file sets them.
_BY_HOST = ("maxclients",)


@dataclass(frozen=True)
class StartProof:
    """The numbers of a running instance before its restart; none if it did not run."""

    numbers: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, server: Server, node: NodeInfo | None) -> StartProof:
        return cls(_numbers(server)) if node is not None else cls()

    def lost(self, server: Server, node: NodeInfo, service: Service, config_file: str) -> list[str]:
        """Return what the restarted instance has less of than before."""
        lost = lowered_numbers(self.numbers, _numbers(server), _configured(config_file))
        after = facts_of(node.pid) if isinstance(service, Process) and service.facts else None
        if after is None or not isinstance(service, Process) or service.facts is None:
            return lost
        # the preflight has shown them
        known = [problem.split()[1] for problem in service.facts.impossible(config_file)]
        lower = lower_limits(_soft(service.facts.limits), _soft(after.limits))
        return lost + [f"limit {one}" for one in lower if one.split()[0] not in known]

    def require(self, server: Server, node: NodeInfo, service: Service, config_file: str) -> None:
        """Raise OperationFailed if the restarted instance has less of something than before."""
        lost = self.lost(server, node, service, config_file)
        if lost:
            raise OperationFailed(
                f"the restarted server has {' and '.join(lost)}",
                node=str(server.address),
                state="The server serves, with less than before",
                advice="Raise the limits with which it is started (LimitNOFILE of its unit, ulimit of its start command)",
            )

    def repair(self, config_file: str) -> None:
        """Write the numbers of before into a file to which the server has written lowered ones."""
        if not os.path.isfile(config_file):
            return
        lines, configured = read_text(config_file).splitlines(keepends=True), _configured(config_file)
        lowered = {name: self.numbers[name] for name in _BY_HOST if 0 < configured.get(name, 0) < self.numbers.get(name, 0)}
        if lowered:
            names = [(line.split() or [""])[0].lower() for line in lines]
            text = [f"{name} {lowered[name]}\n" if name in lowered else line for name, line in zip(names, lines)]
            write_text(config_file, "".join(text))


def _soft(limits: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Return the soft limits alone: a server that raises its soft limit lowers its hard limit."""
    return {name: (soft, soft) for name, (soft, _hard) in limits.items()}


def _numbers(server: Server) -> dict[str, int]:
    """Return all numeric settings; only those in INFO if CONFIG GET is not permitted, or unknown as
    in a Sentinel.
    """
    try:
        reply = server.command("CONFIG", "GET", "*")
        found = dict(zip(reply[::2], reply[1::2])) if isinstance(reply, list) else {}
    except (AccessDenied, CommandRefused):
        found = {}
    except ConnectionFailed:
        return {}
    if not found:
        try:
            found = {name: value for name, value in parse_info(server.command("INFO", "clients")).items() if name in _BY_HOST}
        except (AccessDenied, CommandRefused, ConnectionFailed):
            return {}
    return {str(name): int(value) for name, value in found.items() if str(value).isdigit()}


def _configured(config_file: str) -> dict[str, int]:
    """Return the numbers that a configuration file sets."""
    if not os.path.isfile(config_file):
        return {}
    lines = {name: lines[-1] for name, lines in directives(read_text(config_file)).items()}
    numbers = {name: number_of(words[0]) for name, words in lines.items() if len(words) == 1}
    return {name: number for name, number in numbers.items() if number is not None}


def lowered_numbers(before: Mapping[str, int], after: Mapping[str, int], configured: Mapping[str, int]) -> list[str]:
    """Return a text for each number that the server itself has lowered: ``maxclients 992 instead of
    10000``.

    A smaller default of another version does not count, so the configuration file must say more
    than the server.
    """
    return [
        f"{name} {after[name]} instead of {old}"
        for name, old in before.items()
        if name in after and after[name] < old and (name in _BY_HOST or configured.get(name, 0) > after[name])
    ]
