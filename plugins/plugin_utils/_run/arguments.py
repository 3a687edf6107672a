# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of the modules that do the steps of a run. Pure.

A record is what redis_survey returns of an instance (see _survey/survey).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...module_utils._install.own_commands import command_environment
from ...module_utils._server.address import Address
from .._plan.installations import stage_words
from .._plan.journal import journal_of
from .._plan.model import Instance

__all__ = ["audit_login", "ending_of", "handover_arguments", "staging", "switch_arguments", "trial_arguments", "work_of"]

Record = Mapping[str, Any]

# The fields of a record's activation that are options of redis_instance.
_ACTIVATION_OPTIONS = ("method", "staged", "kept", "unit", "old_unit", "enabled", "manager", "hold")
_KEPT_OPTIONS = ("folder", "staged", "kept", "manager")
_TLS = ("tls", "validate_certs", "ca_certs", "client_cert_file", "client_key_file")
# Options of redis_sentinel_failover for the Sentinel, with the role's variables without prefix.
_SENTINEL_LOGIN = {
    "login_host": "login_host",
    "login_port": "sentinel_port",
    "login_user": "sentinel_user",
    "login_password": "sentinel_password",
    **{name: name for name in _TLS},
}
# The same for the data nodes.
_NODE_LOGIN = {"node_login_user": "redis_user", "node_login_password": "redis_password", **{f"node_{name}": name for name in _TLS}}


def work_of(plan: Record, instances: Sequence[Instance]) -> dict[str, Any]:
    """Return the arguments of all steps, once for all tasks, which need not convert the plan then.

    ``journals`` and ``switches``: by ``host/kind``, see journal_of and switch_arguments.
    ``staging``: by host, see staging; not in a rollback. ``endings``: by ``host/kind``, see
    ending_of; none if a later run goes on with the journals.
    """
    known = [one for one in instances if "activation" in one.record and (one.record.get("before") or not plan["rollback"])]
    by_host: dict[str, dict[str, Record]] = {}
    for one in known:
        by_host.setdefault(one.host, {})[one.kind] = one.record
    return {
        "journals": {one.key: journal_of(one.record, plan, plan["steps"].get(one.key, {})) for one in instances},
        "switches": {one.key: switch_arguments(plan, one.host, one.record) for one in known if one.key in plan["steps"]},
        "endings": {} if plan["deferred"] else {key: ending_of(plan, step) for key, step in plan["steps"].items()},
        "staging": {} if plan["rollback"] else {host: staging(plan, host, own) for host, own in by_host.items()},
    }


def ending_of(plan: Record, step: Record) -> dict[str, str]:
    """Return what an instance should be at the end of the run: its version and its role."""
    shard = plan["shards"].get(step["shard"], {})
    master = "original_master_host" if shard.get("fail_back") else "target_host" if shard.get("handover") else "master_host"
    role = "sentinel" if step["kind"] == "sentinel" else "master" if step["host"] == shard.get(master) else "replica"
    return {"version": step["wanted"], "role": role}


def switch_arguments(plan: Record, host: str, instance: Record) -> dict[str, Any]:
    """Return the arguments of redis_instance for the step of an instance.

    ``files``: for both directions; the files are those before the upgrade. ``switch``: to the
    wanted version. ``revert``: back to the version before the step, if the switch fails.
    ``replicas`` is the number of replicas that the master must have, or 0 where an earlier run may
    have left one stopped, for a replica of another replica, and for a reserve without its link.
    ``backup``: the folder of the backup to restore, if there is one. ``save_configuration``: how a
    running data node saves its settings before it is stopped; not in a rollback, which restores the
    configuration of the previous version. ``masters``: what a Sentinel must know of each master
    afterwards.
    """
    rollback, sentinel = bool(plan["rollback"]), instance["kind"] == "sentinel"
    step = plan["steps"][f"{host}/{instance['kind']}"]
    origin = {**instance, **(instance["before"] if rollback else {})}
    shard = plan["shards"].get(step["shard"], {})
    lost_reserve = bool(instance.get("reserve")) and not instance.get("link_up")
    restored = not sentinel and host in plan.get("restore_hosts", [])
    return {
        "masters": {
            name: {"known_sentinels": one["sentinels"] - 1, "known_replicas": one["replicas"]} for name, one in plan["shards"].items()
        },
        "files": _files(plan, origin, step),
        "switch": {
            "state": "previous" if rollback else "switched",
            "version": step["wanted"],
            "replicas": 0 if plan["has_stopped_instances"] or step["upstream"] or lost_reserve else shard.get("replicas", 0),
            **({"state": "restored", "backup": shard["backup"]["folder"]} if restored else {}),
            **({} if rollback or sentinel or instance.get("stopped") else {"save_configuration": _saving(plan, instance)}),
        },
        "revert": {
            "state": "switched" if rollback else "previous",
            "version": plan["version"] if rollback else instance["version"],
        },
    }


def _files(plan: Record, origin: Record, step: Record) -> dict[str, Any]:
    return {
        "folder": origin["folder"],
        "activation": {
            **_versions(plan, origin),
            **{name: value for name, value in origin["activation"].items() if name in _ACTIVATION_OPTIONS},
            "whole": bool(plan["rollback"]),
        },
        "executable": origin["executable"],
        "config_file": origin["config_file"],
        "config_identity": step["config_identity"],
        "log_file": origin["log_file"],
        "sentinel": step["kind"] == "sentinel",
        "process": origin["process"],
        "service_manager": origin["service"]["manager"],
        "unit": origin["service"]["unit"],
    }


def _versions(plan: Record, origin: Record) -> dict[str, str]:
    """Return the versions that the user's commands need; ``origin``: before the upgrade."""
    if origin["activation"]["method"] != "command":
        return {}
    return {"new_version": plan["version"], "previous_version": origin["version"]}


def _saving(plan: Record, instance: Record) -> dict[str, Any]:
    """Return how a data node saves its configuration, which is tried if that changes it."""
    local = not _by_command(instance)
    trial = {"trial": trial_arguments(instance, plan["version"])} if local else {}
    return {"local_file": local, **trial, "running_executable": instance["executable"]}


def _lacks(instance: Record, version: str) -> bool:
    """Return whether the version folder of an instance does not hold the whole version."""
    return bool(instance["interrupted"] or instance["installed_version"] != version)


def staging(plan: Record, host: str, instances: Mapping[str, Record]) -> dict[str, Any]:
    """Return the work of the stage play on a host.

    ``instances``: the records of the host, by kind. ``pending``: the kinds that are upgraded.
    ``destinations``: the folder for the new version, by kind, unless that version is in place, or
    comes by packages. What several instances share is placed for one of them. ``packages``: the
    installed packages that get a later version, likewise. ``backups``: the kinds whose
    configuration is backed up. ``new_packages``: whether packages are installed beside the running
    ones. ``throttle``: how many hosts may do that at the same time, 0 for any number; 1 if another
    host is on the same machine. ``commands``: the stage commands to run, likewise. ``prepared``:
    options of redis_stage, by kind. ``shared``: whether another instance runs from the same place,
    which is filled before any instance is prepared.
    """
    others = {key for own in plan["installations"] for key in own["users"] if key != own["stager"]}
    steps = {kind: plan["steps"].get(f"{host}/{kind}", {}) for kind in instances}
    pending = [kind for kind, step in steps.items() if step.get("do", "skip") != "skip"]
    return {
        "pending": pending,
        "destinations": {
            kind: instances[kind]["activation"]["staged"]
            for kind in pending
            if f"{host}/{kind}" not in others and _is_placed(instances[kind]) and _lacks(instances[kind], plan["version"])
        },
        "commands": [
            _stage_command(instances[kind], plan["version"])
            for kind in pending
            if f"{host}/{kind}" not in others and _by_command(instances[kind])
        ],
        "prepared": {kind: _prepared(plan, f"{host}/{kind}", instances[kind]) for kind in pending},
        "backups": [kind for kind in pending if _configuration_is_backed_up(plan, host, instances[kind])],
        "new_packages": any(instances[kind]["activation"].get("method") == "package" for kind in pending),
        "throttle": int(any(_is_on_machine_of_another(host, own["users"]) for own in plan["installations"] if own["method"] == "package")),
        "shared": any(len(own["users"]) > 1 and host in _hosts_of(own["users"]) for own in plan["installations"]),
        "packages": sorted({name for kind in pending if f"{host}/{kind}" not in others for name in _updated_packages(instances[kind])}),
    }


def _prepared(plan: Record, key: str, instance: Record) -> dict[str, Any]:
    """Return the options of redis_stage for an instance that is upgraded.

    ``keep``: for one of several instances that share programs. A running data node saves its
    settings (a Sentinel does so by itself), and the new version tries the configuration of what
    runs, unless the files are known to the user's commands only.
    """
    keepers = {own["keeper"] for own in plan["installations"]}
    runs = not instance["stopped"]
    return {
        **({"keep": _keep_arguments(instance)} if key in keepers or _updated_packages(instance) else {}),
        **({"save_configuration": _saving(plan, instance)} if runs and instance["kind"] == "redis" else {}),
        **({"trial": trial_arguments(instance, plan["version"])} if runs and not _by_command(instance) else {}),
    }


def _configuration_is_backed_up(plan: Record, host: str, instance: Record) -> bool:
    """Return whether a backup copies an instance's configuration without its data."""
    with_data = [*plan["replica_backup_hosts"], *plan["backup_hosts"]]
    wanted = any(shard["backup_host"] for shard in plan["shards"].values())
    return wanted and not _by_command(instance) and not (instance["kind"] == "redis" and host in with_data) and not instance["stopped"]


def _is_on_machine_of_another(host: str, keys: Iterable[str]) -> bool:
    """Return whether a host and others have instances among these, which run from one place."""
    hosts = _hosts_of(keys)
    return host in hosts and len(hosts) > 1


def _hosts_of(keys: Iterable[str]) -> set[str]:
    return {key.rpartition("/")[0] for key in keys}


def _by_command(instance: Record) -> bool:
    return bool(instance["activation"]["method"] == "command")


def _is_placed(instance: Record) -> bool:
    """Return whether the new version is put into a folder, not made by a command or a package."""
    return instance["activation"]["method"] not in ("command", "package", "package_update")


def _stage_command(instance: Record, version: str) -> dict[str, Any]:
    """Return the words and the environment of an instance's stage command."""
    return {"words": stage_words(instance, version), "environment": command_environment(version, instance["version"])}


def _keep_arguments(instance: Record) -> dict[str, Any]:
    """Return how redis_stage keeps the running version of an instance."""
    return {
        **{name: instance["activation"][name] for name in _KEPT_OPTIONS if name in instance["activation"]},
        "version": instance["version"],
        "executable": instance["executable"],
        "pid": instance.get("pid") or 0,
    }


def _updated_packages(instance: Record) -> list[str]:
    """Return the packages of an instance that are replaced by later ones of the same names."""
    activation = instance["activation"]
    return list(activation["packages"]) if activation.get("method") == "package_update" else []


def trial_arguments(instance: Record, version: str) -> dict[str, Any]:
    """Return the arguments of redis_config_try for an instance and the new version.

    The new version is a package's server, or in the folder where it is staged. An interrupted run
    may have put it in the version folder already, or another instance that shares the programs.
    """
    activation = instance["activation"]
    server = {"executable": activation["server"]} if "server" in activation else {}
    if activation.get("method") == "package_update" and not _lacks(instance, version):
        # a host may have the Sentinel's package only
        server = {"executable": instance["executable"]}
    folder = activation.get("staged") if _lacks(instance, version) else instance["folder"]
    return {
        **(server or {"folder": folder}),
        "version_folder": instance["folder"],
        "version": version,
        "config_file": instance["config_file"],
        "sentinel": instance["kind"] == "sentinel",
        "process": instance["process"],
        "unit": instance["service"]["unit"],
    }


def audit_login(runner: Mapping[str, Any], master: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return how redis_write_audit reaches Sentinels and data nodes.

    ``master``: the variables of the master's host, whose login for data nodes counts. ``runner``
    and ``options``: as for handover_arguments, with the options of the runner itself.
    """
    own = {**options, **{name: master[f"redis_upgrade_{name}"] for name in _NODE_LOGIN.values() if f"redis_upgrade_{name}" in master}}
    found = handover_arguments(runner, own)
    return {name: value for name, value in found.items() if name not in ("leader", "journal_folder")}


def handover_arguments(runner: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return how redis_sentinel_failover reaches Sentinel and data nodes, and its journal folder.

    ``runner``: the variables of the host that runs the module. ``options``: the role's variables of
    the future master's host, without their prefix. The Sentinel's login is that of the runner if it
    is set there, and it leads if ``options`` has ``leads``. The journal folder is the one that the
    runner uses as a host of instances.
    """

    def of_runner(name: str) -> Any:
        return runner.get(f"redis_upgrade_{name}", options[name])

    return {
        **{option: of_runner(name) for option, name in _SENTINEL_LOGIN.items()},
        **{option: options[name] for option, name in _NODE_LOGIN.items()},
        "leader": str(Address(str(of_runner("login_host")), int(of_runner("sentinel_port")))) if options["leads"] else "",
        "journal_folder": runner.get("__redis_upgrade_own_journal_folder") or of_runner("journal_folder"),
    }
