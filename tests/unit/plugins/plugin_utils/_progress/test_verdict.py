"""The last line of a run."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.verdict import Ending, kind_of, verdict

PLAN = {"shards": {"mymaster": {}}, "deferred": []}
WORKED: dict[str, Any] = {"plan": PLAN, "steps": 8, "worked": True}


@pytest.mark.parametrize(
    ("end", "text", "mood"),
    [
        (Ending("upgrade", PLAN, 8, 8, worked=True, verified=True, pauses_ms=(327.4,)), "The upgrade is complete: 8 of 8 steps done, "
         "writes paused for 327 ms", "good"),
        (Ending("upgrade", done=8, verified=True, pauses_ms=(300, 400, 350), **WORKED), "The upgrade is complete: 8 of 8 steps done, "
         "writes paused for at most 400 ms, 3 times", "good"),
        (Ending("upgrade", done=3, **WORKED), "The run has ended: 3 of 8 steps done", "good"),
        (Ending("upgrade", done=3, failed=True, **WORKED), "STOPPED after 3 of 8 steps: read the last message above, fix what it names, "
         "and run the same command again", "bad"),
        (Ending("upgrade", {**PLAN, "deferred": ["redis-1"]}, 4, 4, worked=True), "Stopped after the canary, as requested: 4 of 4 steps "
         "done. Run without redis_upgrade_canary to continue", "good"),
        (Ending("rollback", PLAN, 8, open_gates=True), "Nothing was changed: the rollback may begin", "good"),
        (Ending("upgrade", PLAN, 8), "Nothing was changed", "good"),
        (Ending("upgrade", PLAN, 0, looks=True), "Nothing was changed", "good"),
        (Ending("upgrade", PLAN, 0), "The upgrade has ended well", "good"),
        (Ending("upgrade", {**PLAN, "deployments": [1]}), "Done: each deployment had a run of its own, see above", "good"),
        (Ending("handover", {}), "The handover has ended well", "good"),
        (Ending("handover", {}, failed=True), "FAILED: see the message above. Fix what it names, and run the same command again", "bad"),
        (Ending("upgrade", {}, failed=True, refused=True), "REFUSED: nothing was touched. Fix what is named above, and run the "
         "same command again", "bad"),
    ],
)  # fmt: skip
def test_the_verdict(end: Ending, text: str, mood: str) -> None:
    assert (verdict(end).text, verdict(end).mood) == (text, mood)


@pytest.mark.parametrize(
    ("plan", "playbook", "kind"),
    [
        ({}, "finish", "upgrade"),
        ({}, "restore", "restore"),
        ({}, "site", "playbook site"),
        ({}, "report", "playbook report"),
        ({}, "", "playbook"),
        ({"rollback": True}, "site", "rollback"),
        ({"rollback": True, "restore_hosts": ["redis-1"]}, "restore", "restore"),
        (PLAN, "rollback", "upgrade"),
    ],
)
def test_the_word_for_a_run(plan: dict[str, Any], playbook: str, kind: str) -> None:
    assert kind_of(plan, playbook) == kind
