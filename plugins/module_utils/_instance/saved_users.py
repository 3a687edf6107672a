# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ACL users that a server would have after a restart, as ACL LIST shows them.

A server of the running version loads copies of the files, and is asked as a guest.
"""

from __future__ import annotations

from .._wait import Clock
from .config_trial import Surroundings, Trial, try_config
from .trial_guest import Guest

__all__ = ["saved_users"]


def saved_users(trial: Trial, acl_file: str, surroundings: Surroundings, wait_s: float, clock: Clock) -> list[str]:
    """Return the lines of ACL LIST of a server that has just been started with these files.

    ``acl_file``: the absolute path; empty if users are in the configuration. Raises
    PreconditionFailed if the server does not start with them.
    """
    guest = Guest("ACL LIST", "+acl", acl_file)
    try_config(trial, surroundings, wait_s, clock, guest)
    return [line for line in guest.reply if line.split()[1] != guest.name]
