# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory hosts, with their groups and variables, of instances. Pure.

An inventory host has at most one data node and at most one Sentinel, as the roles want.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...module_utils._errors import PreconditionFailed
from ...module_utils._server.address import Address
from .facts import MASTER, Instance
from .naming import HostName, Naming, is_numeric

__all__ = ["InventoryHost", "deployment_of", "group_tree", "groups_of", "place", "require_no_other", "variables_of"]


@dataclass
class InventoryHost:
    """An inventory host, with the data node and the Sentinel that it has.

    ``ansible_host``: where Ansible connects. ``given``: whether the options say so; else it is the
    address that the Sentinels have.
    """

    name: str
    ansible_host: str
    given: bool
    instances: dict[bool, Instance] = field(default_factory=dict)

    @property
    def node(self) -> Instance | None:
        return self.instances.get(False)

    @property
    def sentinel(self) -> Instance | None:
        return self.instances.get(True)


def place(instances: Sequence[Instance], naming: Naming) -> list[InventoryHost]:
    """Return the inventory hosts of the instances, in the order of their names.

    The data node and the Sentinel of a machine with the lowest ports share the machine's host.
    Each further one has a host of its own: the machine's name, a hyphen, and the port. The roles
    of data nodes do not matter, since a name must outlast a failover.

    Raises PreconditionFailed if two instances of a kind would have one host, a pattern or the DNS
    has one name for two machines, or a server announces what is no address.
    """
    for one in instances:
        if not re.fullmatch(r"[\w.:%-]+", one.host):
            raise PreconditionFailed(f"'{one.address}' is not an address", advice="Correct what the Sentinels are told to announce")
    hosts: dict[str, InventoryHost] = {}
    named = _one_name_per_machine([(one, naming.of(one.address)) for one in instances])
    _require_a_name_each(named)
    for one, name in sorted(named, key=lambda row: (row[1].source != "instance", row[0].port, row[0].address)):
        own = name.name
        if own in hosts and one.is_sentinel in hosts[own].instances and name.source != "instance":
            own = f"{own}-{one.port}"
            _require_free(own, one, {other.name for _instance, other in named})
        host = hosts.setdefault(own, InventoryHost(own, name.ansible_host or one.host, bool(name.ansible_host)))
        other = host.instances.setdefault(one.is_sentinel, one)
        if other is not one:
            kind = "Sentinels" if one.is_sentinel else "data nodes"
            raise PreconditionFailed(
                f"the inventory host '{own}' would have two {kind}, {other.address} and {one.address}",
                advice="Give one of them another name, by an entry host:port of the option hosts",
            )
    return [hosts[name] for name in sorted(hosts)]


def _require_free(own: str, one: Instance, names: set[str]) -> None:
    if own in names:
        raise PreconditionFailed(
            f"{one.address} would have the inventory host '{own}', which is the name of another machine",
            advice="Give the instance another name, by an entry host:port of the option hosts",
        )


def _one_name_per_machine(named: Sequence[tuple[Instance, HostName]]) -> list[tuple[Instance, HostName]]:
    """Return the same, with one name for a machine of which Sentinels have a name and an address.

    The name of the machine is preferred to its address.
    """
    best: dict[str, str] = {}
    for one, name in named:
        if name.source == "address":
            other = best.setdefault(_machine(one), name.name)
            best[_machine(one)] = min(other, name.name, key=lambda text: (is_numeric(text), text))
    return [(one, replace(name, name=best[_machine(one)]) if name.source == "address" else name) for one, name in named]


def _require_a_name_each(named: Sequence[tuple[Instance, HostName]]) -> None:
    """Raise if the name of a pattern or of the DNS is that of another machine, too."""
    first: dict[str, Instance] = {}
    for one, name in sorted(named, key=lambda row: row[1].source == "rule"):
        other = first.setdefault(name.name, one)
        if name.source == "rule" and _machine(one) != _machine(other):
            raise PreconditionFailed(
                f"{other.address} and {one.address} would have one inventory host, '{name.name}'",
                advice="Correct host_patterns or the DNS. If that is one machine with two addresses, name both in the option hosts",
            )


def _machine(one: Instance) -> str:
    return Address.parse(min(Address(one.host, one.port).resolved())).host


def variables_of(host: InventoryHost, deployment: str) -> dict[str, Any]:
    """Return the variables of a host, but for ``ansible_host``; none of them is a secret."""
    found: dict[str, Any] = {"redis_deployment": deployment}
    if host.node is not None:
        found |= {"redis_upgrade_redis_port": host.node.port, "redis_node_role": host.node.role}
        found |= {"redis_node_master_name": host.node.masters[0], **_facts("redis_node", host.node)}
    if host.sentinel is not None:
        found |= {"redis_upgrade_sentinel_port": host.sentinel.port, "redis_sentinel_masters": host.sentinel.masters}
        found |= _facts("redis_sentinel", host.sentinel)
    reached = {one.host for one in host.instances.values()}
    if len(reached) == 1:
        found["redis_upgrade_login_host"] = reached.pop()
    return found


def require_no_other(host: InventoryHost, known: Mapping[str, Any]) -> None:
    """Raise if another source has another instance on this host; ``known``: its variables.

    A host's variables have room for one data node and one Sentinel.
    """
    for kind, one in (("redis", host.node), ("sentinel", host.sentinel)):
        port = known.get(f"redis_upgrade_{kind}_port")
        if one is not None and port is not None and str(port) != str(one.port):
            raise PreconditionFailed(
                f"the inventory host '{host.name}' has redis_upgrade_{kind}_port {port} already, from another inventory source, and "
                f"{one.address} is another instance",
                advice="Give the instance another name, by an entry host:port of the option hosts, or correct the other source",
            )


def _facts(prefix: str, one: Instance) -> dict[str, Any]:
    facts = {"address": one.address, "server": one.server, "version": one.version, "run_id": one.run_id, "answers": one.answers}
    return {f"{prefix}_{name}": value for name, value in facts.items()}


def deployment_of(name: str, path: str) -> str:
    """Return the name of the deployment: the given one, else by the file's name.

    ``cache.redis_sentinel.yml`` gives ``cache``, and ``redis_sentinel.yml`` gives ``sentinel``.
    """
    if name:
        return name
    file = re.sub(r"\.ya?ml$", "", path.replace("\\", "/").rsplit("/", 1)[-1])
    return re.sub(r"[._-]?redis_sentinel$", "", file) or "sentinel"


def _group(*parts: str) -> str:
    return "_".join(re.sub(r"\W", "_", part) for part in parts)


def groups_of(host: InventoryHost, deployment: str) -> list[str]:
    """Return the groups that a host is a direct member of; see group_tree for the groups above."""
    groups = []
    if host.node is not None:
        groups.append("redis_master" if host.node.role == MASTER else "redis_replica")
        groups.append(_group("redis_shard", deployment, host.node.masters[0]))
    if host.sentinel is not None:
        groups += ["sentinel", _group("redis_deployment", deployment)]
    return groups


def group_tree(instances: Sequence[Instance], deployment: str) -> Mapping[str, list[str]]:
    """Return the children of each group that has some.

    Raises PreconditionFailed if two masters would have one group.
    """
    names: dict[str, str] = {}
    for master in sorted({name for one in instances for name in one.masters}):
        group = _group("redis_shard", deployment, master)
        if names.setdefault(group, master) != master:
            raise PreconditionFailed(
                f"the masters '{names[group]}' and '{master}' would have one group, {group}",
                advice="Give each of them an inventory file of its own, with master_names",
            )
    return {
        "redis": ["redis_master", "redis_replica"],
        "sentinel": [],
        _group("redis_deployment", deployment): sorted(names),
    }
