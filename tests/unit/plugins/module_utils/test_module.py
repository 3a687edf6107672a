"""Options, results and errors of a module that calls run_module."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._module import run_module

SPEC = {"path": {"type": "str", "default": "/a"}, "text": {"type": "str"}}
Act = Callable[[dict[str, Any], bool], dict[str, Any]]


@pytest.fixture
def end(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a module with a given action, and returns its result."""

    def run(act: Act, given: dict[str, Any] | None = None, *, check_mode: bool = False, diff: bool = False, **options: Any) -> Any:
        internal = {"_ansible_check_mode": check_mode, "_ansible_diff": diff, "_ansible_remote_tmp": "/tmp"}
        with patch_module_args({**(given or {}), **internal}), pytest.raises(SystemExit) as ended:
            run_module(SPEC, act, **options)
        result = json.loads(capsys.readouterr().out)
        assert bool(ended.value.code) is bool(result.get("failed"))
        return result

    return run


def failing(error: Exception) -> Act:
    def act(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
        raise error

    return act


def test_a_result(end: Callable[..., dict[str, Any]]) -> None:
    result = end(lambda params, check_mode: {"changed": True, "path": params["path"], "checked": check_mode}, check_mode=True)
    assert (result["changed"], result["path"], result["checked"]) == (True, "/a", True)


def test_a_module_that_only_reads_changes_nothing(end: Callable[..., dict[str, Any]]) -> None:
    assert end(lambda params, check_mode: {})["changed"] is False


@pytest.mark.parametrize("diff", [True, False])
def test_a_diff_is_for_diff_mode(end: Callable[..., dict[str, Any]], diff: bool) -> None:
    result = end(lambda params, check_mode: {"diff": {"before": "a", "after": "b"}}, diff=diff)
    assert ("diff" in result) is diff


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that collects the warnings.

    Once a test has imported Ansible's controller code, results have no warnings.
    """
    found: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, warning: found.append(warning))
    return found


def test_warnings_of_a_result(end: Callable[..., dict[str, Any]], warned: list[str]) -> None:
    result = end(lambda params, check_mode: {"warnings": ["one", "two"], "more": 1})
    assert (warned, result["more"]) == (["one", "two"], 1)


def test_an_error_of_ours(end: Callable[..., dict[str, Any]], warned: list[str]) -> None:
    error = OperationFailed("it broke", node="10.0.0.1:6379", state="Half is done", advice="Run again", reply="ERR", warnings=["one"])
    result = end(failing(error))
    assert result["failed"]
    assert result["msg"] == "10.0.0.1:6379: it broke. Half is done. Run again."
    assert (result["state_now"], result["advice"], result["reply"]) == ("Half is done", "Run again", "ERR")
    assert warned == ["one"]


def test_an_error_of_the_system(end: Callable[..., dict[str, Any]]) -> None:
    message = "{path} cannot be written: {error}, that is {error.strerror}."
    result = end(failing(OSError(28, "No space left")), {"path": "/{b}"}, os_error=message)
    assert result["failed"]
    assert result["msg"] == "/{b} cannot be written: [Errno 28] No space left, that is No space left."


def test_an_error_that_nobody_expects_is_not_hidden() -> None:
    with patch_module_args({}), pytest.raises(OSError, match="No space"):
        run_module(SPEC, failing(OSError(28, "No space")))
    with patch_module_args({}), pytest.raises(KeyError):
        run_module(SPEC, failing(KeyError("x")), os_error="{error}")


def test_secrets_are_in_no_output(end: Callable[..., dict[str, Any]]) -> None:
    def secrets(params: dict[str, Any]) -> list[str]:
        return [params["text"]]

    result = end(lambda params, check_mode: {"seen": f"a {params['text']}"}, {"text": "s3cret"}, secrets=secrets)
    assert "s3cret" not in json.dumps(result)
    result = end(failing(PreconditionFailed("not with s3cret")), {"text": "s3cret"}, secrets=secrets)
    assert "s3cret" not in json.dumps(result)


def test_options_of_ansible_module(end: Callable[..., dict[str, Any]]) -> None:
    result = end(lambda params, check_mode: {}, {"path": "/b"}, required_by={"path": ["text"]})
    assert result["failed"]
    assert "text" in result["msg"]
    assert end(lambda params, check_mode: {"changed": True}, check_mode=True, supports_check_mode=False)["skipped"] is True
