"""The inventory plugin in this process, with its options as Ansible reads them from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible import constants
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.doc_fragments import constructed, inventory_cache
from ansible_collections.sentinelops.redis.plugins.doc_fragments import inventory_logins
from ansible_collections.sentinelops.redis.plugins.inventory import redis_sentinel

NAME = "sentinelops.redis.redis_sentinel"
FRAGMENTS = (constructed, inventory_cache, inventory_logins)


def documentation() -> dict[str, Any]:
    """Return the plugin's documentation with the options of its fragments."""
    found: dict[str, Any] = yaml.safe_load(redis_sentinel.DOCUMENTATION)
    for fragment in FRAGMENTS:
        found["options"].update(yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"])
    return found


def plugin() -> Any:
    """Return a new instance, with the attributes that Ansible's loader gives it."""
    constants.config.initialize_plugin_configuration_definitions("inventory", NAME, documentation()["options"])
    made: Any = redis_sentinel.InventoryModule()
    made._load_name = made._original_path = made.ansible_name = NAME
    made._redirected_names = [NAME]
    return made


def parsed(file: Path, inventory: InventoryData | None = None, cache: bool = True) -> InventoryData:
    """Return the inventory to which the plugin has added a file; raises what the plugin raises."""
    inventory = inventory or InventoryData()
    one = plugin()
    assert one.verify_file(str(file))
    one.parse(inventory, DataLoader(), str(file), cache)
    one.update_cache_if_changed()
    inventory.reconcile_inventory()
    return inventory
