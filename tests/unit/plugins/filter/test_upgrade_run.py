"""The filters for the steps of a run."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.filter.upgrade_run import (
    upgrade_deployments,
    upgrade_failure,
    upgrade_gate,
    upgrade_handover,
    upgrade_hook,
    upgrade_lock,
    upgrade_missing_hosts,
    upgrade_stop_message,
)
from ansible_collections.sentinelops.redis.plugins.lookup.controller_run import LookupModule
from ansible_collections.sentinelops.redis.plugins.plugin_utils._run.process import run_of
from ansible_collections.sentinelops.redis.tests.unit.support.survey import three_and_three

PLAN = three_and_three().plan().as_dict()
KEYS = ["redis-2/redis"]


@pytest.mark.parametrize(("in_s", "stops"), [(-1, True), (0, True), (60, False)])
def test_no_step_is_begun_after_the_deadline(in_s: float, stops: bool) -> None:
    plan = {**PLAN, "deadline": {"at_s": time.time() + in_s, "text": "2026-11-22 23:30:00+01:00"}}
    gate = upgrade_gate(plan, KEYS, "all", 30)
    assert gate["pause_s"] == 30
    assert gate["holds"]
    assert gate["ask"].startswith("Next: the replica redis-2.")
    reason = "The deadline 2026-11-22 23:30:00+01:00 has passed, so no new step begins."
    assert gate["stop"] == (upgrade_stop_message(plan, KEYS, reason) if stops else [])
    assert upgrade_gate(plan, ["other/redis"], "all", 30) == {"pause_s": 0, "ask": "", "stop": [], "holds": False}


@pytest.mark.parametrize("deadline", [{}, None])
def test_without_a_deadline(deadline: Any) -> None:
    gate = upgrade_gate({**PLAN, "deadline": deadline}, KEYS)
    assert (gate["stop"], gate["holds"]) == ([], False)


def answer(held: bool, run: dict[str, Any]) -> dict[str, Any]:
    return {"held": held, "right": "", "holder": {**run, "since": "2026-11-22T20:00:00Z", "age_s": 1, "left_s": 299}}


def test_the_lock_of_a_run_on_this_controller() -> None:
    alive = run_of(os.getppid())
    dead = {**alive, "id": "dead", "begun": "long ago"}
    hosts = {"s1": {"__redis_upgrade_lock_asked": answer(False, alive)}, "s2": {"__redis_upgrade_lock_asked": answer(False, dead)}}
    verdict = upgrade_lock(hosts, ["s1", "s2"])
    assert (verdict["held"], verdict["instead_of"]) == (False, ["dead"])
    assert "on this controller" in verdict["lines"][1]
    assert upgrade_lock(hosts, ["s1", "s2"], alive["id"])["instead_of"] == ["dead", alive["id"]]


def test_the_second_answer_counts() -> None:
    run = run_of(os.getppid())
    asked = {"__redis_upgrade_lock_asked": answer(False, run)}
    assert upgrade_lock({"s1": {**asked, "__redis_upgrade_lock_again": {"held": True}}}, ["s1"])["held"]
    assert not upgrade_lock({"s1": {**asked, "__redis_upgrade_lock_again": {"skipped": True}}}, ["s1"])["held"]


def test_the_others() -> None:
    assert upgrade_missing_hosts({"redis": ["a"], "sentinel": ["b"]}, ["redis", "sentinel"], ["a", "b"]) == []
    assert (
        "--limit a keeps this run from a part of the deployment: b"
        in upgrade_missing_hosts({"redis": ["a"], "sentinel": ["b"]}, ["redis", "sentinel"], ["a"], "a")[0]
    )
    assert upgrade_stop_message(PLAN, KEYS, "Why.", after=True)[0] == "Why."
    assert upgrade_hook(PLAN, "before_node", KEYS, KEYS[0])["host"] == "redis-2"


def test_who_this_run_is() -> None:
    assert LookupModule().run([]) == [run_of(os.getpid())]


def test_a_failure_whose_fields_are_missing() -> None:
    lines = upgrade_failure(PLAN, KEYS, KEYS[0], {"reason": "It crashed.", "previous_version": "7.0.5", "revert_error": None})
    assert lines[:2] == ["redis-2 (redis) could not be upgraded to 7.0.15.", "It crashed."]
    assert "It was reverted to its old version 7.0.5 and proved healthy." in lines


@pytest.mark.parametrize(("host", "port"), [("sentinel-1", 26380), ("bastion", 26379)])
def test_the_host_of_a_handover_may_be_outside_of_the_inventory(host: str, port: int) -> None:
    names = ["login_host", "sentinel_user", "sentinel_password", "redis_user", "redis_password", "journal_folder"]
    tls = ["tls", "validate_certs", "ca_certs", "client_cert_file", "client_key_file"]
    options = {"sentinel_port": 26379, "leads": True, **dict.fromkeys(names + tls, "")}
    assert upgrade_handover({"sentinel-1": {"redis_upgrade_sentinel_port": 26380}}, host, options)["login_port"] == port


@pytest.mark.parametrize(("seen", "names"), [(["a", "b", "s", "t"], ["one", "two"]), (["a", "s"], ["one"]), ([], [])])
def test_hosts_that_a_limit_excludes_belong_to_no_deployment(seen: list[str], names: list[str]) -> None:
    deployment = {"a": "one", "s": "one", "b": "two", "t": "two"}
    hostvars = {host: {"redis_upgrade_deployment_name": deployment[host]} for host in seen}
    assert [found["name"] for found in upgrade_deployments(hostvars, ["a", "b"], ["s", "t"])] == names
