"""The write audit of an upgrade with two shards: each is written to, and has its own verdict."""

from __future__ import annotations

import json
from collections.abc import Callable

import layout
import pytest

import playbooks

pytestmark = pytest.mark.extended
VERSION, WANTED = "6.2.9", "6.2.14"


def test_two_shards(next_port: Callable[[], int]) -> None:
    with layout.shop(VERSION, next_port()) as shop:
        file = shop.folder / "report.json"
        done = playbooks.run(shop.inventory, "upgrade", redis_upgrade_audit=True, redis_upgrade_report_file=str(file))
        assert done.returncode == 0, done.stdout
        report = json.loads(file.read_text(encoding="utf-8"))
        assert sorted(report["audits"]) == ["cache", "sessions"]
        for audit in report["audits"].values():
            assert (audit["lost"], audit["unexpected"], audit["duplicates"]) == (0, 0, 0)
            assert audit["acknowledged"] > 50
        gaps = {one["host"]: one["write_gap_ms"] for one in report["handovers"]}
        assert len(gaps) == len(report["handovers"]) == 4
        for one in report["handovers"]:
            assert one["write_gap_ms"] is None or one["write_gap_ms"] >= one["pause_ms"] - 100, "ten writes per second"
        assert any(gaps.values()), "at least one pause is longer than the time between two writes"
        page = file.with_suffix(".html").read_text(encoding="utf-8")
        assert all(f"write audit of {shard}" in page for shard in report["audits"])
