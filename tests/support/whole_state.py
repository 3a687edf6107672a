"""All settings, users and views of a deployment, and what has changed in them unexpectedly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from allowed_differences import CROSSINGS, FOLLOWED, MOVING, OF_DEAD_MASTERS, RENAMED, RENAMED_PATHS
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import parse_info, server_of
from ansible_collections.sentinelops.redis.plugins.module_utils._server.versions import version_key
from ansible_collections.sentinelops.redis.plugins.module_utils._survey.user_facts import differing_users

__all__ = ["State", "instance_state", "unexpected_changes"]

State = dict[str, Any]
Command = Callable[..., Any]


def instance_state(command: Command, is_sentinel: bool) -> State:
    """Return version, settings, ACL users and, of a Sentinel, its masters.

    ``command``: sends the words of a command and returns the reply.
    """
    server, version = server_of(parse_info(command("INFO")))
    found: State = {"version": [server, version], "acl": _reply(command, "ACL", "LIST")}
    if is_sentinel:
        found["masters"] = {fields["name"]: fields for fields in map(_pairs, command("SENTINEL", "MASTERS"))}
        found["sentinel"] = _pairs(_reply(command, "SENTINEL", "CONFIG", "GET", "*"))
    else:
        found["config"] = _pairs(command("CONFIG", "GET", "*"))
        found["role"] = command("ROLE")[0]
    return found


def _reply(command: Command, *words: str) -> list[str]:
    """Return the reply; empty if this version does not know the command."""
    try:
        return [str(one) for one in command(*words)]
    except CommandRefused:
        return []


def _pairs(reply: list[Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in zip(reply[::2], reply[1::2], strict=True)}


def unexpected_changes(before: Mapping[str, State], after: Mapping[str, State]) -> list[str]:
    """Return a sentence for each change that is not in allowed_differences.py.

    The states are by instance. Where the master role has moved, who follows whom is not compared.
    """
    moved = {name for name in before if before[name].get("role") != after.get(name, {}).get("role")}
    found = [f"{name} is gone" for name in before if name not in after]
    for name in before:
        if name in after:
            found += [f"{name}: {text}" for text in _changes(before[name], after[name], bool(moved))]
    return found


def _changes(old: State, new: State, moved: bool) -> Iterator[str]:
    # a rollback crosses the same border in the other direction
    back = _position(new["version"]) < _position(old["version"])
    lower, higher = (new, old) if back else (old, new)
    known = _Known(lower["version"], higher["version"], moved)
    if "config" in old:
        yield from _differing("", lower["config"], higher["config"], known)
    for master in {*old.get("masters", {}), *new.get("masters", {})}:
        views = [state["masters"].get(master, {}) for state in (old, new)]
        if views[0]:  # a link may come up after a start, and must not go down
            views[0] = {**views[0], "flags": views[0]["flags"].replace(",disconnected", "")}
        left_out = {*MOVING, *(OF_DEAD_MASTERS if all("s_down" in view.get("flags", "") for view in views) else ())}
        kept = [{name: value for name, value in view.items() if name not in left_out} for view in views]
        yield from _differing(f"{master} ", *kept, known)
    yield from _differing("SENTINEL CONFIG ", lower.get("sentinel", {}), higher.get("sentinel", {}), known)
    if old["acl"] and new["acl"]:
        yield from (f"ACL users {what}: {names}" for what, names in differing_users(old["acl"], new["acl"]).items() if names)


class _Known:
    """The allowed differences between two versions, of which the first one is older."""

    def __init__(self, lower: list[str], higher: list[str], moved: bool) -> None:
        crossed = [one for one in CROSSINGS if _position(lower) < _position(one.at.split()) <= _position(higher)]
        self._crossed = [one for one in crossed if not (higher[0] == "valkey" and one.at == "redis 8.0")]
        self._product_changes = lower[0] != higher[0]
        self._moved = moved

    def allows(self, name: str, old: str | None, new: str | None, older: Mapping[str, str]) -> bool:
        if self._moved and name in FOLLOWED:
            return True
        if new is None:
            return any(one.dropped.get(name) == old for one in self._crossed)
        if old is None and name in RENAMED:
            return new == older.get(RENAMED[name])
        if old is None:
            added = [one.added.get(name, one.sentinel.get(name)) for one in self._crossed]
            return new in added or any((first, new) in self._chains(name) for first in added)
        if name in RENAMED_PATHS and self._product_changes:
            return old.replace("redis", "valkey") == new
        return (old, new) in self._chains(name)

    def _chains(self, name: str) -> Iterable[tuple[str | None, str]]:
        """Return the changes of a default, over one border or several."""
        steps = [one.changed[name] for one in self._crossed if name in one.changed]
        return [(first[0], last[1]) for at, first in enumerate(steps) for last in steps[at:]]


def _differing(what: str, older: Mapping[str, str], newer: Mapping[str, str], known: _Known) -> Iterator[str]:
    for name in sorted({*older, *newer}):
        old, new = older.get(name), newer.get(name)
        if old != new and not known.allows(name, old, new, older):
            yield f"{what}{name} is {new!r} in the newer state of versions, {old!r} in the older one"


def _position(version: list[str]) -> tuple[bool, tuple[int, ...]]:
    """Return the order of products and versions: Valkey follows every Redis."""
    server, number = version
    return server == "valkey", version_key(number)
