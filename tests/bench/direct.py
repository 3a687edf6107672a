"""Upgrade a fleet with the functions of the modules, in one process: the floor of what a run costs.

usage: direct.py INVENTORY VERSION FOLDER, with the programs of the version in FOLDER

It makes the same plan and takes the same steps as the playbook, one after the other, without
Ansible, without gates, locks and reports. It prints the wall and CPU seconds as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.sentinelops.redis.plugins.filter.upgrade_plan import upgrade_plan
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.stage_instance import STAGE_SPEC, stage_instance
from ansible_collections.sentinelops.redis.plugins.module_utils._server.login import CONNECTION_SPEC
from ansible_collections.sentinelops.redis.plugins.module_utils._suboptions import suboptions
from ansible_collections.sentinelops.redis.plugins.modules import (
    redis_instance,
    redis_journal,
    redis_sentinel_failover,
    redis_survey,
)

PROOFS: dict[str, dict[str, Any]] = {
    "replica": {"role": "replica", "loaded": True, "link_up": True, "no_errors_sent": True, "max_lag_bytes": 1 << 20, "log_clean": True},
    "sentinel": {"role": "sentinel", "quorum": True, "no_tilt": True, "no_failover": True, "log_clean": True},
}


class Direct:
    """The upgrade of the instances of an inventory. Use: ``run()``."""

    def __init__(self, inventory: Path, version: str, source: str) -> None:
        known = yaml.safe_load(inventory.read_text(encoding="utf-8"))["all"]
        groups = {kind: known["children"][kind]["hosts"] for kind in ("sentinel", "redis")}
        self._common = known["vars"]
        self._ports = {(host, kind): own[f"redis_upgrade_{kind}_port"] for kind, hosts in groups.items() for host, own in hosts.items()}
        self._version, self._source = version, source
        self._plan: dict[str, Any] = {}

    def _login(self, host: str, kind: str) -> dict[str, Any]:
        return {"login_host": "127.0.0.1", "login_port": self._ports[host, kind]}

    def _journal(self, host: str, kind: str) -> str:
        return f"{self._common['redis_upgrade_journal_folder']}/{kind}-{self._ports[host, kind]}.json"

    def _survey(self, host: str, kind: str, examine: bool) -> dict[str, Any]:
        given = {**self._login(host, kind), "kind": kind, "journal": self._journal(host, kind), "version": self._version}
        params = suboptions("survey", {**given, "examine": examine, "asked_at_s": time.time()}, redis_survey.SPEC)
        return {"item": kind, "instance": redis_survey.read(params, False)["instance"]}

    def _surveyed(self, examine: bool) -> dict[str, Any]:
        hosts: dict[str, Any] = {}
        for host, kind in self._ports:
            found = hosts.setdefault(host, {"ansible_host": "127.0.0.1", "__redis_upgrade_surveyed": {"results": []}})
            found["__redis_upgrade_surveyed"]["results"].append(self._survey(host, kind, examine))
        return hosts

    def run(self) -> None:
        """Upgrade all; raise RuntimeError if that is refused, or something is left to do."""
        self._plan = self._planned(self._surveyed(True))
        for host, kind in self._ports:
            self._stage(host, kind)
        for host in self._plan["sentinel_hosts"]:
            self._restart(host, "sentinel")
        for host in self._plan["replica_hosts"]:
            self._restart(host, "redis")
        for host in self._plan["handover_hosts"]:
            self._hand_over(host)
        for host in self._plan["old_master_hosts"]:
            self._restart(host, "redis")
        for host in self._plan["fail_back_hosts"]:
            self._hand_over(host)
        left = self._planned(self._surveyed(False))
        if left["pending"] or left["fail_back_hosts"]:
            raise RuntimeError(f"left to do: {left['pending']} {left['fail_back_hosts']}")
        for host, kind in self._ports:
            given = {"path": self._journal(host, kind), "state": "closed", "followed_by": self._version}
            redis_journal.ensure(suboptions("journal", given, redis_journal.SPEC), False)

    def _planned(self, hosts: Mapping[str, Any]) -> dict[str, Any]:
        plan = upgrade_plan(hosts, list(hosts), {"version": self._version, "accept_no_way_back": True})
        if plan["findings"]:
            raise RuntimeError("\n".join(plan["findings"]))
        return plan

    def _stage(self, host: str, kind: str) -> None:
        staging, key = self._plan["staging"][host], f"{host}/{kind}"
        given = {**self._login(host, kind), "journal": self._journal(host, kind), "journal_content": self._plan["journals"][key]}
        if kind in staging["destinations"]:
            given["place"] = {"path": staging["destinations"][kind], "version": self._version, "source": self._source, "spare_bytes": 0}
        stage_instance(suboptions("stage", {**given, **staging["prepared"].get(kind, {})}, {**CONNECTION_SPEC, **STAGE_SPEC}))

    def _restart(self, host: str, kind: str) -> None:
        switch = self._plan["switches"][f"{host}/{kind}"]
        proof = {**PROOFS["sentinel"], "masters": switch["masters"]} if kind == "sentinel" else PROOFS["replica"]
        steps = {name: value for name, value in switch["switch"].items() if value}
        given = {**self._login(host, kind), **switch["files"], **steps, "conditions": proof, "wait_s": 60}
        redis_instance.ensure(suboptions("instance", given, redis_instance.INSTANCE_SPEC), False)

    def _hand_over(self, host: str) -> None:
        step = self._plan["steps"][f"{host}/redis"]
        runner = self._plan["shards"][step["shard"]]["handover_host"]
        sentinel = self._login(runner, "sentinel")
        given = {
            **sentinel,
            "leader": f"127.0.0.1:{sentinel['login_port']}",
            "journal_folder": self._common["redis_upgrade_journal_folder"],
            "master_name": step["shard"],
            "target": step["address"],
            "version": self._version,
        }
        redis_sentinel_failover.ensure(suboptions("failover", given, redis_sentinel_failover.SPEC), False)


def main() -> None:
    begun_s = time.monotonic()
    Direct(Path(sys.argv[1]), sys.argv[2], sys.argv[3]).run()
    spent = os.times()
    print(json.dumps({"wall_s": time.monotonic() - begun_s, "cpu_s": spent.user + spent.system}))


if __name__ == "__main__":
    main()
