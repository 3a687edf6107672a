"""The order of the plays: the same in the plan, in the playbooks and in the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.model import Plan, ShardPlan
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import (
    NO_HOSTS,
    ROLLBACK,
    UPGRADE,
    Play,
    play_options,
    plays_of,
    steps_to_do,
)
from ansible_collections.sentinelops.redis.tests.unit.support.survey import half_upgraded, three_and_three, two_shards

ROOT = Path(__file__).resolve().parents[5]
PLAYBOOKS = ROOT / "playbooks"
KEYS = [
    *(f"sentinel-{n}/sentinel" for n in (1, 2, 3)),
    "redis-2/redis",
    "redis-3/redis",
    "redis-2/handover",
    "redis-1/redis",
    "redis-1/handover",
]
ORDERS = pytest.mark.parametrize(("playbook", "plays"), [("upgrade", UPGRADE), ("rollback", ROLLBACK)])


def entries(playbook: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load((PLAYBOOKS / f"{playbook}.yml").read_text(encoding="utf-8"))
    return loaded


@ORDERS
def test_the_playbook_names_all_plays_in_order(playbook: str, plays: tuple[Play, ...]) -> None:
    titles = [play.full_title for play in plays]
    assert [name for entry in entries(playbook) for name in entry["name"].split(", ")] == titles
    others = ("(0/8)", "(1/8) Deployments")
    assert [entry["name"] for entry in entries("plan") if not entry["name"].startswith(others)] == titles[:2]


@ORDERS
def test_the_playbook_runs_the_play_that_it_names(playbook: str, plays: tuple[Play, ...]) -> None:
    named = {play.full_title: play.name for play in plays}
    first, *others, end = entries(playbook)
    assert (first["ansible.builtin.import_playbook"], end["ansible.builtin.import_playbook"]) == ("plan.yml", "internal/end.yml")
    assert end["vars"]["__redis_upgrade_title"] == end["name"]
    assert first["vars"].get("__redis_upgrade_is_rollback", False) is (plays is ROLLBACK)
    for entry in others:
        assert entry["ansible.builtin.import_playbook"] == "internal/play.yml"
        assert entry["vars"]["__redis_upgrade_play"] == named[entry["name"]]
        assert entry["vars"].get("__redis_upgrade_is_rollback", False) is (plays is ROLLBACK)
        assert (ROOT / "roles" / "redis_upgrade" / "tasks" / f"{entry['vars']['__redis_upgrade_entry_point']}.yml").exists()


@ORDERS
def test_a_play_works_on_fields_of_the_plan(playbook: str, plays: tuple[Play, ...]) -> None:
    plan, shard = Plan("7.0.15").as_dict(), vars(ShardPlan("mymaster"))
    assert [play.number for play in plays] == sorted(play.number for play in plays)
    for play in plays:
        assert not play.hosts or play.hosts in plan, playbook
        assert play.serial in ("all", "one", *plan)
        if play.kind == "handover":
            assert {play.name, play.promotes, f"{play.promotes}_host"} <= shard.keys()


def test_the_documentation_numbers_the_plays_likewise() -> None:
    known = {(play.number, word.lower()) for play in (*UPGRADE, *ROLLBACK) for word in (play.title, play.label.strip()) if word}
    found = []
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for number, words in re.findall(r"\((\d)/8\) +([A-Za-z]+(?: [a-z]+)?)", path.read_text(encoding="utf-8")):
            if words[0].isupper():
                found.append((path.name, int(number), words.lower()))
    assert found
    wrong = [one for one in found if not any(one[1] == number and title.startswith(one[2].split()[0]) for number, title in known)]
    assert wrong == []


def test_the_steps_in_their_order() -> None:
    assert [step.key for step in steps_to_do(three_and_three().plan().as_dict())] == KEYS
    assert [step.key for step in steps_to_do(three_and_three().plan(canary=1).as_dict())] == KEYS[:4]
    assert [step.key for step in steps_to_do(half_upgraded(handover=True).plan().as_dict())] == ["redis-1/redis", "redis-1/handover"]


@pytest.mark.parametrize("rollback", [False, True])
def test_steps_of_one_play_may_be_under_way_at_once(rollback: bool) -> None:
    plan = two_shards().plan().as_dict() | {"rollback": rollback}
    plays = plays_of(rollback)
    steps = steps_to_do(plan)
    assert [step.play for step in steps] == sorted(step.play for step in steps)
    assert {plays[step.play].kind for step in steps} == {"sentinel", "redis", "handover"}
    assert all(step.key.endswith(f"/{plays[step.play].kind}") for step in steps)


@pytest.mark.parametrize(
    ("name", "hosts", "serial"),
    [
        ("recovery", NO_HOSTS, [7]),
        ("sentinels", ["sentinel-1", "sentinel-2", "sentinel-3"], [1]),
        ("replicas", ["one-2", "two-2", "one-3", "one-4"], [2, 1, 1]),
        ("handover", ["one-2", "two-2"], [7]),
        ("fail_back", ["one-1", "two-1"], [7]),
        ("old_masters", ["one-1", "two-1"], [2]),
    ],
)
def test_hosts_and_batches_of_a_play(name: str, hosts: Any, serial: list[int]) -> None:
    plan = two_shards().plan(handovers_at_once=7).as_dict()
    options = play_options(plan, name, rollback=False, check_mode=False)
    assert (options["hosts"], options["serial"]) == (hosts, serial)
    assert play_options(plan, name, rollback=False, check_mode=True)["hosts"] == NO_HOSTS
    assert play_options({}, name, rollback=False, check_mode=False)["hosts"] == NO_HOSTS


@pytest.mark.parametrize("name", ["end", "survey", "journals", "nonsense"])
def test_no_such_play(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' is no play of an upgrade"):
        play_options({}, name, rollback=False, check_mode=False)
