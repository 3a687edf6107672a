"""The conditions with which redis_instance proves an instance."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import ConditionNotMet, OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._instance import work_proof
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.work_proof import prove, require_conditions
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.condition_check import CheckRequest

LOGIN = {
    "login_host": "10.0.0.1",
    "login_port": 6379,
    "login_user": None,
    "login_password": None,
    "tls": False,
    "validate_certs": True,
    "ca_certs": None,
    "client_cert_file": None,
    "client_key_file": None,
    "timeout_ms": 1000,
    "wait_s": 30,
}
RESULT = {"changed": True, "version": "7.0.15", "pid": 7, "log_file": "/var/log/redis.log", "log_offset": 12, "log_before": ["a"]}


def asked(monkeypatch: pytest.MonkeyPatch, conditions: dict[str, Any], **result: Any) -> CheckRequest:
    """Return the request that the proof makes."""
    found: list[CheckRequest] = []
    monkeypatch.setattr(work_proof, "check", found.append)
    params = {**LOGIN, "conditions": conditions}
    prove(params, require_conditions(params), {**RESULT, **result})
    return found[0]


def test_version_log_and_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked(monkeypatch, {"role": "replica", "log_clean": True, "max_lag_bytes": "1048576"})
    assert (request.wanted.role, request.wanted.version, request.wanted.max_lag_bytes) == ("replica", "7.0.15", 1048576)
    assert (request.log_file, request.log_offset, request.wait_s) == ("/var/log/redis.log", 12, 30)
    assert request.wanted.log_clean
    assert request.wanted.quorum is None


def test_without_a_log_it_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not asked(monkeypatch, {"log_clean": True}, log_file="").wanted.log_clean


def test_the_masters_of_a_sentinel(monkeypatch: pytest.MonkeyPatch) -> None:
    masters = {"cache": {"known_replicas": 2}, "0": {"known_replicas": 1}}
    assert asked(monkeypatch, {"masters": masters}).masters == masters


@pytest.mark.parametrize(
    ("conditions", "error"),
    [({"roel": "replica"}, "roel"), ({"role": "slave"}, "role must be one of"), ({"max_lag_bytes": "many"}, "max_lag_bytes")],
)
def test_what_is_no_condition_is_refused_with_nothing_touched(conditions: dict[str, Any], error: str) -> None:
    with pytest.raises(PreconditionFailed, match=error) as refused:
        require_conditions({"conditions": conditions})
    assert refused.value.facts["untouched"]


def test_an_instance_that_does_not_do_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_met(request: CheckRequest) -> None:
        raise ConditionNotMet("not met within 30 s: link_up: wanted True, seen down", node="10.0.0.1:6379", conditions=[{"ok": False}])

    monkeypatch.setattr(work_proof, "check", not_met)
    params = {**LOGIN, "conditions": {"link_up": True}}
    with pytest.raises(OperationFailed, match=r"it runs 7\.0\.15, and does not do its work: not met within 30 s: link_up") as failed:
        prove(params, require_conditions(params), RESULT)
    assert failed.value.facts == {
        "conditions": [{"ok": False}],
        "log_file": "/var/log/redis.log",
        "log_offset": 12,
        "log_before": ["a"],
    }
