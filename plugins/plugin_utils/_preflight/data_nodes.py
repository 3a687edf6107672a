# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of a shard's data nodes: roles, links and lag. Pure functions of the survey."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ...module_utils._server.address import same_node
from ...module_utils._server.sent_errors import MEANING, REMEDY
from ...module_utils._topology.fence import original_min_replicas
from .._finding import WARNING, Finding
from .._plan.model import Instance, ShardPlan

__all__ = ["error_findings", "node_findings"]


def node_findings(shard: ShardPlan, nodes: Sequence[Instance], max_lag_bytes: int, restarts: Collection[str]) -> Iterator[Finding]:
    """Yield what is wrong with the data nodes of a shard.

    ``restarts``: the keys of the instances that the run restarts.
    """
    masters = [node for node in nodes if node.record.get("role") == "master"]
    if len(masters) != 1:
        who = ", ".join(node.host for node in masters) or "none"
        yield Finding(
            f"shard {shard.name}",
            f"role:master is seen on {len(masters)} nodes ({who})",
            "Exactly one node may accept writes",
            "Find out which node is the right master, and make the others its replicas",
            "one-master",
        )
        return
    (master,) = masters
    state = (master.record.get("examined") or {}).get("failover_state", "no-failover")
    if state != "no-failover":
        yield Finding(
            master.host,
            f"a failover that was begun with FAILOVER is in progress ({state})",
            "The roles are about to change, and writes may be paused",
            "Wait until the failover has ended, or end it with FAILOVER ABORT",
            "failover",
        )
    for node in nodes:
        record = node.record
        if not record.get("stopped") and record.get("answers") and record.get("role") != "master":
            if _is_lost_reserve(node, restarts):
                yield _lost_reserve(node)
                continue
            yield from _replica_findings(node, shard, int(master.record.get("offset", 0)), max_lag_bytes)
    if any(node.key in restarts for node in nodes):
        yield from _min_replicas_findings(master, [node for node in nodes if node.host not in shard.upstreams])


def _is_lost_reserve(node: Instance, restarts: Collection[str]) -> bool:
    """Return whether a reserve has lost its link, and is to be upgraded like any other node."""
    is_reserve = (node.record.get("reserve") or {}).get("role") == "reserve"
    return is_reserve and node.key in restarts and not node.record.get("link_up") and not node.record.get("loading")


def _lost_reserve(node: Instance) -> Finding:
    return Finding(
        node.host,
        "the link of this reserve to its master is down",
        "It gets all data from the master when it is upgraded; what it has now is gone then",
        f"Nothing, or first save what it has (BGSAVE on {node.host}, and copy the file)",
        "link",
        WARNING,
    )


def _replica_findings(node: Instance, shard: ShardPlan, head: int, max_lag_bytes: int) -> Iterator[Finding]:
    record, lag = node.record, head - int(node.record.get("offset", 0))
    other = next((host for host, address in shard.nodes.items() if same_node(str(record.get("master", "")), address)), "")
    if record.get("loading"):
        yield Finding(node.host, "it is loading its data", "It cannot take over", "Wait until it has loaded", "loading")
    elif other and other != shard.upstreams.get(node.host, shard.master_host):
        yield Finding(
            node.host,
            f"it follows {other}, which is not the master",
            f"It would lose its source when {other} is restarted, and Sentinel may reconfigure it at any moment",
            "Run REPLICAOF with the master, or wait until Sentinel has done so",
            "follows",
        )
    elif not record.get("link_up"):
        yield Finding(
            node.host,
            "its link to the master is down",
            "It cannot take over",
            "Fix the replication; the log of the node says why it fails",
            "link",
        )
    elif lag > max_lag_bytes:
        yield Finding(
            node.host,
            f"it lags {lag} bytes behind the master",
            f"A replica cannot catch up more than {max_lag_bytes} bytes in a short pause",
            "Wait, or lower the write rate",
            "lag",
        )


def error_findings(nodes: Sequence[Instance], restarts: Collection[str]) -> Iterator[Finding]:
    """Yield the replicas that may lack writes; one that is restarted copies all data then."""
    for node in nodes:
        sent = int(node.record.get("errors_sent") or 0)
        if not sent or node.record.get("role") != "replica" or node.key in restarts:
            continue
        yield Finding(
            node.host,
            f"it has sent its master {sent} error{'s' if sent > 1 else ''} since its start",
            f"{MEANING}, although its offset is that of the master",
            REMEDY,
            "replica-errors",
        )


def _min_replicas_findings(master: Instance, nodes: Sequence[Instance]) -> Iterator[Finding]:
    to_write, max_lag = (int(master.record.get(name) or 0) for name in ("min_replicas_to_write", "min_replicas_max_lag"))
    # a fence says itself what was set before
    wanted, _max_lag = original_min_replicas(to_write, max_lag)
    # a replica that an earlier run stopped is started before another one is stopped
    linked = sum(1 for node in nodes if node is not master and (node.record.get("link_up") or node.record.get("stopped")))
    if wanted and linked - 1 < wanted:
        yield Finding(
            master.host,
            f"min-replicas-to-write is {wanted}, and {linked} replicas are linked",
            "While one of them restarts, the master refuses all writes (NOREPLICAS)",
            f"CONFIG SET min-replicas-to-write {max(linked - 1, 0)} on every data node of the shard for the upgrade, or add a replica",
            "min-replicas",
        )
