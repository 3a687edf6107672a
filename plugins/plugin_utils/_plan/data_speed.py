# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speeds at which a data node saves and loads its data: as measured there, else assumed. Pure.

The survey measures nothing: it reads the server's log and INFO, which tell of the last load and of
the last BGSAVE.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .model import Instance

__all__ = ["LOAD_S_PER_GIB", "SAVE_S_PER_GIB", "DataSpeed", "data_bytes", "data_speeds"]

GIB = 1 << 30
# Assumed where nothing was measured: the slowest of real servers that were measured.
LOAD_S_PER_GIB, SAVE_S_PER_GIB = 9.0, 9.0
# A smaller load, and a BGSAVE that INFO rounds to fewer seconds, say nothing of the speed.
LEAST_LOADED_BYTES, LEAST_SAVED_S = 16 << 20, 2


@dataclass(frozen=True)
class DataSpeed:
    """Seconds per GiB of used memory.

    ``loads``, ``saves``: on how many nodes a load, or a BGSAVE, was measured.
    """

    load_s_per_gib: float = LOAD_S_PER_GIB
    save_s_per_gib: float = SAVE_S_PER_GIB
    loads: int = 0
    saves: int = 0

    def load_s(self, size: int) -> float:
        return self.load_s_per_gib * size / GIB

    def save_s(self, size: int) -> float:
        return self.save_s_per_gib * size / GIB


def data_bytes(node: Instance) -> int:
    """Return the memory that the data of a node takes (``used_memory``); 0 if it is not known."""
    return int((node.record.get("examined") or {}).get("used_memory") or 0)


def data_speeds(nodes: Sequence[Instance]) -> dict[str, DataSpeed]:
    """Return the speed of each data node, by key.

    A node on which one of both was not measured has the median of those on which it was. Where
    only loads or only saves were measured, the others are taken to be as fast.
    """
    loads = {node.key: found for node in nodes if (found := _load_s_per_gib(node))}
    saves = {node.key: found for node in nodes if (found := _save_s_per_gib(node))}
    usual_load, usual_save = (statistics.median(found.values()) if found else 0.0 for found in (loads, saves))
    speeds = {}
    for node in nodes:
        load, save = loads.get(node.key) or usual_load, saves.get(node.key) or usual_save
        speeds[node.key] = DataSpeed(load or save or LOAD_S_PER_GIB, save or load or SAVE_S_PER_GIB, len(loads), len(saves))
    return speeds


def _load_s_per_gib(node: Instance) -> float:
    load = (node.record.get("examined") or {}).get("load") or {}
    size = int(load.get("bytes") or 0)
    return float(load["seconds"]) * GIB / size if size >= LEAST_LOADED_BYTES else 0.0


def _save_s_per_gib(node: Instance) -> float:
    seconds, size = int((node.record.get("examined") or {}).get("last_save_s") or 0), data_bytes(node)
    return seconds * GIB / size if seconds >= LEAST_SAVED_S and size >= LEAST_LOADED_BYTES else 0.0
