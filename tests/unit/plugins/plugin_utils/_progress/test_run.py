"""The lines of a run: few, complete, and without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import steps_to_do
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.events import FAILED, SKIPPED, UNREACHABLE
from ansible_collections.sentinelops.redis.plugins.plugin_utils._progress.run import Run
from ansible_collections.sentinelops.redis.tests.unit.support.progress import BUILTIN, COLLECTION, GATE, REVERT, SWITCH, Told, upgrade
from ansible_collections.sentinelops.redis.tests.unit.support.survey import three_and_three, two_shards

PLAN = three_and_three().plan().as_dict()
TWO = two_shards().plan().as_dict()
DEBUG, FAIL = f"{BUILTIN}debug", f"{BUILTIN}fail"


def test_a_whole_upgrade() -> None:
    told = upgrade(PLAN)
    assert told.screen()[-17:] == [
        "12:01:07  (3/8) Stage the new version: 6 hosts  5.0 s",
        "12:01:07  (4/8) Sentinel   sentinel-1: 7.0.5 -> 7.0.15  3.2 s",
        "12:01:07  (4/8) Sentinel   sentinel-2: 7.0.5 -> 7.0.15  3.2 s",
        "12:01:07  (4/8) Sentinel   sentinel-3: 7.0.5 -> 7.0.15  3.2 s",
        "12:01:07  (5/8) replica    redis-2: 7.0.5 -> 7.0.15  3.2 s",
        "12:01:07  (5/8) replica    redis-3: 7.0.5 -> 7.0.15  3.2 s",
        "12:01:07  (6/8) handover   mymaster: redis-1 -> redis-2, paused 327 ms  8.1 s",
        "12:01:07  (7/8) old master redis-1: 7.0.5 -> 7.0.15  3.2 s",
        "12:01:07  (8/8) fail back  mymaster: redis-2 -> redis-1, paused 346 ms  8.1 s",
        "12:01:07  (8/8) Verify: Every instance runs the version that it should run, and",
        "                the master is where it should be  1.0 s",
        "",
        "instance   before   now   role",
        "shard mymaster: ...",
        "",
        "12:01:07  The upgrade is complete: 8 of 8 steps done, writes paused for 327 ms",
        "            and 346 ms  48.4 s",
    ]


def test_the_plan_and_the_warnings_are_whole_and_nothing_else_is_shown() -> None:
    told = upgrade(PLAN)
    text = told.text
    assert text.startswith("12:01:07  (1/8) Survey and plan: 6 hosts  3.0 s\n\nUpgrade to 7.0.15, one step after the other:\n(4/8)")
    assert "\nwarning: there is no way back. Have a backup.\n12:01:07  (2/8) Preflight: Every gate is open  2.0 s\n" in text
    assert "(0/8)" not in text
    assert "Recover" not in text
    assert len(told.screen()) < 40


def test_hosts_of_a_wave_have_a_line_each() -> None:
    told = Told()
    told.survey(TWO)
    told.play("(5/8) Replicas")
    task = told.begin(SWITCH, f"{COLLECTION}redis_instance", ["one-2", "two-2"])
    told.now += 12
    assert told.run.under_way(told.now) == "(5/8) replica    one-2, two-2, for 12 s"
    told.end(task, "two-2", changed=True)
    assert told.run.under_way(told.now) == "(5/8) replica    one-2: 7.0.5 -> 7.0.15, for 12 s"
    told.end(task, "one-2", 2.0, changed=True)
    assert [line.text for line in told.lines[-2:]] == [
        "(5/8) replica    two-2: 7.0.5 -> 7.0.15  12.0 s",
        "(5/8) replica    one-2: 7.0.5 -> 7.0.15  14.0 s",
    ]
    assert told.run.under_way(told.now) == ""


def test_the_step_under_way_says_what_it_waits_for() -> None:
    told = Told()
    told.survey(TWO)
    told.play("(5/8) Replicas")
    task = told.begin(SWITCH, f"{COLLECTION}redis_instance", ["one-2", "two-2"])
    told.now += 12
    told.run.waits("one-2", "loading, 43 %", told.now)
    assert told.run.under_way(told.now) == "(5/8) replica    one-2, two-2, for 12 s: one-2: loading, 43 %"
    told.end(task, "two-2", changed=True)
    assert told.run.under_way(told.now) == "(5/8) replica    one-2: 7.0.5 -> 7.0.15, for 12 s: loading, 43 %"
    told.now += 24
    assert told.run.under_way(told.now).endswith(", for 36 s: loading, 43 %")
    told.now += 1
    assert told.run.under_way(told.now).endswith(", for 37 s"), "nothing has said so for long"
    told.run.waits("one-2", "offset: 12 MiB to go", told.now)
    told.end(task, "one-2", 2.0, changed=True)
    told.begin(SWITCH, f"{COLLECTION}redis_instance", ["one-2"])
    assert "offset" not in told.run.under_way(told.now), "another task"


def test_a_refusal_is_whole() -> None:
    told = Told()
    told.survey(PLAN)
    findings = ["Nothing was touched. Before the upgrade may begin:", "redis-3 lags." * 20, "sentinel-1 is in TILT. Wait."]
    told.task(GATE, f"{BUILTIN}assert", ["redis-1"], state=FAILED, assertion="x", msg=findings)
    told.finish(failed=True)
    assert [line.text for line in told.lines[-5:-1]] == ["(2/8) Preflight: REFUSED", findings[0], f"- {findings[1]}", f"- {findings[2]}"]
    assert told.lines[-1].text == "REFUSED: nothing was touched. Fix what is named above, and run the same command again  5.0 s"
    assert told.lines[-1].mood == "bad"


def test_the_same_refusal_on_all_hosts_is_told_once() -> None:
    told = Told()
    told.play("(2/8) Preflight")
    name = "Refuse to begin if activation and installation method do not match"
    told.task(name, f"{BUILTIN}assert", PLAN["touched_hosts"], state=FAILED, msg="Nothing was touched. Packages go with packages only.")
    assert told.text.count("Packages go with packages only") == 1


def test_an_instance_that_is_reverted() -> None:
    told = Told()
    told.survey(PLAN)
    told.switch("(4/8) Sentinels", "sentinel-1")
    told.play("(4/8) Sentinels")
    told.task(
        SWITCH, f"{COLLECTION}redis_instance", ["sentinel-2"], 9.0, state=FAILED, msg="it does not answer\nafter 60 s", log_tail=["x"]
    )
    told.task(REVERT, f"{COLLECTION}redis_instance", ["sentinel-2"], 3.0, changed=True, version="7.0.5")
    message = ["sentinel-2 (sentinel) could not be upgraded to 7.0.15.", "Done in this run: the Sentinel of sentinel-1."]
    told.task("Say what is done and what is left", FAIL, ["sentinel-2"], state=FAILED, msg=message)
    told.finish(failed=True)
    assert told.screen()[-11:] == [
        "12:01:07  (4/8) Sentinel   sentinel-1: 7.0.5 -> 7.0.15  3.2 s",
        "12:01:07  (4/8) Sentinel   sentinel-2: 7.0.5 -> 7.0.15  FAILED after 9.0 s",
        "it does not answer",
        "after 60 s",
        "12:01:07  (4/8) Sentinel   sentinel-2: 7.0.5 -> 7.0.15: reverted, it runs 7.0.5",
        "                again  3.0 s",
        "12:01:07  (4/8) Sentinels: STOPPED",
        *message,
        "12:01:07  STOPPED after 1 of 8 steps: read the last message above, fix what it",
        "            names, and run the same command again  20.2 s",
    ]


def test_unreachable_hosts() -> None:
    told = Told()
    told.survey(PLAN)
    told.play("(5/8) Replicas")
    told.task(SWITCH, f"{COLLECTION}redis_instance", ["redis-2"], state=UNREACHABLE, msg="Failed to connect", unreachable=True)
    task = told.begin("Release the lock", f"{COLLECTION}redis_run_lock", ["redis-3"])
    told.end(task, "redis-3", state=UNREACHABLE, ignored=True, msg="Failed to connect, too")
    assert [line.text for line in told.lines[-3:]] == [
        f"(5/8) UNREACHABLE: redis-2, at: {SWITCH}",
        "Failed to connect",
        "unreachable, and ignored: Release the lock on redis-3: Failed to connect, too",
    ]


def test_hooks_of_the_user() -> None:
    told = Told()
    told.survey(PLAN)
    told.play("(5/8) Replicas")
    told.task("Ask the application", f"{BUILTIN}uri", ["redis-2"], own=False)
    told.task("Silence the alarms", f"{BUILTIN}command", ["redis-2"], 1.5, own=False, changed=True, stdout="no argument or output")
    told.task("Say it", DEBUG, ["redis-2"], own=False, msg="all is well")
    told.task(
        "Check", f"{BUILTIN}command", ["redis-2"], own=False, state=FAILED, msg="non-zero return code", stderr="too many\nerrors", rc=1
    )
    assert [line.text for line in told.lines[-7:]] == [
        "(5/8) hook       changed: Silence the alarms on redis-2  1.5 s",
        "Say it (redis-2): all is well",
        "(5/8) FAILED: Check on redis-2  1.0 s",
        "non-zero return code",
        "stderr:",
        "    too many",
        "    errors",
    ]


def test_plays_of_the_user() -> None:
    told = Told()
    told.play("Announce the maintenance")
    told.task("Tell the chat", f"{BUILTIN}uri", ["web-1", "web-2"], 2.0, own=False, changed=True)
    told.task("Show a variable", DEBUG, ["web-1"], own=False)
    told.play("Nothing here", hosts=False)
    told.play("(1/8) Survey and plan")
    assert [line.text for line in told.lines] == [
        "changed: Tell the chat on web-1, web-2  2.0 s",
        "Show a variable (web-1): ",
        "Announce the maintenance: 2 tasks, 1 changed, on web-1, web-2  3.0 s",
    ]


@pytest.mark.parametrize("state", ["ok", FAILED])
def test_a_result_with_no_log_is_not_shown(state: str) -> None:
    told = Told()
    told.play("(5/8) Replicas")
    for censored in ({"_ansible_no_log": True}, {"censored": "hidden"}):
        for action in (DEBUG, f"{BUILTIN}command", f"{COLLECTION}redis_instance"):
            told.task("Log in", action, ["redis-2"], own=False, state=state, msg="s3cr3t", stdout="s3cr3t", changed=True, **censored)
    item = {"failed": True, "_ansible_no_log": True, "msg": "s3cr3t"}
    told.task("Log in", f"{BUILTIN}command", ["redis-2"], own=False, state=state, results=[item], changed=True)
    told.finish()
    assert "s3cr3t" not in told.text
    assert ("(hidden: the task has no_log)" in told.text) is (state == FAILED)


def test_skipped_tasks_are_silent() -> None:
    told = Told()
    told.play("(6/8) Handover")
    told.task("Run the hook before the handover", f"{BUILTIN}include_tasks", ["redis-2"], state=SKIPPED)
    told.play("(7/8) Old masters")
    assert told.lines == []


def test_retries_and_pauses_are_under_way() -> None:
    told = Told()
    told.play("(5/8) Replicas")
    told.begin("Wait until the application is well", f"{BUILTIN}uri", ["redis-2"], own=False)
    told.run.retried("redis-2", 3, 10)
    assert told.run.under_way(75) == "(5/8) Wait until the application is well: redis-2, attempt 3 of 10, for 1 min 15 s"
    assert not told.run.asks
    told.begin("Ask whether to continue", f"{BUILTIN}pause", ["redis-2"])
    assert told.run.asks


def test_a_rollback_has_its_own_numbers() -> None:
    plan = {**PLAN, "rollback": True, "version": "7.0.15"}
    told = Told()
    told.survey(plan)
    told.switch("(8/8) Sentinels", "sentinel-1")
    told.finish()
    assert "(8/8) Sentinel   sentinel-1: 7.0.5 -> 7.0.15  3.2 s" in told.text
    assert f"The run has ended: 1 of {len(steps_to_do(plan))} steps done" in told.text


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (PLAN, "Nothing was changed: the upgrade may begin  5.0 s"),
        ({**PLAN, "nothing_to_do": True}, "Nothing to do, and nothing was changed  5.0 s"),
        ({**PLAN, "rollback": True}, "Nothing was changed: the rollback may begin  5.0 s"),
    ],
)
def test_a_run_that_ends_with_the_preflight(plan: dict[str, Any], text: str) -> None:
    told = Told()
    told.survey(plan)
    told.task(GATE, f"{BUILTIN}assert", ["redis-1"], msg="Every gate is open.")
    told.finish()
    assert told.lines[-1].text == text


def test_a_handover_without_an_upgrade() -> None:
    told = Told(Run(0.0, "handover"))
    told.hand_over("Promote it to master", "10.0.0.1:6379", "10.0.0.2:6379", "redis-2", 327.4)
    told.task("Show the result", DEBUG, ["redis-2"], msg=["10.0.0.2:6379 is the master now"])
    told.finish()
    assert [line.text for line in told.lines] == [
        "handover 10.0.0.1:6379 -> 10.0.0.2:6379, paused 327 ms  8.1 s",
        "",
        "10.0.0.2:6379 is the master now",
        "",
        "The handover has ended well  9.1 s",
    ]
    checked = Told(Run(0.0, "handover", check=True))
    checked.hand_over("Promote it to master", "10.0.0.1:6379", "10.0.0.2:6379", "redis-2", 0)
    assert checked.lines[0].text == "handover 10.0.0.1:6379 -> 10.0.0.2:6379, in check mode  8.1 s"


def test_a_doubtful_handover_is_told() -> None:
    told = Told()
    told.play("(6/8) Handover")
    result = {
        "old_master": "a:1",
        "new_master": "b:2",
        "pause_ms": 300,
        "loss": "unknown",
        "loss_reason": "the old master is gone",
        "full_resyncs": 1,
    }
    told.task("Hand the master role to redis-2", f"{COLLECTION}redis_sentinel_failover", ["redis-2"], **result)
    assert [line.text for line in told.lines] == [
        "(6/8) handover   a:1 -> b:2, paused 300 ms, 1 full resynchronisations  1.0 s",
        "warning: whether a write was lost is unknown: the old master is gone",
    ]


def test_a_backup_names_its_folder() -> None:
    told = Told()
    told.play("(6/8) Back up the masters")
    told.task(
        "Back up the instance", f"{COLLECTION}redis_backup", ["redis-1"], changed=True, backup={"folder": "/b/1", "data": {"bytes": 1}}
    )
    told.play("(6/8) Handover")
    assert [line.text for line in told.lines] == ["(6/8) backup     redis-1: /b/1  1.0 s"]


def test_an_interrupted_run_says_where_it_was() -> None:
    told = Told()
    told.survey(PLAN)
    assert told.run.ended_early(told.now)[-1].text == "ENDED EARLY. Run the same command again: it does what is left  4.0 s"
    told.switch("(4/8) Sentinels", "sentinel-1")
    told.play("(4/8) Sentinels")
    told.begin(SWITCH, f"{COLLECTION}redis_instance", ["sentinel-2"])
    told.now += 2
    assert told.run.ended_early(told.now)[-1].text == (
        "ENDED EARLY at: (4/8) Sentinel   sentinel-2: 7.0.5 -> 7.0.15, for 2 s. What has begun on a node is completed there, so wait a few "
        "seconds. Run the same command again: it does what is left  9.2 s"
    )


def test_handovers_under_way_name_both_nodes() -> None:
    told = Told()
    told.survey(PLAN)
    for title, host, text in (("(6/8) Handover", "redis-2", "redis-1 -> redis-2"), ("(8/8) Fail back", "redis-1", "redis-2 -> redis-1")):
        told.play(title)
        told.begin(f"Hand the master role to {host}", f"{COLLECTION}redis_sentinel_failover", [host])
        assert f" mymaster: {text}, for 0 s" in told.run.under_way(told.now)


def test_steps_in_plays_of_the_user() -> None:
    """The role may be included step by step; then the numbers of the plays are unknown."""
    told = Told()
    plan = {**PLAN, "steps": {**PLAN["steps"], "sentinel-1/redis": PLAN["steps"]["redis-1/redis"]}}
    told.survey(plan)
    told.play("My Sentinels")
    told.task(SWITCH, f"{COLLECTION}redis_instance", ["sentinel-1", "sentinel-2"], changed=True, version="7.0.15")
    told.finish()
    assert [line.text for line in told.lines[-3:]] == [
        "sentinel-1 runs 7.0.15 now  1.0 s",
        "sentinel-2: 7.0.5 -> 7.0.15  1.0 s",
        "The upgrade has ended well  5.0 s",
    ]
