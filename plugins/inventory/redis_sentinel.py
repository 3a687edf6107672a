# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory source that asks Sentinels."""

from __future__ import annotations

DOCUMENTATION = r"""
name: redis_sentinel
short_description: Inventory of a Redis or Valkey deployment, as its Sentinels know it
version_added: 1.0.0
author: sentinelops contributors (@sentinelops)
description:
  - Asks one or more Sentinels, all Sentinels that they know, and all data nodes, and makes an
    inventory that the playbooks of this collection can use.
  - The inventory is whole, or there is none. If a Sentinel does not answer, or the Sentinels
    disagree about the master, the replicas or each other, the plugin fails. A data node that does
    not answer is kept if every Sentinel that lists it knows it to be down, and makes the plugin
    fail otherwise.
  - "The groups are C(redis) with all data nodes, C(sentinel) with all Sentinels, C(redis_master),
    C(redis_replica), C(redis_deployment_DEPLOYMENT), and below that
    C(redis_shard_DEPLOYMENT_MASTER) for each master name. Other characters than letters, digits and
    underscores become underscores."
  - "A data node and a Sentinel of one machine share an inventory host. A further data node or
    Sentinel of that machine gets a host of its own, with the port at the end of its name."
  - "Variables of a host with a data node: C(redis_upgrade_redis_port), C(redis_node_address),
    C(redis_node_role) (C(master) or C(replica)), C(redis_node_master_name), C(redis_node_server)
    (C(redis) or C(valkey)), C(redis_node_version), C(redis_node_run_id) and
    C(redis_node_answers)."
  - "Variables of a host with a Sentinel: C(redis_upgrade_sentinel_port),
    C(redis_sentinel_address), C(redis_sentinel_masters), C(redis_sentinel_server),
    C(redis_sentinel_version), C(redis_sentinel_run_id) and C(redis_sentinel_answers)."
  - "Variables of both: C(ansible_host), C(redis_upgrade_login_host) and C(redis_deployment). With
    O(deployment), C(redis_upgrade_deployment_name); with O(master_names),
    C(redis_upgrade_master_name). Credentials are never among them."
  - Sentinels do not know SSH names, users and folders. Add them by O(hosts), O(host_patterns),
    O(compose), or C(group_vars) of these groups.
  - A value of O(compose) that is no text, such as V(true), is taken as it is. A text is an
    expression.
requirements:
  - redis (Python package) 4.3 or newer, for the Python of ansible-core on the controller
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
  - sentinelops.redis.inventory_logins
notes:
  - The controller connects to every Sentinel and data node at the address that the Sentinels have.
  - Each of O(sentinels), O(login_user), O(login_password), O(node_login_user) and
    O(node_login_password) in the file may be a template, which sees lookups and extra variables.
    Values may be encrypted with C(ansible-vault encrypt_string), or marked with C(!unsafe).
  - Ansible only warns if an inventory source fails. Set C(any_unparsed_is_failed) in the section
    C(inventory) of C(ansible.cfg) to end there.
options:
  plugin:
    description: The name of this plugin, C(sentinelops.redis.redis_sentinel).
    type: str
    required: true
    choices:
      - sentinelops.redis.redis_sentinel
  sentinels:
    description:
      - Sentinels of the deployment, as C(host:port) or, for port 26379, C(host).
      - One is enough. With several, each must answer and belong to the same deployment.
    type: list
    elements: str
    required: true
    env:
      - name: SENTINELOPS_SENTINELS
  deployment:
    description:
      - The name of the deployment, in the names of groups and as C(redis_upgrade_deployment_name).
      - By default the groups have the name of the file without C(redis_sentinel.yml), and
        C(redis_upgrade_deployment_name) is not set.
    type: str
    default: ""
  master_names:
    description: The masters to list, by name. By default all that the Sentinels monitor.
    type: list
    elements: str
    default: []
  keep_down_sentinels:
    description:
      - Whether a Sentinel that does not answer is listed if all other Sentinels know it to be down.
        Else such a Sentinel makes the plugin fail.
      - A run that completes an interrupted upgrade needs a Sentinel that the upgrade had stopped.
    type: bool
    default: false
    env:
      - name: SENTINELOPS_KEEP_DOWN_SENTINELS
  hosts:
    description:
      - Inventory hosts by address. A key is a host, or C(host:port) for one instance, as the
        Sentinels have it. A value is the name of an inventory host, which other inventory sources
        may have as well, or a dictionary with C(name) and C(ansible_host).
      - Without C(ansible_host), a host that an earlier inventory source has stays as it is there,
        and any other host gets the address that the Sentinels have.
    type: dict
    default: {}
  host_patterns:
    description: Inventory hosts by pattern, for addresses that O(hosts) does not have. The first
      pattern that matches counts. An address that none matches is the name of its host.
    type: list
    elements: dict
    default: []
    suboptions:
      match:
        description: A regular expression of Python that matches the whole host, without the port.
        type: str
        required: true
      name:
        description: The name of the inventory host, which may refer to groups of the expression, as
          V(\\1).
        type: str
        required: true
      ansible_host:
        description: Where Ansible connects, likewise.
        type: str
  reverse_dns:
    description: Whether hosts that O(hosts) does not have get the name of their address in the DNS.
      O(host_patterns) then match that name. An address without a name makes the plugin fail.
    type: bool
    default: false
"""

EXAMPLES = r"""
# cache.redis_sentinel.yml: one Sentinel leads to all others
plugin: sentinelops.redis.redis_sentinel
sentinels: [10.0.0.1]

---
# Passwords from the environment, names from a table and a pattern, and variables for the roles
plugin: sentinelops.redis.redis_sentinel
sentinels: ["10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379"]
login_password: "{{ lookup('ansible.builtin.env', 'SENTINEL_PASSWORD') }}"
node_login_password: "{{ lookup('ansible.builtin.env', 'REDIS_PASSWORD') }}"
hosts:
  10.0.0.1: node-1
  10.0.0.2: { name: node-2, ansible_host: 192.168.0.2 }
host_patterns:
  - match: 10\.0\.0\.(\d+)
    name: node-\1
    ansible_host: node-\1.example.org
compose:
  ansible_user: "'ops'"
  ansible_become: true
keyed_groups:
  - key: redis_node_version
    prefix: redis_version
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.facts import Instance, instances_from
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.hosts import (
    InventoryHost,
    deployment_of,
    group_tree,
    groups_of,
    place,
    require_no_other,
    variables_of,
)
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.naming import Naming, name_in_dns
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.request import (
    CONNECTION_OPTIONS,
    TEMPLATES,
    Request,
    request_from,
)
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.source import read_instances

REQUEST_OPTIONS = (*CONNECTION_OPTIONS, "sentinels", "master_names", "keep_down_sentinels")


def unsafe(value: Any) -> Any:
    """Return a server's word such that Ansible does not take it for a template."""
    return wrap_var(value) if "{" in str(value) else value


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The inventory plugin."""

    NAME = "sentinelops.redis.redis_sentinel"
    inventory: Any  # None until parse
    _in_file: set[str]

    def verify_file(self, path: str) -> bool:
        usable: bool = super().verify_file(path)  # type: ignore[no-untyped-call]
        return usable and path.endswith(("redis_sentinel.yml", "redis_sentinel.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add the hosts of the deployment to the inventory, or raise AnsibleParserError."""
        super().parse(inventory, loader, path, cache)
        self._read_options(path)
        deployment = deployment_of(str(self._given("deployment") or ""), path)
        try:
            instances = self._instances(path, cache)
            hosts = place(instances, self._naming())
            groups = group_tree(instances, deployment)
            for host in hosts:
                require_no_other(host, inventory.hosts[host.name].vars if host.name in inventory.hosts else {})
        except SentinelOpsError as error:
            raise AnsibleParserError(f"{error} No host was added to the inventory.") from None
        known = {name: (dict(host.vars), set(host.groups)) for name, host in inventory.hosts.items()}
        try:
            self._add_groups(groups)
            for host in hosts:
                self._add_host(host, deployment, host.name in known)
            for host in hosts:
                self._construct(host.name)
        except Exception:
            self._undo([host.name for host in hosts], known)
            raise

    def _read_options(self, path: str) -> None:
        """Read the file; raise AnsibleParserError for an option that does not exist."""
        base: Any = self  # these methods have no annotations
        self._in_file = set(base._read_config_data(path))
        unknown = sorted(self._in_file - set(base.get_options()))
        if unknown:
            raise AnsibleParserError(f"{path}: there is no option {', '.join(unknown)}. See ansible-doc -t inventory {self.NAME}.")

    def _given(self, name: str) -> Any:
        return self.get_option(name)  # type: ignore[no-untyped-call]

    def _option(self, name: str) -> Any:
        """Return an option, with its templates replaced if it may have some.

        A value of the environment is none: a password may look like a template. An error shows no
        value, since it may be a secret.
        """
        value, variables = self._given(name), self._vars or {}
        if name not in TEMPLATES or value is None or not (name in self._in_file or TEMPLATES[name] in variables):
            return value
        self.templar.available_variables = variables
        try:
            return self.templar.template(value)
        except AnsibleError as error:
            raise AnsibleParserError(
                f"the option {name} is a template that cannot be read ({type(error).__name__}). A template sees lookups and extra "
                "variables, not group_vars. Mark a value that only looks like a template with !unsafe. No host was added to the inventory."
            ) from None

    def _instances(self, path: str, cache: bool) -> list[Instance]:
        """Return the instances, from the cache if it is wanted and has the answer to this request.

        The cache never has credentials.
        """
        request: Request = request_from({name: self._option(name) for name in REQUEST_OPTIONS})
        asked, wanted = request.without_secrets(), self._given("cache")
        self.load_cache_plugin()
        key = self.get_cache_key(path)
        if cache and wanted:
            try:
                kept = self._cache[key]
            except KeyError:
                kept = {}
            if kept.get("request") == asked:
                return instances_from(kept["instances"])
        instances = read_instances(request)
        if wanted:
            self._cache[key] = {"request": asked, "instances": [one.as_dict() for one in instances]}
        return instances

    def _naming(self) -> Naming:
        look_up = name_in_dns if self._given("reverse_dns") else None
        return Naming(self._given("hosts"), self._given("host_patterns"), look_up)

    def _add_groups(self, groups: Any) -> None:
        for group, children in groups.items():
            self.inventory.add_group(group)
            for child in children:
                self.inventory.add_group(child)
                self.inventory.add_child(group, child)

    def _add_host(self, host: InventoryHost, deployment: str, is_known: bool) -> None:
        """Add a host; one of an earlier source keeps its ``ansible_host`` unless one is given."""
        self.inventory.add_host(host.name)
        for group in groups_of(host, deployment):
            self.inventory.add_child(group, host.name)
        variables = variables_of(host, deployment)
        if self._given("deployment"):
            variables["redis_upgrade_deployment_name"] = deployment
        if self._given("master_names"):
            variables["redis_upgrade_master_name"] = [str(name) for name in self._given("master_names")]
        if host.given or not is_known:
            variables["ansible_host"] = host.ansible_host
        for name, value in variables.items():
            self.inventory.set_variable(host.name, name, unsafe(value))

    def _construct(self, name: str) -> None:
        """Add the variables and groups that the user composes, in this order.

        A value that is no text is a variable as it is: Ansible takes expressions only, and leaves
        out ``ansible_become: true`` without a word.
        """
        base: Any = self  # these methods have no annotations
        strict, host, given = self._given("strict"), self.inventory.get_host(name), self._given("compose")
        for variable, value in given.items():
            if not isinstance(value, str):
                self.inventory.set_variable(name, variable, value)
        expressions = {variable: value for variable, value in given.items() if isinstance(value, str)}
        base._set_composite_vars(expressions, host.get_vars(), name, strict=strict)
        base._add_host_to_composed_groups(self._given("groups"), host.get_vars(), name, strict=strict)
        base._add_host_to_keyed_groups(self._given("keyed_groups"), host.get_vars(), name, strict=strict)

    def _undo(self, names: Iterable[str], known: Mapping[str, tuple[dict[str, Any], set[Any]]]) -> None:
        """Remove what this source has added to hosts: an inventory is whole, or there is none.

        ``known``: variables and groups of the hosts that the inventory had before.
        """
        for host in [self.inventory.hosts[name] for name in names if name in self.inventory.hosts]:
            if host.name not in known:
                self.inventory.remove_host(host)
                continue
            host.vars, groups = known[host.name]
            for group in set(host.groups) - groups:
                group.remove_host(host)
