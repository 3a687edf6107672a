"""The filters that make plan, journal and report from what Ansible knows of the hosts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sentinelops.redis.plugins.filter.upgrade_plan import (
    handover_text,
    upgrade_plan,
    upgrade_play,
    upgrade_report,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.handover import HandoverResult
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.steps import NO_HOSTS
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.arguments import work_of
from ansible_collections.sentinelops.redis.tests.unit.support.survey import NEW, OLD, Surveyed, half_upgraded, three_and_three, two_shards

SETTINGS = {
    "version": NEW,
    "master_name": "",
    "fail_back": True,
    "accept_no_way_back": False,
    "handover_host": "",
    "max_lag_bytes": 1048576,
}


def hostvars_of(deployment: Surveyed) -> dict[str, dict[str, Any]]:
    """Return the variables of every host after the survey, a loop over its instances."""
    found: dict[str, dict[str, Any]] = {}
    for instance in deployment.instances():
        surveyed: dict[str, Any] = {"results": []}
        variables = found.setdefault(instance.host, {"ansible_host": instance.host_address, "__redis_upgrade_surveyed": surveyed})
        record = json.loads(json.dumps(instance.record))
        variables["__redis_upgrade_surveyed"]["results"].append({"item": instance.kind, "instance": record})
    return found


def plan_of(deployment: Surveyed, **settings: Any) -> dict[str, Any]:
    hostvars = hostvars_of(deployment)
    return upgrade_plan(hostvars, list(hostvars), {**SETTINGS, **settings})


def test_the_plan() -> None:
    plan = plan_of(three_and_three())
    assert plan["sentinel_hosts"] == ["sentinel-1", "sentinel-2", "sentinel-3"]
    assert plan["replica_hosts"] == ["redis-2", "redis-3"]
    assert (plan["handover_hosts"], plan["old_master_hosts"], plan["fail_back_hosts"]) == (["redis-2"], ["redis-1"], ["redis-1"])
    assert plan["lines"][0] == f"Upgrade to {NEW}, one step after the other:"
    assert plan["findings"] == []
    assert json.loads(json.dumps(plan)) == plan


def test_a_host_with_both_kinds() -> None:
    deployment = three_and_three()
    for sentinel, node in zip(deployment.sentinels, deployment.shards[0].nodes, strict=True):
        sentinel.host, sentinel.address = node.host, node.address.replace("6379", "26379")
    plan = plan_of(deployment)
    assert len(plan["steps"]) == 6
    assert plan["findings"] == []


def test_findings_are_sentences() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").record = {"link_up": False}
    (finding,) = plan_of(deployment)["findings"]
    assert finding == (
        "redis-3: its link to the master is down. It cannot take over. Fix the replication; the log of the node says why it fails."
    )


def test_warnings_do_not_stand_against_it() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").record = {"save": "", "appendonly": "no", "examined": {"used_memory": 1000}}
    deployment.node("redis-1").record = {"examined": {"used_memory": 3 << 30}}
    plan = plan_of(deployment)
    (warning,) = plan["preflight"]["findings"]
    assert plan["findings"] == []
    assert (plan["preflight"]["ready"], plan["preflight"]["refusals"], plan["preflight"]["warnings"]) == (True, 0, 1)
    assert (warning["check"], warning["severity"], warning["node"]) == ("full-sync", "warning", "redis-3")
    assert warning["do"].startswith("Nothing, if that is acceptable")
    assert warning["text"] == f"redis-3: {warning['seen']}. {warning['why']}. To do: n{warning['do'][1:]}."
    assert "3.0 GiB" in warning["why"]


def test_refusals_are_in_the_result_too() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").record = {"link_up": False}
    plan = plan_of(deployment)
    assert [one["text"] for one in plan["preflight"]["findings"]] == plan["findings"]
    assert (plan["preflight"]["version"], plan["preflight"]["ready"]) == (NEW, False)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"master_name": "yourmaster"}, "no Sentinel monitors a master named 'yourmaster'"),
        ({"master_name": ["mymaster", "yourmaster"]}, "no Sentinel monitors a master named 'yourmaster'"),
        ({"version": "7.0.1"}, "a downgrade is refused"),
        ({"version": "8.0.2"}, "there is no way back"),
        ({"version": "8.0.2", "accept_no_way_back": "false"}, "there is no way back"),
        ({"max_lag_bytes": "-1"}, "it lags 0 bytes"),
    ],
)
def test_settings_are_heeded(settings: dict[str, Any], part: str) -> None:
    assert part in " ".join(plan_of(three_and_three(), **settings)["findings"])


@pytest.mark.parametrize(
    "settings", [{"master_name": "mymaster"}, {"master_name": ["mymaster"]}, {"version": "8.0.2", "accept_no_way_back": "true"}]
)
def test_settings_that_allow_the_upgrade(settings: dict[str, Any]) -> None:
    assert plan_of(three_and_three(), **settings)["findings"] == []


@pytest.mark.parametrize("no", [False, "false", "no"])
def test_no_fail_back_and_another_handover_host(no: Any) -> None:
    """A value from the command line is a string."""
    plan = plan_of(three_and_three(), fail_back=no, handover_host="bastion")
    assert (plan["fail_back_hosts"], plan["shards"]["mymaster"]["handover_host"]) == ([], "bastion")


@pytest.mark.parametrize(("confirm", "serial"), [("never", [7]), ("nodes", [7]), ("handover", [1]), ("all", [1])])
def test_who_is_asked_before_each_handover_sees_one_at_a_time(confirm: str, serial: list[int]) -> None:
    assert plan_of(three_and_three(), handovers_at_once="7", confirm=confirm)["handover_serial"] == serial


def test_the_address_of_a_host_without_ansible_host_is_its_name() -> None:
    hostvars = hostvars_of(three_and_three())
    for variables in hostvars.values():
        del variables["ansible_host"]
    assert upgrade_plan(hostvars, list(hostvars), SETTINGS)["findings"] == []


@pytest.mark.parametrize("hosts", [[], ["redis-1"]])
def test_nobody_was_surveyed(hosts: list[str]) -> None:
    with pytest.raises(AnsibleFilterError, match="no host was surveyed"):
        upgrade_plan({"redis-1": {}}, hosts, SETTINGS)


def in_folders(deployment: Surveyed) -> Surveyed:
    for one in (*deployment.sentinels, *deployment.shards[0].nodes):
        folder = f"/opt/{'sentinel' if 'sentinel' in one.host else 'redis'}/redis"
        one.record["activation"] = {"method": "folder", "staged": f"{folder}.new", "kept": f"{folder}.old"}
    return deployment


def test_the_arguments_of_the_steps_are_in_the_plan() -> None:
    plan = plan_of(in_folders(three_and_three()))
    assert set(plan["journals"]) == set(plan["switches"]) == set(plan["steps"])
    assert set(plan["staging"]) == {key.partition("/")[0] for key in plan["steps"]}
    journal = plan["journals"]["redis-2/redis"]
    assert (journal["address"], journal["original_master"], journal["version"]) == ("10.0.0.2:6379", "10.0.0.1:6379", OLD)
    assert plan["switches"]["redis-2/redis"]["switch"]["version"] == NEW
    assert plan["staging"]["sentinel-1"]["destinations"] == {"sentinel": "/opt/sentinel/redis.new"}
    json.dumps(plan)


def test_a_plan_that_may_not_be_carried_out_has_no_arguments() -> None:
    deployment = in_folders(three_and_three())
    deployment.sentinels[0].answers = False
    plan = plan_of(deployment)
    assert plan["findings"]
    assert "switches" not in plan


def test_a_rollback_has_the_journals_of_all_and_the_switches_of_those_that_return() -> None:
    deployment = in_folders(three_and_three(version=NEW))
    for node in deployment.shards[0].nodes:
        node.version = NEW
        node.record["before"] = {"version": OLD, "server": "redis", "there": True, "kept": "/opt/redis/redis.old"}
    work = work_of(deployment.plan(NEW, rollback=True).as_dict(), deployment.instances())
    assert set(work["journals"]) == {one.key for one in deployment.instances()}
    assert set(work["switches"]) == {f"redis-{number}/redis" for number in (1, 2, 3)}
    assert work["staging"] == {}
    assert work["journals"]["redis-1/redis"]["version"] == OLD


def test_the_report() -> None:
    after = three_and_three(version=NEW)
    for sentinel in after.sentinels:
        sentinel.version = NEW
    hostvars = hostvars_of(after)
    there = HandoverResult(changed=True, begun_at="2026-01-31T10:00:00.000Z", new_master="10.0.0.2:6379").as_result()
    back = HandoverResult(changed=True, begun_at="2026-01-31T10:05:00.000Z", new_master="10.0.0.1:6379").as_result()
    hostvars["redis-1"]["__redis_upgrade_handovers"] = {"kept": [back]}
    hostvars["redis-2"]["__redis_upgrade_handovers"] = {"kept": [there]}
    report = upgrade_report(plan_of(three_and_three()), hostvars, list(hostvars), SETTINGS)
    assert report["problems"] == []
    assert [done["new_master"] for done in report["handovers"]] == ["10.0.0.2:6379", "10.0.0.1:6379"]


def test_the_report_of_an_upgrade_that_is_not_finished() -> None:
    hostvars = hostvars_of(half_upgraded())
    report = upgrade_report(plan_of(three_and_three()), hostvars, list(hostvars), SETTINGS)
    assert f"redis-1 (redis): it runs {OLD}" in report["problems"]


def test_the_lines_of_a_handover() -> None:
    same = {"old_master": "10.0.0.1:6379", "new_master": "10.0.0.1:6379"}
    assert handover_text(same, check_mode="no") == ["10.0.0.1:6379 is the master already"]


def test_a_play() -> None:
    plan = plan_of(two_shards())
    assert upgrade_play(plan, "replicas") == {
        "title": "(5/8) Replicas",
        "hosts": ["one-2", "two-2", "one-3", "one-4"],
        "serial": [2, 1, 1],
    }
    assert upgrade_play({}, "replicas", rollback="true") == {"title": "(4/8) Replicas", "hosts": NO_HOSTS, "serial": []}


def test_an_unknown_play() -> None:
    with pytest.raises(AnsibleFilterError, match="'stage' is no play of a rollback over hosts of the plan"):
        upgrade_play({}, "stage", rollback=True)


@pytest.mark.parametrize(
    ("deadline", "findings", "note"),
    [
        ("", [], ""),
        ("+90m", [], "no step begins after 20"),
        ("2999-01-01T00:00+00:00", [], "no step begins after 2999-01-01 00:00:00+00:00 (redis_upgrade_deadline)"),
        ("2020-01-01T00:00+00:00", ["which has passed"], "no step begins after 2020-01-01 00:00:00+00:00"),
        ("soon", ["'soon' is no deadline"], ""),
    ],
)
def test_the_deadline_is_decided_with_the_plan(deadline: str, findings: list[str], note: str) -> None:
    plan = plan_of(three_and_three(), deadline=deadline)
    assert len(plan["findings"]) == len(findings)
    assert all(text in finding for text, finding in zip(findings, plan["findings"], strict=True))
    assert bool(plan["deadline"]) is bool(note)
    assert any(line.startswith(f"note: {note}") for line in plan["lines"]) is bool(note)


def test_the_report_file_is_decided_with_the_plan(tmp_path: Path) -> None:
    file = str(tmp_path / "report.json")
    assert plan_of(three_and_three())["report_file"] == ""
    assert (plan_of(three_and_three(), report_file=file)["report_file"], plan_of(three_and_three(), report_file=file)["findings"]) == (
        file,
        [],
    )
    (finding,) = plan_of(three_and_three(), report_file=str(tmp_path / "none" / "report.json"))["findings"]
    assert "is no folder that this user may write" in finding


def test_options_do_not_matter_where_there_is_nothing_to_do() -> None:
    done = three_and_three(version=NEW)
    for sentinel in done.sentinels:
        sentinel.version = NEW
    plan = plan_of(done, deadline="2020-01-01T00:00+00:00", hooks={"before_node": "/nowhere"})
    assert (plan["nothing_to_do"], plan["findings"]) == (True, [])


def test_a_hook_that_is_missing_and_a_canary() -> None:
    plan = plan_of(three_and_three(), canary="1", hooks={"before_node": "/nowhere/hook.yml"})
    assert plan["deferred"] == ["redis-1", "redis-3"]
    assert ["/nowhere/hook.yml does not exist on the controller" in finding for finding in plan["findings"]] == [True]


@pytest.mark.parametrize(
    ("version", "do"),
    [
        ("valkey-8.0.1", "Set redis_upgrade_version to 8.0.1; whether that is Redis or Valkey"),
        ("redis:7.0.15", "Set redis_upgrade_version to 7.0.15; whether"),
        ("v7.0.15", "Set redis_upgrade_version to 7.0.15."),
        ("5:7.0.15-1~deb12u1", "Set redis_upgrade_version to 7.0.15-1."),
        ("latest", "the whole version, such as 7.0.15"),
        ("7.x", "the whole version, such as 7.0.15"),
        (7.0, "the whole version, such as 7.0.15"),
        (7, "the whole version, such as 7.0.15"),
        ("7.0", "the whole version, such as 7.0.15"),
    ],
)
def test_what_is_no_version_is_the_only_finding(version: Any, do: str) -> None:
    plan = plan_of(three_and_three(), version=version)
    (finding,) = plan["findings"]
    assert f"plan: redis_upgrade_version is '{version}', which is not a version number" in finding
    assert do in finding
    assert plan["pending"] == []


@pytest.mark.parametrize("version", [NEW, f" {NEW} ", "8.0.0-rc1", "10.11.12"])
def test_versions(version: str) -> None:
    assert plan_of(three_and_three(), version=version)["pending"]


def test_in_a_rollback_the_other_variable_is_named() -> None:
    (finding,) = plan_of(three_and_three(), version="latest", rollback=True)["findings"]
    assert "redis_upgrade_rollback_from is 'latest'" in finding


@pytest.mark.parametrize(
    ("names", "shards"), [(0, ["0"]), (6379, ["6379"]), ([0], ["0"]), (["0", 6379], ["0", "6379"]), ("", None), ([], None), (None, None)]
)
def test_names_that_yaml_takes_for_numbers(names: Any, shards: list[str] | None) -> None:
    deployment = two_shards()
    for shard, name in zip(deployment.shards, ("0", "6379"), strict=True):
        shard.name = name
    assert list(plan_of(deployment, master_name=names)["shards"]) == (shards or ["0", "6379"])


@pytest.mark.parametrize("names", [True, False, 1.1, ["a", True]])
def test_a_name_that_yaml_has_changed(names: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="write the name in quotes"):
        plan_of(three_and_three(), master_name=names)


def test_the_estimate() -> None:
    plan = plan_of(three_and_three(), pause_s="60", brings="package", hooks={}, confirm="never")
    assert [line for line in plan["lines"] if line.startswith("estimate: ")] == plan["lines"][9:12]
    assert "about 7 min 20 s: 6 restarts, 2 pauses of writes of about 0.4 s each" in plan["lines"][9]
    assert "redis_binaries_method: package" in plan["lines"][11]
    assert plan["estimate"]["seconds"] > plan_of(three_and_three())["estimate"]["seconds"] + 400
    assert plan_of(three_and_three(), handover_mode="plain")["estimate"]["pauses"]["count"] == 0


def test_a_run_that_may_not_begin_has_no_estimate() -> None:
    deployment = three_and_three()
    deployment.node("redis-3").record = {"link_up": False}
    plan = plan_of(deployment)
    assert plan["estimate"] == {}
    assert not [line for line in plan["lines"] if line.startswith("estimate: ")]


def test_the_report_tells_how_long_it_took() -> None:
    hostvars = hostvars_of(three_and_three(version=NEW))
    report = upgrade_report(plan_of(three_and_three()), hostvars, list(hostvars), SETTINGS)
    (line,) = [line for line in report["lines"] if line.startswith("estimated: ")]
    assert line.endswith("since the plan: 1 s")
