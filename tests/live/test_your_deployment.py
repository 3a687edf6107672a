"""The documented inventories on matching servers: the plan finds everything, every gate is open.

The inventory with two shards is upgraded in test_layouts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from access import Access, with_passwords, with_users_and_certificates
from deployment import ROOT, Deployment
from layout import documented_inventories

import playbooks

pytestmark = pytest.mark.extended

ACCESS: dict[str, Callable[[Path], Access]] = {
    "passwords": lambda _folder: with_passwords(),
    "acl and tls": with_users_and_certificates,
    "systemd": lambda _folder: Access(),
    "commands": lambda _folder: Access(),
}


def known_options() -> set[str]:
    found: set[str] = set()
    for role in ("redis_upgrade", "redis_binaries"):
        specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
        found |= {name for spec in specs.values() for name in spec.get("options", {})}
    return found


def variables_of(inventory: Any) -> set[str]:
    """Return all names of variables, of groups and of hosts."""
    found: set[str] = set()
    for group in (inventory or {}).values():
        for host in (group.get("hosts") or {}).values():
            found |= set(host or {})
        found |= set(group.get("vars") or {}) | variables_of(group.get("children"))
    return found


@pytest.mark.parametrize("name", documented_inventories())
def test_its_variables_exist(name: str) -> None:
    names = variables_of(yaml.safe_load(documented_inventories()[name]))
    assert len(names) >= 4
    assert {one for one in names if not one.startswith("ansible_")} <= known_options()


def test_each_one_is_run_by_a_test() -> None:
    assert set(documented_inventories()) == {*ACCESS, "shards"}


def on_this_machine(name: str, deployment: Deployment, folder: Path) -> Path:
    """Write the inventory for this machine: each host has other ports, folders and files."""
    text = documented_inventories()[name].replace("/etc/redis/tls", str(folder / "certificates")).replace("[sv,", "[echo, sv,")
    text = text.replace("/opt/redis-6379/redis", f"{folder}/{{{{ inventory_hostname }}}}/redis")
    text = text.replace("/opt/sentinel-26379/redis", f"{folder}/{{{{ inventory_hostname }}}}/sentinel")
    inventory = yaml.safe_load(text)
    cache = inventory["all"]["children"]["cache"]
    for number, host in enumerate(cache["children"]["redis"]["hosts"], 1):
        ports = {
            "redis_upgrade_redis_port": deployment.ports[f"redis-{number}"],
            "redis_upgrade_sentinel_port": deployment.ports[f"sentinel-{number}"],
        }
        cache["children"]["redis"]["hosts"][host] = ports
    cache["vars"] |= {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "redis_upgrade_journal_folder": f"{folder}/journal/{{{{ inventory_hostname }}}}",
    }
    file = folder / "inventory.yml"
    file.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    return file


@pytest.mark.parametrize("name", ACCESS)
def test_the_plan_finds_everything_and_every_gate_is_open(name: str, build: Callable[..., Deployment], tmp_path: Path) -> None:
    deployment = build("7.0.15", access=ACCESS[name](tmp_path / "certificates"))
    inventory = on_this_machine(name, deployment, tmp_path)
    access = deployment.access
    vault = {
        "vault_redis_password": {"__ansible_unsafe": access.nodes.get("password", "")},
        "vault_sentinel_password": access.sentinels.get("password", ""),
    }
    done = playbooks.run(inventory, "plan", wanted="valkey-8.0.1", redis_upgrade_accept_no_way_back=True, **vault)
    assert done.returncode == 0, done.stdout
    assert "Every gate is open." in done.stdout
    for number in (1, 2, 3):
        assert f"(4/8) Sentinel  node-{number}: 7.0.15 -> 8.0.1" in done.stdout
    assert "(6/8) handover  mymaster: node-1" in done.stdout
    assert [secret for secret in access.secrets if secret in done.stdout + done.stderr] == []
