# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup of a configuration file that both versions use at the same path.

A server rewrites its configuration with directives that an older version refuses: 7.0 writes
``latency-tracking-info-percentiles``, which 6.2 does not know. Then the older version is started
with the file from before the switch. It is not used otherwise, since the current file knows more.
"""

from __future__ import annotations

import os

from .._errors import OperationFailed
from .._install.copy_files import copy_file
from .._owned_files import rename

__all__ = ["back_up_configuration", "configuration_was_refused", "restore_configuration"]

_SUFFIX = ".before-upgrade"
_REFUSED = "FATAL CONFIG FILE ERROR"  # printed by Redis and Valkey before they end


def back_up_configuration(config_file: str) -> None:
    """Copy a configuration file beside itself, with its owner and mode."""
    if os.path.isfile(config_file):
        copy_file(config_file, config_file + _SUFFIX)


def configuration_was_refused(error: OperationFailed) -> bool:
    """Return whether a server did not start because it does not accept its configuration file."""
    return _REFUSED in f"{error.message} {error.facts.get('log_tail', '')}"


def restore_configuration(config_file: str) -> bool:
    """Replace a configuration file by its backup; return False if there is none."""
    backup = config_file + _SUFFIX
    if not os.path.isfile(backup):
        return False
    rename(backup, config_file)
    return True
