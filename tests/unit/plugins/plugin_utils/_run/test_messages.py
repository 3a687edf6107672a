"""The messages of a run that stops, asks or calls a hook."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import steps_to_do
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.messages import hook_variables, incomplete_lines, question, stop_lines
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, OLD, half_upgraded, three_and_three, two_shards

PLAN = three_and_three().plan().as_dict()
TWO = two_shards().plan().as_dict()
KEYS = [
    *(f"sentinel-{n}/sentinel" for n in (1, 2, 3)),
    "redis-2/redis",
    "redis-3/redis",
    "redis-2/handover",
    "redis-1/redis",
    "redis-1/handover",
]


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("after", [False, True])
def test_what_is_done_and_left_and_who_is_master(number: int, after: bool) -> None:
    lines = stop_lines(PLAN, [KEYS[number]], ["Why."], after)
    done = number + after
    texts = [step.text for step in steps_to_do(PLAN)]
    assert lines[0] == "Why."
    assert lines[1] == f"Done in this run: {', '.join(texts[:done]) or 'nothing'}."
    assert lines[2] == f"Left: {', '.join(texts[done:]) or 'nothing'}."
    away = 6 <= done < 8  # after the handover, before the end of the fail back
    assert lines[3] == (
        "The master of mymaster is redis-2 (10.0.0.2:6379); it was redis-1 when the upgrade began."
        if away
        else "The master of mymaster is redis-1 (10.0.0.1:6379)."
    )
    assert "No step is half done" in lines[4]
    assert lines[5] == "Run the upgrade again: it surveys the deployment again and does what is left."


def test_a_wave_is_done_as_a_whole_or_not_at_all() -> None:
    before = stop_lines(TWO, ["one-2/redis", "two-2/redis"], [])
    assert before[0].endswith("the Sentinel of sentinel-3.")
    assert before[1].startswith("Left: the replica one-2, the replica two-2, the replica one-3")
    after = stop_lines(TWO, ["one-2/redis", "two-2/redis"], [], after=True)
    assert after[1].startswith("Left: the replica one-3, the replica one-4, the handover of one to one-2, the handover of two to two-2,")
    between = stop_lines(TWO, ["two-2/handover"], [])
    assert between[2:4] == [
        "The master of one is one-2 (10.0.1.2:6379); it was one-1 when the upgrade began.",
        "The master of two is two-1 (10.0.2.1:6379).",
    ]


@pytest.mark.parametrize(
    ("keys", "done", "lost_hosts", "lost"),
    [
        (KEYS[3:4], KEYS[:3], [], ""),
        (KEYS[3:4], KEYS[:2], [], "the Sentinel of sentinel-3"),
        (KEYS[4:5], KEYS[:3], [], ""),  # the same play: it may be under way
        (KEYS[4:5], KEYS[:3], ["redis-2"], "the replica redis-2"),
        (KEYS[4:5], KEYS[:4], ["redis-2"], ""),  # its step had come to its end
        (KEYS[5:6], KEYS[:3], [], "the replica redis-2, the replica redis-3"),
        (KEYS[6:7], KEYS[:5], [], "the handover of mymaster to redis-2"),
        (KEYS[7:8], KEYS[:7], [], ""),
        (["other/redis"], [], ["redis-2"], ""),
    ],
)
def test_nothing_is_begun_after_a_step_whose_host_was_lost(keys: list[str], done: list[str], lost_hosts: list[str], lost: str) -> None:
    lines = incomplete_lines(PLAN, keys, done, lost_hosts)
    assert bool(lines) is bool(lost)
    if lost:
        assert lines[0] == f"No new step begins, since a step is not complete: {lost}. The run has lost the host, see above."
        assert lines[1].startswith(f"Done in this run: {steps_to_do(PLAN)[0].text}, ")
        assert lost in lines[2]
        assert any("ask a Sentinel who is master" in line for line in lines) is ("handover" in lost)
        assert lines[-1].endswith("and finishes the step.")


def test_one_of_a_wave_was_lost() -> None:
    done = ["sentinel-1/sentinel", "sentinel-2/sentinel", "sentinel-3/sentinel", "two-2/redis"]
    assert "the replica one-2. The run has lost the host" in incomplete_lines(TWO, ["one-3/redis"], done, ["one-2"])[0]
    assert incomplete_lines(TWO, ["one-2/redis", "two-2/redis"], done[:3], []) == []


def test_what_a_canary_leaves_is_told_apart() -> None:
    plan = three_and_three().plan(canary=1).as_dict()
    assert stop_lines(plan, ["redis-2/redis"], [], after=True)[1] == (
        "Left: nothing; deferred to a run without redis_upgrade_canary: redis-1, redis-3."
    )


def test_a_step_that_is_not_planned_is_never_in_the_way() -> None:
    assert stop_lines(PLAN, ["other/redis"], ["Why."]) == []
    assert question(PLAN, ["other/redis"], "all", 60) == {"pause_s": 0, "ask": ""}
    assert hook_variables(PLAN, "before_node", ["other/redis"], "other/redis") == {}


@pytest.mark.parametrize(
    ("key", "confirm", "asked"),
    [
        ("redis-2/redis", "never", False),
        ("redis-2/redis", "nodes", True),
        ("redis-2/redis", "handover", False),
        ("redis-2/redis", "all", True),
        ("sentinel-1/sentinel", "nodes", True),
        ("redis-2/handover", "never", False),
        ("redis-2/handover", "nodes", False),
        ("redis-2/handover", "handover", True),
        ("redis-1/handover", "all", True),
    ],
)
def test_asked_before_what_was_wanted(key: str, confirm: str, asked: bool) -> None:
    assert bool(question(PLAN, [key], confirm, 0)["ask"]) is asked


def test_the_question_says_what_comes_and_who_is_master() -> None:
    ask = "Next: {}. Master now: mymaster {}. Type yes to continue, anything else stops the run here"
    assert question(PLAN, ["redis-2/handover"], "all", 0)["ask"] == ask.format("the handover of mymaster to redis-2", "redis-1")
    assert question(PLAN, ["redis-1/redis"], "all", 0)["ask"] == ask.format("the old master redis-1", "redis-2")
    both = question(TWO, ["one-2/redis", "two-2/redis"], "all", 0)["ask"]
    assert both.startswith("Next: the replica one-2, the replica two-2. Master now: one one-1, two two-1.")


@pytest.mark.parametrize(
    ("plan", "key", "pause_s"),
    [
        (PLAN, "sentinel-1/sentinel", 0),  # the first of all
        (PLAN, "sentinel-2/sentinel", 30),
        (PLAN, "redis-2/redis", 30),
        (PLAN, "redis-2/handover", 30),
        (half_upgraded().plan().as_dict(), "redis-2/handover", 30),  # first, but a handover
    ],
)
def test_paused_between_nodes_and_before_a_handover(plan: dict[str, Any], key: str, pause_s: int) -> None:
    assert question(plan, [key], "never", 30)["pause_s"] == pause_s


def test_what_a_hook_is_told() -> None:
    told = hook_variables(PLAN, "before_node", ["redis-3/redis"], "redis-3/redis")
    assert told == {
        "name": "before_node",
        "host": "redis-3",
        "kind": "redis",
        "shard": "mymaster",
        "address": "10.0.0.3:6379",
        "version_before": OLD,
        "version": NEW,
        "masters": {"mymaster": "10.0.0.1:6379"},
        "master_host": "redis-1",
    }
    sentinel = hook_variables(PLAN, "after_node", ["sentinel-2/sentinel"], "sentinel-2/sentinel")
    assert (sentinel["kind"], sentinel["shard"], sentinel["address"], sentinel["master_host"]) == ("sentinel", "", "", "")


@pytest.mark.parametrize(
    ("name", "key", "master_host"),
    [
        ("before_handover", "redis-2/handover", "redis-1"),
        ("after_handover", "redis-2/handover", "redis-2"),
        ("before_node", "redis-1/redis", "redis-2"),
        ("before_handover", "redis-1/handover", "redis-2"),
        ("after_handover", "redis-1/handover", "redis-1"),
    ],
)
def test_a_hook_knows_the_master_of_its_moment(name: str, key: str, master_host: str) -> None:
    told = hook_variables(PLAN, name, [key], key)
    assert (told["host"], told["master_host"]) == (key.partition("/")[0], master_host)


def test_hooks_of_the_run() -> None:
    before, after, failed = (hook_variables(PLAN, name, [], "") for name in ("before_run", "after_run", "on_failure"))
    assert (before["name"], before["playbook"], before["version"]) == ("before_run", "upgrade", PLAN["version"])
    assert before["masters"] == {name: shard["master"] for name, shard in PLAN["shards"].items()}
    assert set(after["masters"]) == set(before["masters"])
    assert "masters" not in failed, "it is not known who is master after a failure"


def test_a_run_that_a_hook_of_the_run_stops() -> None:
    before = stop_lines(PLAN, [], ["The hook before_run failed."])
    after = stop_lines(PLAN, [], ["The hook after_run failed."], after=True)
    assert before[1] == "Done in this run: nothing."
    assert after[2] == "Left: nothing."
