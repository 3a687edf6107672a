# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about a data node's scripts: how it replicates them, and how many are only in memory."""

from __future__ import annotations

from typing import Any, Mapping

__all__ = ["VERBATIM", "script_facts"]

# 6.0 and 6.2 have this setting. 5.0 replicates what a script writes, and 7.0 knows no other way.
VERBATIM = "lua-replicate-commands"


def script_facts(info: Mapping[str, str], config: Mapping[str, str]) -> dict[str, Any]:
    """Return whether scripts are replicated word for word, and the number of cached scripts.

    Functions (7.0 and later) are not counted: data files and replicas have them, too.
    """
    cached = info.get("number_of_cached_scripts", "0")
    return {"verbatim_scripts": config.get(VERBATIM) == "no", "cached_scripts": int(cached) if cached.isdigit() else 0}
