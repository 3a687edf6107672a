"""The options of every module, which must agree with its documentation."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sentinelops.redis.plugins.doc_fragments.connection import ModuleDocFragment
from ansible_collections.sentinelops.redis.tests.unit.support.modules import NAMES, PACKAGE, PLUGINS, module

DESCRIBED = ("type", "default", "choices", "required", "elements")
USUAL = {"type": "str", "default": None, "choices": None, "required": False, "elements": None}
WITH_CONNECTION = [name for name in NAMES if "  - sentinelops.redis.connection\n" in module(name).DOCUMENTATION]
RUNNER = importlib.import_module(f"{PACKAGE}.module_utils._module")


class Taken(Exception):
    """The arguments that a module gave to AnsibleModule."""


def taken(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the arguments that a module's main(), or run_module, gives to AnsibleModule.

    A module without main() is the documentation of an action plugin, which has the options.
    """
    if not hasattr(module(name), "main"):
        action = importlib.import_module(f"{PACKAGE}.action.{name}")
        return {"argument_spec": action.OPTIONS, "supports_check_mode": action.ActionModule._supports_check_mode}

    def take(argument_spec: dict[str, Any], **options: Any) -> AnsibleModule:
        raise Taken({"argument_spec": argument_spec, **options})

    for place in (module(name), RUNNER):
        monkeypatch.setattr(place, "AnsibleModule", take, raising=False)
    with pytest.raises(Taken) as caught:
        module(name).main()
    arguments: dict[str, Any] = caught.value.args[0]
    return arguments


def documentation(name: str) -> dict[str, Any]:
    """Return the module's documentation with its fragments; the module's own options win."""
    own = yaml.safe_load(module(name).DOCUMENTATION)
    merged: dict[str, Any] = {"options": {}, "attributes": {}}
    for fragment in own.get("extends_documentation_fragment", []):
        _collection, _file, *variable = fragment.removeprefix("sentinelops.redis.").rpartition("connection")
        section = (variable[0] or "documentation").strip(".").upper()
        for key, content in yaml.safe_load(getattr(ModuleDocFragment, section)).items():
            if key in merged:
                merged[key].update(content)
    for key, content in merged.items():
        for item, details in (own.get(key) or {}).items():
            content[item] = {**content.get(item, {}), **details}
    return {**own, **merged}


def described(options: dict[str, Any]) -> dict[str, Any]:
    """Return options in one form, from the documentation or from the argument spec."""
    found = {}
    for name, option in options.items():
        found[name] = {key: option.get(key, USUAL[key]) for key in DESCRIBED}
        inner = option.get("suboptions") or option.get("options")
        if inner:
            found[name]["suboptions"] = described(inner)
    return found


def test_there_are_modules() -> None:
    assert len(NAMES) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_options(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    documented = documentation(name)
    assert documented["module"] == name
    assert described(taken(name, monkeypatch)["argument_spec"]) == described(documented["options"])


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_described(name: str) -> None:
    assert [option for option, details in documentation(name)["options"].items() if not details.get("description")] == []


@pytest.mark.parametrize("name", NAMES)
def test_passwords_are_never_logged(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = taken(name, monkeypatch)["argument_spec"]
    assert {option for option in spec if option.endswith("password")} == {option for option in spec if spec[option].get("no_log")}


@pytest.mark.parametrize("name", NAMES)
def test_check_mode_is_what_the_attributes_say(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes = documentation(name)["attributes"]
    assert taken(name, monkeypatch)["supports_check_mode"] is (attributes["check_mode"]["support"] != "none")
    assert set(attributes) == {"check_mode", "diff_mode", "idempotent", "action_group"}
    assert all(attribute["support"] in ("full", "partial", "none") for attribute in attributes.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_action_group_has_the_modules_with_connection_options(name: str) -> None:
    groups = yaml.safe_load((PLUGINS.parent / "meta" / "runtime.yml").read_text())["action_groups"]
    assert (name in groups["redis"]) is (name in WITH_CONNECTION)
    assert (documentation(name)["attributes"]["action_group"]["support"] == "full") is (name in WITH_CONNECTION)


@pytest.mark.parametrize("name", NAMES)
def test_examples_give_options_that_exist(name: str) -> None:
    options = documentation(name)["options"]
    tasks = [task for task in yaml.safe_load(module(name).EXAMPLES) if f"sentinelops.redis.{name}" in task]
    assert tasks
    for task in tasks:
        given = task[f"sentinelops.redis.{name}"]
        assert set(given) <= set(options)
        assert {option for option, details in options.items() if details.get("required")} <= set(given)


@pytest.mark.parametrize("name", NAMES)
def test_return_values_are_described(name: str) -> None:
    for value, details in yaml.safe_load(module(name).RETURN).items():
        assert {"description", "returned", "type"} <= set(details), value


def test_every_outcome_of_a_handover_is_documented() -> None:
    handover = importlib.import_module("ansible_collections.sentinelops.redis.plugins.module_utils._handover.handover")
    outcome = handover.HandoverResult().as_result()
    assert set(outcome) - {"warnings"} <= set(yaml.safe_load(module("redis_sentinel_failover").RETURN))
