"""Survey and preflight of a test deployment like the playbook's, without the time of Ansible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sentinelops.redis.plugins.filter.upgrade_plan import upgrade_plan
from ansible_collections.sentinelops.redis.plugins.modules.redis_survey import SPEC, read
from deployment import MASTER, ROOT, RUN_MODULE, Deployment
from states import snapshot

WANTED = "7.0.16"


@dataclass(frozen=True)
class Circumstances:
    """Circumstances of a survey.

    ``wrapped`` and ``environment`` are for the modules of single instances, ``options`` for their
    options.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    inventory_lacks: Sequence[str] = ()
    wrapped: Mapping[str, Sequence[str]] = field(default_factory=dict)
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def survey(deployment: Deployment, name: str, circumstances: Circumstances) -> dict[str, Any]:
    """Return the result of redis_survey for one instance.

    A module that sees its host in another way runs in a separate process.
    """
    kind = "sentinel" if name in deployment.sentinels else "redis"
    login = deployment.access.sentinels if kind == "sentinel" else deployment.access.nodes
    arguments = {
        "login_host": deployment.access.host,
        "login_port": deployment.ports[name],
        **{f"login_{what}" if what in ("user", "password") else what: value for what, value in login.items()},
        "kind": kind,
        "journal": str(deployment.folder / "journal" / f"{kind}-{deployment.ports[name]}.json"),
        "timeout_ms": 2000,
        "examine": True,
        "asked_at_s": time.time(),
        **circumstances.options.get(name, {}),
    }
    if name not in circumstances.wrapped and name not in circumstances.environment:
        with patch_module_args(arguments):
            params = AnsibleModule(SPEC).params
        record: dict[str, Any] = json.loads(json.dumps(read(params, check_mode=True)["instance"]))
        return record
    collections = str(ROOT / ".cache" / "collections")
    own = circumstances.environment.get(name, {})
    done = subprocess.run(
        [*circumstances.wrapped.get(name, []), sys.executable, "-c", RUN_MODULE, "redis_survey"],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **own, "PYTHONPATH": os.pathsep.join(filter(None, [own.get("PYTHONPATH"), collections]))},
    )
    assert done.stdout.strip(), done.stderr
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    assert not result.get("failed"), result
    return dict(result["instance"])


def survey_all(deployment: Deployment, circumstances: Circumstances) -> dict[str, dict[str, Any]]:
    """Return the records of all instances."""
    names = [name for name in (*deployment.sentinels, *deployment.nodes) if name not in circumstances.inventory_lacks]
    return {name: survey(deployment, name, circumstances) for name in names}


def planned(deployment: Deployment, records: Mapping[str, dict[str, Any]], circumstances: Circumstances) -> dict[str, Any]:
    """Return the plan, with ``preflight``."""
    hostvars = {
        name: {"ansible_host": deployment.access.host, "__redis_upgrade_surveyed": {"results": [{"instance": record}]}}
        for name, record in records.items()
    }
    settings = {"version": WANTED, "master_name": MASTER, **circumstances.settings}
    found: dict[str, Any] = upgrade_plan(hostvars, list(hostvars), settings)
    return found


def evaluate(deployment: Deployment, records: Mapping[str, dict[str, Any]], circumstances: Circumstances) -> dict[str, Any]:
    """Return the preflight's result, as it is written to a file."""
    found: dict[str, Any] = planned(deployment, records, circumstances)["preflight"]
    return found


def preflight(deployment: Deployment, circumstances: Circumstances) -> dict[str, Any]:
    return evaluate(deployment, survey_all(deployment, circumstances), circumstances)


def untouched(deployment: Deployment, silent: Sequence[str] = ()) -> dict[str, Any]:
    """Return the state that a preflight must keep: processes, settings, roles, files with times.

    ``silent``: instances that do not answer now. Left out are logs, data files, files that
    Sentinels write by themselves, and locks, which come and go with each run.
    """
    found: dict[str, Any] = {}
    for name in deployment.nodes:
        if name not in silent:
            reply = deployment.administer(name, "CONFIG", "GET", "*")
            found[f"settings of {name}"] = dict(zip(reply[::2], reply[1::2], strict=True))
    found["pids"] = {name: process.pid for name, process in deployment.processes.items() if process.poll() is None}
    found["files"] = {
        str(path): (path.stat().st_mtime_ns, path.stat().st_mode, path.stat().st_uid)
        for path in sorted(Path(deployment.folder).rglob("*"))
        if path.is_file()
        and path.name not in ("log", "sentinel.conf")
        and not path.name.endswith((".rdb", ".aof", ".manifest", ".lock.json"))
    }
    if not silent:
        found["everything else"] = snapshot(deployment)
    return found
