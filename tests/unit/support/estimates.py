"""The estimate of a real run, as the filter upgrade_plan adds it to a plan."""

from __future__ import annotations

from typing import Any

__all__ = ["ESTIMATE"]

# Three data nodes with 474 MiB each, and three Sentinels.
ESTIMATE: dict[str, Any] = {
    "at_s": 1_790_000_000.0,
    "seconds": 102.9,
    "plays": [
        {"name": "stage", "title": "(3/8) Stage the new version", "seconds": 7.3, "lead_s": 0.0},
        {"name": "sentinels", "title": "(4/8) Sentinels", "seconds": 7.6, "lead_s": 2.2},
        {"name": "replicas", "title": "(5/8) Replicas", "seconds": 45.4, "lead_s": 2.2},
        {"name": "handover", "title": "(6/8) Handover", "seconds": 5.6, "lead_s": 2.2},
        {"name": "old_masters", "title": "(7/8) Old masters", "seconds": 23.7, "lead_s": 2.2},
        {"name": "fail_back", "title": "(8/8) Fail back", "seconds": 5.6, "lead_s": 2.2},
        {"name": "verify", "title": "(8/8) Verify", "seconds": 7.3, "lead_s": 0.0},
        {"name": "report", "title": "(8/8) Report", "seconds": 0.3, "lead_s": 0.0},
    ],
    "restarts": 6,
    "pauses": {"count": 2, "seconds": 0.4, "at_most_s": 4.0},
    "basis": {
        "calls": 6,
        "survey_s": 5.778,
        "call_s": 2.082,
        "data_bytes": 497517296,
        "load_s_per_gib": 9.0,
        "save_s_per_gib": 9.0,
        "loads_measured": 0,
        "saves_measured": 0,
    },
    "not_included": [],
}
