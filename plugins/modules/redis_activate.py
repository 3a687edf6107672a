#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the staged version of an instance in the place of the one in use, or the kept one back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_activate
short_description: Swap the version folder of a stopped instance
version_added: 0.1.0
description:
  - V(staged) copies the instance's configuration from its version folder (C(redis)) into the staged one (C(redis.new)), renames C(redis) to
    C(redis.old) and C(redis.new) to C(redis).
  - V(previous) undoes that.
  - Only configuration files inside the version folder are copied, with owner and mode; the instance must be stopped, since a Sentinel rewrites its
    file while it runs.
  - A C(redis.old) of an earlier upgrade is kept aside as C(redis.old.<version>).
  - An activation that was killed half way is recognised and finished.
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    support: none
    membership: []
options:
  folder:
    description: The version folder, for example C(/opt/redis-6379/redis). The staged and the kept version are beside it.
    type: path
    required: true
  config_file:
    description: The instance's configuration file.
    type: path
    required: true
  state:
    description: Which version shall be in use.
    type: str
    choices: [staged, previous]
    default: staged
  version:
    description: The version that shall be in use afterwards.
    type: str
    required: true
  config_identity:
    description: Owner, group and mode of the configuration file before the upgrade, for where the server itself has changed them since.
    type: dict
    suboptions:
      uid:
        description: User id of the owner.
        type: int
        required: true
      gid:
        description: Group id.
        type: int
        required: true
      mode:
        description: Permission bits, as a number.
        type: int
        required: true
"""

EXAMPLES = r"""
- name: Activate the staged version
  sentinelops.redis.redis_activate:
    folder: /opt/redis-6379/redis
    config_file: /opt/redis-6379/redis/redis.conf
    version: 7.0.15
"""

RETURN = r"""
folder:
  description: The version folder in use.
  returned: success
  type: str
kept:
  description: Where the previous version is kept.
  returned: success
  type: str
copied:
  description: The configuration files that were copied, relative to the folder.
  returned: with O(state=staged), when changed
  type: list
  elements: str
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._configfile import FileIdentity
from ..module_utils._errors import SentinelOpsError
from ..module_utils._folders import Folders, version_in

SPEC: Dict[str, Any] = {
    "folder": {"type": "path", "required": True},
    "config_file": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["staged", "previous"], "default": "staged"},
    "version": {"type": "str", "required": True},
    "config_identity": {
        "type": "dict",
        "options": {name: {"type": "int", "required": True} for name in ("uid", "gid", "mode")},
    },
}


def ensure(params: Dict[str, Any], check_mode: bool) -> Dict[str, Any]:
    folders = Folders(params["folder"])
    result: Dict[str, Any] = {"folder": folders.active, "kept": folders.kept}
    if params["state"] == "previous":
        changed = folders.interrupted() or version_in(folders.active) != params["version"]
        if changed and not check_mode:
            folders.put_back()
        return {**result, "changed": changed}
    if folders.activated(params["version"]):
        return {**result, "changed": False}
    copied = folders.to_copy(params["config_file"])
    if not check_mode:
        identity = FileIdentity(**params["config_identity"]) if params["config_identity"] else None
        folders.activate(params["config_file"], params["version"], identity)
    return {**result, "changed": True, "copied": copied}


def main() -> None:
    module = AnsibleModule(SPEC, supports_check_mode=True)
    try:
        result = ensure(module.params, module.check_mode)
    except SentinelOpsError as error:
        module.fail_json(**error.as_result())
    except OSError as error:
        module.fail_json(msg=f"the version folder {module.params['folder']} cannot be swapped: {error}. Run again when that is mended.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
