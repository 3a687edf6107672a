"""Packages in the plan and in the preflight."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._host.unit_files import UNREAD
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight, relocations
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, OLD, three_and_three

WANTED = {"redis-tools": "5:8.0.6-1", "redis-server": "5:8.0.6-1"}
UPDATE = {"method": "package_update", "manager": "apt", "folder": "/usr/bin", "wanted": WANTED, "hold": False, "doubts": []}


@pytest.mark.parametrize("hold", [False, True])
def test_an_upgrade_names_the_packages(hold: bool) -> None:
    deployment = three_and_three()
    for name in ("redis-2", "redis-3"):
        deployment.node(name).record.update(activation={**UPDATE, "hold": hold}, executable="/usr/bin/redis-server", folder="/usr/bin")
    notes = [note for note in relocations(deployment.instances(), deployment.plan()) if "apt" in note]
    assert len(notes) == 1
    assert notes[0].startswith("redis-2 (redis), redis-3 (redis): apt installs redis-server 5:8.0.6-1, redis-tools 5:8.0.6-1")
    assert ("holds them" in notes[0], "redis_binaries_hold" in notes[0]) == (hold, not hold)


def test_packages_that_are_in_place_are_not_named() -> None:
    deployment = three_and_three()
    deployment.node("redis-2").record.update(activation={**UPDATE, "wanted": {}}, executable="/usr/bin/redis-server", folder="/usr/bin")
    assert relocations(deployment.instances(), deployment.plan()) == []


@pytest.mark.parametrize(
    ("restorable", "said"), [(True, "are installed again"), (False, "cannot be had any more, so it is started from /kept")]
)
def test_a_rollback_says_whether_the_packages_can_be_had(restorable: bool, said: str) -> None:
    deployment = three_and_three(version=NEW)
    for one in (*deployment.sentinels, *deployment.shards[0].nodes):
        one.version, one.record = NEW, {"before": {"version": OLD, "there": True, "kept": "/kept", "restorable": restorable}}
    notes = relocations(deployment.instances(), deployment.plan(NEW, rollback=True))
    assert len(notes) == 1
    assert said in notes[0]


@pytest.mark.parametrize(
    ("method", "interrupted", "refused"), [("package_update", True, False), ("package_update", False, True), ("files", True, True)]
)
def test_units_that_a_killed_installation_has_left(method: str, interrupted: bool, refused: bool) -> None:
    deployment = three_and_three()
    doubts = [
        {"seen": f"its unit redis.service {UNREAD}", "why": "", "do": ""},
        {"seen": "its unit redis.service is masked", "why": "", "do": ""},
    ]
    service = {"manager": "systemd", "unit": "redis.service", "program": "/usr/bin/redis-server", "doubts": doubts}
    deployment.node("redis-2").record.update(activation={**UPDATE, "method": method}, service=service, interrupted=interrupted, our_uid=0)
    seen = [finding.seen for finding in preflight(deployment.instances(), deployment.plan(), 1048576) if finding.node == "redis-2"]
    assert (doubts[0]["seen"] in seen, doubts[1]["seen"] in seen) == (refused, True)
