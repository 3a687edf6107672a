# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nouns of a plan: instances, settings, steps and shards. Data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .._finding import Finding

__all__ = ["Instance", "Plan", "Record", "Settings", "ShardPlan", "Step"]

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Instance:
    """One server process.

    ``host``: its inventory host. ``kind``: ``redis`` or ``sentinel``. ``record``: its survey record
    (see _survey/survey). ``host_address``: the address at which Ansible reaches the host.
    """

    host: str
    kind: str
    record: Record
    host_address: str = ""

    @property
    def key(self) -> str:
        return f"{self.host}/{self.kind}"

    @property
    def port(self) -> str:
        return str(self.record.get("login", "")).rpartition(":")[2]

    @property
    def noun(self) -> str:
        """The kind, as messages name it."""
        return "Sentinel" if self.kind == "sentinel" else "data node"


@dataclass(frozen=True)
class Settings:
    """The settings of a run, as the user wants them.

    ``version``: the version to run. In a rollback, the version to leave. ``master_names``: empty
    means every master that the Sentinels monitor. ``canary``: end when this number of data nodes of
    each shard runs the new version; 0 means to upgrade all. ``rollback``: each instance returns to
    the version that it ran before ``version``. ``reserve``: ``true`` leaves one replica of each
    shard on its version, ``false`` upgrades one that an earlier run has left, ``keep`` does
    neither. ``reserve_outage_s``: for how long the reserve may be unreachable. ``backup``: ``auto``
    is ``true`` where nothing else would lead back over a format barrier. ``backup_from``:
    ``replica`` or ``master``. ``restore``: the rollback restores backups. ``accept_loss``: the
    shards that may lose the writes since then. ``handovers_at_once``: of how many shards.
    ``deployment``: the name of the deployment, in a run that another run has begun for it.
    ``deployments``: the names of those that are wanted; empty means all. ``hooks``: the names of
    the hooks that the user has. ``audit``: writes are counted during the run.
    """

    version: str
    master_names: tuple[str, ...] = ()
    fail_back: bool = True
    accept_no_way_back: bool = False
    handover_host: str = ""
    canary: int = 0
    rollback: bool = False
    reserve: str = "keep"
    reserve_outage_s: int = 600
    backup: str = "false"
    backup_from: str = "replica"
    restore: bool = False
    accept_loss: tuple[str, ...] = ()
    handovers_at_once: int = 1
    deployment: str = ""
    deployments: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    audit: bool = False


@dataclass(frozen=True)
class Step:
    """The work on one instance.

    ``do``: ``upgrade``, ``rollback``, ``resume`` (an earlier run left the instance stopped) or
    ``skip``. ``wanted``: the version to run after the step. ``config_identity``: owner, group and
    mode of the configuration file before the upgrade (see FileIdentity). ``upstream``: the address
    of the replica that a replica follows; empty if it follows the master.
    """

    host: str
    kind: str
    do: str
    why: str
    running: str
    shard: str = ""
    address: str = ""
    config_identity: Mapping[str, int] | None = None
    wanted: str = ""
    upstream: str = ""


@dataclass
class ShardPlan:
    """One shard. Hosts are inventory hosts; addresses are ``host:port`` as the Sentinels know them.

    ``original_master``: the node that was master when the upgrade began. ``target``: the node that
    the handover promotes. ``handover_host``: the Sentinel's host that runs the handovers.
    ``recovery_host``: the host that finishes an interrupted handover; empty if there is none.
    ``fenced``: hosts that an interrupted handover has left with a fence.
    ``priorities``: the ``replica-priority`` of each host before the upgrade. ``replicas``: the
    number of replicas that the Sentinels should count. ``hidden``: hosts of replicas that they
    count and do not list. ``upstreams``: the host that a replica of a replica follows, by its own.
    ``reserve``: the replica that stays on ``reserve_version``, or in a rollback leads back; empty
    if there is none. ``backlog_bytes``: the least size of every node's backlog meanwhile.
    ``backup_host``: the node that is backed up while it runs ``backup_version``; empty for none.
    ``restore``: the node on which ``backup`` is restored; empty for none.
    """

    name: str
    master: str = ""
    master_host: str = ""
    original_master: str = ""
    original_master_host: str = ""
    target: str = ""
    target_host: str = ""
    handover: bool = False
    fail_back: bool = False
    replicas: int = 0
    sentinels: int = 0
    handover_host: str = ""
    recovery_host: str = ""
    fenced: list[str] = field(default_factory=list)
    priorities: dict[str, int] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)
    upstreams: dict[str, str] = field(default_factory=dict)
    reserve: str = ""
    reserve_host: str = ""
    reserve_version: str = ""
    backlog_bytes: int = 0
    backup_host: str = ""
    backup_version: str = ""
    restore: str = ""
    restore_host: str = ""
    backup: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Plan:
    """The work of a run; steps.py says in which order the plays carry out these fields.

    ``*_serial``: the batch sizes of a play over ``*_hosts``. ``recovery_hosts``: masters of shards
    whose interrupted handover is finished first. ``touched_hosts``: all hosts, or none if there is
    nothing to do. ``has_stopped_instances``: an earlier run left an instance stopped, so not every
    node can be reached before that instance is started. ``deferred``: what a canary leaves for a
    later run, in words. ``first_sentinel_hosts``: in a rollback, the Sentinels that an earlier run
    left stopped; ``sentinel_hosts``, the others, come last. ``installations``: see
    installations.py. ``reserve_hosts``: data nodes that are set up for a reserve;
    ``promotable_hosts``: reserves that get their priority back; ``release_hosts``: data nodes that
    get all of that back. ``replica_backup_hosts``: replicas that are backed up in their own step;
    ``backup_hosts``: masters that are backed up before their handover. ``restore_hosts``: nodes on
    which a backup is restored; ``hold_hosts`` must not become the master meanwhile, and
    ``unhold_hosts`` may do so again. ``returning_hosts``: reserves that ran from the kept programs,
    and have been the master. ``before_run_hosts`` and ``after_run_hosts``: the host on which that
    hook runs, if there is one. ``audit_hosts``: the Sentinels' hosts that write meanwhile, each to
    the shards of which it is the ``handover_host``. ``deployments``: those of the inventory, if it
    has several (see plan_deployments); then there is nothing else in the plan.
    """

    version: str
    shards: dict[str, ShardPlan] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    sentinel_hosts: list[str] = field(default_factory=list)
    replica_hosts: list[str] = field(default_factory=list)
    replica_serial: list[int] = field(default_factory=list)
    handover_hosts: list[str] = field(default_factory=list)
    handover_serial: list[int] = field(default_factory=list)
    old_master_hosts: list[str] = field(default_factory=list)
    old_master_serial: list[int] = field(default_factory=list)
    fail_back_hosts: list[str] = field(default_factory=list)
    recovery_hosts: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    touched_hosts: list[str] = field(default_factory=list)
    deferred: list[str] = field(default_factory=list)
    has_stopped_instances: bool = False
    nothing_to_do: bool = False
    rollback: bool = False
    first_sentinel_hosts: list[str] = field(default_factory=list)
    installations: list[Any] = field(default_factory=list)
    reserve_hosts: list[str] = field(default_factory=list)
    promotable_hosts: list[str] = field(default_factory=list)
    release_hosts: list[str] = field(default_factory=list)
    replica_backup_hosts: list[str] = field(default_factory=list)
    backup_hosts: list[str] = field(default_factory=list)
    hold_hosts: list[str] = field(default_factory=list)
    restore_hosts: list[str] = field(default_factory=list)
    unhold_hosts: list[str] = field(default_factory=list)
    returning_hosts: list[str] = field(default_factory=list)
    before_run_hosts: list[str] = field(default_factory=list)
    after_run_hosts: list[str] = field(default_factory=list)
    audit_hosts: list[str] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def backed_up_hosts(self) -> list[str]:
        return [*self.replica_backup_hosts, *self.backup_hosts]

    def touch(self, hosts: Sequence[str], settings: Settings) -> None:
        """Note the hosts of a run that has something to do, and those of its hooks and audit."""
        self.touched_hosts = list(dict.fromkeys(hosts))
        if settings.audit and not settings.restore:
            self.audit_hosts = list(dict.fromkeys(shard.handover_host for shard in self.shards.values()))
        self.before_run_hosts = self.touched_hosts[:1] if "before_run" in settings.hooks else []
        self.after_run_hosts = self.touched_hosts[:1] if "after_run" in settings.hooks else []

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
