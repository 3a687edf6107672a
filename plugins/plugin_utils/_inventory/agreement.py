# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse a deployment of which something is missing or contradictory. Pure.

The inventory must be whole: an upgrade with a part of the instances would leave the others behind.
Each function raises PreconditionFailed. The caller adds that no host was added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ...module_utils._errors import ConnectionFailed, PreconditionFailed
from ...module_utils._topology.sentinel import MasterView, ReplicaView, SentinelView
from .facts import AskedSentinel, SentinelSet, ShardNodes

__all__ = ["require_agreement", "require_answers", "require_one_set", "require_one_shard_each", "require_roles"]

DOWN = {"s_down", "o_down"}


def require_one_set(found: SentinelSet) -> None:
    """Raise unless a Sentinel has answered, and all that answered know each other.

    Sentinels of different deployments may monitor masters of one name. A Sentinel that does not
    answer connects the Sentinels that know it.
    """
    if not found.asked:
        raise PreconditionFailed(
            f"no Sentinel answered: {_errors(found.silent)}",
            advice="Start the Sentinels, or correct the option sentinels and the TLS options; the controller itself connects to them",
        )
    groups = _groups({identity: {identity, *found.known_to(one)} for identity, one in found.asked.items()})
    if len(groups) > 1:
        texts = (", ".join(sorted(found.address_of(found.asked[identity]) for identity in group)) for group in groups)
        raise PreconditionFailed(
            f"the Sentinels do not know each other, or have different masters: {' / '.join(sorted(texts))}",
            advice="If these are different deployments, give each of them a file of its own; else let the Sentinels find each other, "
            "or restore the network between them and the master",
        )


def _groups(known: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the keys in groups whose sets overlap, directly or through others."""
    groups: list[tuple[set[str], set[str]]] = []
    for own, knows in known.items():
        members, reach = {own}, set(knows)
        for group in [group for group in groups if group[1] & reach]:
            groups.remove(group)
            members |= group[0]
            reach |= group[1]
        groups.append((members, reach))
    return [members for members, _reach in groups]


def require_agreement(found: SentinelSet, shard: ShardNodes) -> None:
    """Raise if the Sentinels disagree about master, replicas or Sentinels of a shard."""
    watching = found.watching(shard.name)
    views = [one.views[shard.name] for one in watching]
    moving = [view.address for view in views if view.master.failover_in_progress]
    if moving:
        raise PreconditionFailed(
            f"a failover of the master '{shard.name}' is in progress, say the Sentinels {', '.join(moving)}",
            advice="Wait until it has ended, then run again",
        )
    differences = [
        *_differing("the master", views, lambda view: [view.master.address], shard.identity),
        *_differing("the replicas", views, lambda view: [replica.address for replica in view.replicas], shard.identity),
        *_differing_watchers(found, watching, shard.name),
    ]
    if differences:
        raise PreconditionFailed(
            f"the Sentinels disagree about the master '{shard.name}': {'. '.join(differences)}",
            advice="A Sentinel learns of a change within ten seconds or so: wait, then run again. If they still disagree, restore the "
            "network between them; SENTINEL RESET on one Sentinel after the other makes them forget what is gone for good",
        )


def _differing(
    what: str, views: Sequence[SentinelView], addresses: Callable[[SentinelView], list[str]], identity: Callable[[str], str]
) -> list[str]:
    """Return a sentence if the views have other nodes for ``what``."""
    return _sentence(what, [(view.address, addresses(view), {identity(address) for address in addresses(view)}) for view in views])


def _differing_watchers(found: SentinelSet, watching: Sequence[AskedSentinel], name: str) -> list[str]:
    """Return a sentence if the views have other Sentinels; a view leaves its own one out."""
    rows = []
    for one in watching:
        told = [peer.address for peer in one.views[name].peers]
        rows.append((one.address, [found.address_of(one), *told], {one.run_id, *map(found.identity, told)}))
    members = {one.run_id for one in watching}
    listed = {identity for _by, _texts, identities in rows for identity in identities}
    strangers = sorted(found.address_of(one) for key, one in found.asked.items() if key in listed - members)
    lines = _sentence("the Sentinels", rows)
    return lines + ([f"{', '.join(strangers)} is listed as a Sentinel of it and does not monitor it"] if strangers else [])


def _sentence(what: str, rows: Sequence[tuple[str, list[str], set[str]]]) -> list[str]:
    """Return a sentence unless all rows (by whom, texts, identities) have the same identities."""
    said: dict[frozenset[str], list[str]] = {}
    texts: dict[frozenset[str], str] = {}
    for by, addresses, identities in rows:
        said.setdefault(frozenset(identities), []).append(by)
        texts.setdefault(frozenset(identities), ", ".join(sorted(addresses)) or "none")
    if len(said) < 2:
        return []
    return [f"{what}: " + "; ".join(f"{texts[key]} says {', '.join(by)}" for key, by in said.items())]


def require_roles(found: SentinelSet, shard: ShardNodes) -> None:
    """Raise if a data node has another role than the Sentinels say."""
    masters = {shard.identity(one.views[shard.name].master.address) for one in found.watching(shard.name)}
    wrong = []
    for identity, node in shard.asked.items():
        if identity in masters and not node.info.is_master:
            wrong.append(f"{node.address} is the master for the Sentinels, and itself a replica of {node.info.master}")
        elif identity not in masters and node.info.is_master:
            wrong.append(f"{node.address} is a replica for the Sentinels, and itself a master")
    if wrong:
        raise PreconditionFailed(
            f"Sentinels and data nodes disagree about the master '{shard.name}': {'; '.join(wrong)}",
            advice="After a failover or a restart the Sentinels correct that within some seconds: wait, then run again",
        )


def require_one_shard_each(shards: Sequence[ShardNodes]) -> None:
    """Raise if a data node is in two shards, as with a master that has two names."""
    first: dict[str, str] = {}
    for shard in shards:
        for identity, address in [(identity, node.address) for identity, node in shard.asked.items()]:
            other = first.setdefault(identity, shard.name)
            if other != shard.name:
                raise PreconditionFailed(
                    f"the Sentinels monitor this data node under two master names, '{other}' and '{shard.name}'",
                    node=address,
                    advice="Choose one of them with the option master_names",
                )


def require_answers(found: SentinelSet, shards: Sequence[ShardNodes], keep_down_sentinels: bool) -> None:
    """Raise for instances that did not answer, except for those that are kept as known to be down.

    A data node is kept if every Sentinel that lists it flags it as down. So is a Sentinel if that
    is wanted. Such an instance is complete in the inventory but for its version and run id.
    """
    missing = {
        address: error for address, error in found.silent.items() if not (keep_down_sentinels and _down(_flags_of_sentinel(found, address)))
    }
    if missing:
        raise PreconditionFailed(
            f"a Sentinel does not answer: {_errors(missing)}",
            advice="Start it, or restore the network from the controller. If it is gone for good, SENTINEL RESET on one Sentinel after the "
            "other makes them forget it. To have a Sentinel in the inventory that all others know to be down, as for a run that "
            "completes an interrupted upgrade, set keep_down_sentinels to true",
        )
    for shard in shards:
        lost = {address: error for address, error in shard.silent.items() if not _down(_flags_of_node(found, shard, address))}
        if lost:
            raise PreconditionFailed(
                f"a data node of '{shard.name}' does not answer the controller, and not all Sentinels know it to be down: {_errors(lost)}",
                advice="Restore the network from the controller to it, correct the node_* TLS options, or start it. If it has just gone "
                "down, run again after down-after-milliseconds",
            )


def _down(flags: Sequence[Iterable[str]]) -> bool:
    """Return whether somebody lists an instance, and all who do flag it as down."""
    return bool(flags) and all(DOWN & set(own) for own in flags)


def _flags_of_sentinel(found: SentinelSet, address: str) -> list[tuple[str, ...]]:
    identity = found.identity(address)
    views = [view for one in found.asked.values() for view in one.views.values()]
    return [peer.flags for view in views for peer in view.peers if found.identity(peer.address) == identity]


def _flags_of_node(found: SentinelSet, shard: ShardNodes, address: str) -> list[tuple[str, ...]]:
    identity = shard.identity(address)
    views = [one.views[shard.name] for one in found.watching(shard.name)]
    listed: list[MasterView | ReplicaView] = [view.master for view in views]
    listed += [replica for view in views for replica in view.replicas]
    return [entry.flags for entry in listed if shard.identity(entry.address) == identity]


def _errors(silent: Mapping[str, ConnectionFailed]) -> str:
    """Return the errors, with the advice of the first one that has any."""
    advice = next((error.advice for error in silent.values() if error.advice), "")
    return "; ".join(f"{address}: {error.message}" for address, error in silent.items()) + (f" ({advice})" if advice else "")
