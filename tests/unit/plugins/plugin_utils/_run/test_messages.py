"""What a run says when it stops, asks or refuses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.messages import (
    hook_variables,
    judge_lock,
    lost_lines,
    missing_hosts,
    operator_findings,
    question,
    steps_to_do,
    stop_lines,
)
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


def test_the_steps_in_their_order() -> None:
    assert [step.key for step in steps_to_do(PLAN)] == KEYS
    assert [step.key for step in steps_to_do(three_and_three().plan(canary=1).as_dict())] == KEYS[:4]
    assert [step.key for step in steps_to_do(half_upgraded(handover=True).plan().as_dict())] == ["redis-1/redis", "redis-1/handover"]


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
    assert lines[5] == "Run the upgrade again: it surveys afresh and does what is left."


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
    lines = lost_lines(PLAN, keys, done, lost_hosts)
    assert bool(lines) is bool(lost)
    if lost:
        assert lines[0] == f"Nothing new is begun, since this has not come to its end: {lost}. The host was lost on the way, see above."
        assert lines[1].startswith(f"Done in this run: {steps_to_do(PLAN)[0].text}, ")
        assert lost in lines[2]
        assert any("ask a Sentinel who is master" in line for line in lines) is ("handover" in lost)
        assert lines[-1].endswith("and finishes what was begun.")


def test_one_of_a_wave_was_lost() -> None:
    done = ["sentinel-1/sentinel", "sentinel-2/sentinel", "sentinel-3/sentinel", "two-2/redis"]
    assert "the replica one-2. The host" in lost_lines(TWO, ["one-3/redis"], done, ["one-2"])[0]
    assert lost_lines(TWO, ["one-2/redis", "two-2/redis"], done[:3], []) == []


def test_what_a_canary_leaves_is_told_apart() -> None:
    plan = three_and_three().plan(canary=1).as_dict()
    assert stop_lines(plan, ["redis-2/redis"], [], after=True)[1] == (
        "Left: nothing, but for what waits for a run without redis_upgrade_canary: redis-1, redis-3."
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
    ask = "Next: {}. Master now: mymaster {}. Type yes to go on, anything else stops the run here"
    assert question(PLAN, ["redis-2/handover"], "all", 0)["ask"] == ask.format("the handover of mymaster to redis-2", "redis-1")
    assert question(PLAN, ["redis-1/redis"], "all", 0)["ask"] == ask.format("redis-1, the old master", "redis-2")
    both = question(TWO, ["one-2/redis", "two-2/redis"], "all", 0)["ask"]
    assert both.startswith("Next: the replica one-2, the replica two-2. Master now: one one-1, two two-1.")


@pytest.mark.parametrize(
    ("plan", "key", "pause_s"),
    [
        (PLAN, "sentinel-1/sentinel", 0),  # the first of all
        (PLAN, "sentinel-2/sentinel", 30),
        (PLAN, "redis-2/redis", 30),
        (PLAN, "redis-2/handover", 30),
        (half_upgraded().plan().as_dict(), "redis-2/handover", 30),  # the first that is left, but a handover
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


GROUPS = {"redis": ["a", "b"], "sentinel": ["b", "c"], "other": ["d"]}


@pytest.mark.parametrize(
    ("in_play", "missing"), [(["a", "b", "c"], ""), (["c", "b", "a", "d"], ""), (["a", "b"], "c"), (["b"], "a, c"), ([], "a, b, c")]
)
def test_left_out(in_play: list[str], missing: str) -> None:
    lines = missing_hosts(GROUPS, ["redis", "sentinel"], in_play, "somewhere")
    expected = f"Nothing was touched. This run was kept from a part of the deployment by --limit somewhere: {missing}."
    assert lines[:1] == ([expected] if missing else [])


def test_the_refusal_of_a_limit_says_what_to_do_instead() -> None:
    text = " ".join(missing_hosts(GROUPS, ["redis", "sentinel"], ["a"], "a"))
    assert "Run without --limit" in text
    assert "redis_upgrade_canary=1" in text
    assert "redis_upgrade_sentinel_group" in text


def holder(run: str, **changes: Any) -> dict[str, Any]:
    known = {"id": run, "user": "alice", "controller": "bastion", "pid": 4711, "since": "2026-11-22T20:00:00Z", "age_s": 12, "left_s": 288}
    return {"held": False, "right": "", "holder": {**known, **changes}}


OURS = {"held": True, "right": "free"}


@pytest.mark.parametrize(
    ("asked", "override", "fate", "held", "instead_of", "told"),
    [
        ({"s1": OURS, "s2": OURS}, "", "unknown", True, [], []),
        ({"s1": holder("a1"), "s2": OURS}, "", "unknown", False, [], ["a1"]),
        ({"s1": holder("a1"), "s2": holder("a1")}, "", "unknown", False, [], ["a1"]),
        ({"s1": holder("a1"), "s2": holder("b2")}, "", "alive", False, [], ["b2", "a1"]),
        ({"s1": holder("a1"), "s2": holder("a1")}, "", "dead", False, ["a1"], []),
        ({"s1": holder("a1"), "s2": holder("a1")}, "a1", "unknown", False, ["a1"], []),
        ({"s1": holder("a1"), "s2": holder("a1")}, "a1", "alive", False, ["a1"], []),
        ({"s1": holder("a1"), "s2": holder("b2")}, "a1", "unknown", False, ["a1"], ["b2"]),
        ({"s1": {"held": True, "right": "expired", "holder": holder("a1")["holder"]}}, "", "unknown", True, [], []),
    ],
)
def test_the_verdict_on_the_lock(
    asked: dict[str, Any], override: str, fate: str, held: bool, instead_of: list[str], told: list[str]
) -> None:
    verdict = judge_lock(asked, override, lambda _run: fate)
    assert (verdict["held"], verdict["instead_of"]) == (held, instead_of)
    assert [line.partition(", run ")[2].partition(",")[0] for line in verdict["lines"] if line.startswith("Another run")] == told


def test_the_refusal_says_who_since_when_and_what_to_do() -> None:
    lines = judge_lock({"s1": holder("a1"), "s2": holder("a1", age_s=200, left_s=100)}, "", lambda _run: "unknown")["lines"]
    assert lines[0] == (
        "Another run is at work on this deployment: alice@bastion, process 4711, run a1, since 2026-11-22T20:00:00Z (seen on s1)."
    )
    assert "12 s ago" in lines[1]
    assert "at most 288 s" in lines[1]
    assert "-e redis_upgrade_override_lock=a1" in lines[2]
    here = judge_lock({"s1": holder("a1")}, "", lambda _run: "alive")["lines"]
    assert here[1:] == ["It runs on this controller, as process 4711: let it end, or press Ctrl-C there, and run again."]
    wrong = judge_lock({"s1": holder("a1")}, "zz", lambda _run: "unknown")["lines"]
    assert wrong[-1] == "redis_upgrade_override_lock names another run, zz."


@pytest.mark.parametrize(
    ("wanted", "passed", "terminal", "found"),
    [
        ({}, "", False, []),
        ({"confirm": "never", "hooks": None}, "", False, []),
        ({"confirm": "all"}, "", True, []),
        ({"confirm": "nodes"}, "", False, ["redis_upgrade_confirm"]),
        ({}, "it is 1999-01-01, which has passed", True, ["redis_upgrade_deadline"]),
        ({"hooks": {"before_node": "/here/a.yml", "after_handover": "/here/b.yml"}}, "", False, []),
        ({"hooks": {"before_node": "/gone.yml"}}, "", False, ["redis_upgrade_hooks, before_node"]),
        ({"hooks": {"before_node": "here/a.yml"}}, "", False, ["redis_upgrade_hooks, before_node"]),
        ({"hooks": {"in_between": "/here/a.yml"}}, "", False, ["redis_upgrade_hooks, in_between"]),
        (
            {"confirm": "all", "hooks": {"x": "/a"}},
            "late",
            False,
            ["redis_upgrade_deadline", "redis_upgrade_confirm", "redis_upgrade_hooks, x"],
        ),
    ],
)
def test_wishes_that_cannot_be_met(wanted: dict[str, Any], passed: str, terminal: bool, found: list[str]) -> None:
    findings = operator_findings(wanted, passed, terminal, lambda path: path.startswith(("/here/", "here/")))
    assert [finding.node for finding in findings] == found
