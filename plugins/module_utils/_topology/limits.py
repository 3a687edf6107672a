# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time limits that the settings of a deployment's Sentinels impose."""

from __future__ import annotations

__all__ = ["MAX_HELLO_AGE_MS", "MIN_PAUSE_BUDGET_MS", "pause_budget_ms"]

MAX_HELLO_AGE_MS = 3000  # Sentinels send a hello every 2 s
MIN_PAUSE_BUDGET_MS = 1000


def pause_budget_ms(down_after_ms: int) -> int:
    """Return the longest duration of CLIENT PAUSE, in milliseconds.

    A pause also blocks Sentinel's PUBLISH, so the Sentinels would flag the master as down after
    ``down_after_ms`` (down-after-milliseconds).
    """
    return min(down_after_ms - 1000, 4000)
