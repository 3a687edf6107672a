# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity of this run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: controller_run
short_description: Return the identity of this run of ansible-playbook
version_added: 1.0.0
author: sentinelops contributors (@sentinelops)
description:
  - Returns what distinguishes this run from all others, for M(sentinelops.redis.redis_run_lock).
  - All tasks of a run get the same identity.
"""

EXAMPLES = r"""
- name: Show the identity of this run
  ansible.builtin.debug:
    msg: "{{ lookup('sentinelops.redis.controller_run') }}"
"""

RETURN = r"""
_raw:
  description:
    - A dictionary with C(id), C(user), C(controller), C(pid), C(begun) and C(machine).
    - C(begun) is the start time of the process, in the units of the system.
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.process import main_pid, run_of


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        return [run_of(main_pid())]
