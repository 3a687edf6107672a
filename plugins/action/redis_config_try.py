# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try a configuration, and show what that waits for."""

from __future__ import annotations

from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.watched import WatchedModule


class ActionModule(WatchedModule):
    """The action."""
