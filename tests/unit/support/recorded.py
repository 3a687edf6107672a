"""Replies of real servers, from the files that fixtures/record.py wrote."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused, ConnectionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address

FIXTURES = Path(__file__).parents[1] / "fixtures"
VERSIONS = sorted(folder.name for folder in FIXTURES.iterdir() if (folder / "healthy.json").exists())
MASTER, REPLICA, OTHER_REPLICA = "127.0.0.1:23100", "127.0.0.1:23101", "127.0.0.1:23102"
SENTINELS = ("127.0.0.1:23110", "127.0.0.1:23111", "127.0.0.1:23112")


@cache
def recorded(version: str, subject: str) -> Any:
    return json.loads((FIXTURES / version / f"{subject}.json").read_text())


def info_text(lines: list[str]) -> str:
    """Return INFO as the server sent it."""
    return "\r\n".join(lines) + "\r\n"


def log_text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def flat(fields: dict[str, str]) -> list[str]:
    """Return a reply that was recorded as an object: names and values, one after the other."""
    return [word for pair in fields.items() for word in pair]


class RecordedSentinel:
    """A Sentinel that replays recorded replies; ``changes`` replaces fields of SENTINEL MASTER."""

    def __init__(self, said: dict[str, Any], **changes: str) -> None:
        self.address = Address.parse(said["address"])
        self._said = said
        self._master = {**said["master"], **changes}

    def command(self, *words: Any) -> Any:
        if words[0] == "INFO":
            return info_text(self._said["info"])
        if words[1] == "MASTERS":
            return [flat(self._master)]
        if words[2] != self._master["name"]:
            raise self._refused(words, "ERR No such master with that name")
        if words[1] == "MASTER":
            return flat(self._master)
        if words[1] == "CKQUORUM" and "ckquorum_refused" in self._said:
            raise self._refused(words, self._said["ckquorum_refused"])
        reply = self._said[words[1].lower()]
        return [flat(fields) for fields in reply] if words[1] in ("REPLICAS", "SENTINELS") else reply

    def set_timeout(self, timeout_ms: int) -> None:
        """Do nothing: replies are recorded."""

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _refused(self, words: tuple[Any, ...], reply: str) -> CommandRefused:
        return CommandRefused(reply, node=str(self.address), command=str(words[0]))


class RecordedNode:
    """A data node that replays recorded replies."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.address = Address.parse(said["address"])
        self.closed = 0
        self._said = said

    def command(self, *words: Any) -> Any:
        if words[0] == "INFO":
            return info_text(self._said["info"])
        value = self._said["config"].get(words[2])
        # the reply for a parameter that the server does not have
        return [] if value is None else [words[2], value]

    def set_timeout(self, timeout_ms: int) -> None:
        """Do nothing: replies are recorded."""

    def close(self) -> None:
        self.closed += 1


class Unreachable:
    """A server that no connection reaches."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def command(self, *words: Any) -> Any:
        raise ConnectionFailed(f"no answer to {words[0]}: connection refused", node=str(self.address), sent=False, refused=True)

    def set_timeout(self, timeout_ms: int) -> None:
        """Do nothing: replies are recorded."""

    def close(self) -> None:
        """Do nothing: there is no connection."""
