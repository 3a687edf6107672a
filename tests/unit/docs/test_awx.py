"""AWX as code: wrappers, surveys and templates fit the playbooks and the roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
AWX = ROOT / "awx"
# sandbox and report reach no deployment
PLAYBOOKS = {path.stem for path in (ROOT / "playbooks").glob("*.yml")} - {"sandbox", "report"}
# Survey types, and the types of role options whose values they can give.
TYPES = {"text": {"str"}, "integer": {"int"}, "multiplechoice": {"str", "bool"}}
OF_PLAYBOOKS = {"redis_upgrade_handover_to": {"type": "str"}}


def load(name: str) -> Any:
    return yaml.safe_load((AWX / name).read_text(encoding="utf-8"))


def options() -> dict[str, dict[str, Any]]:
    """Return all options of the role, with their types and defaults."""
    specs = yaml.safe_load((ROOT / "roles/redis_upgrade/meta/argument_specs.yml").read_text(encoding="utf-8"))
    return {name: option for entry in specs["argument_specs"].values() for name, option in entry.get("options", {}).items()} | OF_PLAYBOOKS


def surveys() -> dict[str, list[dict[str, Any]]]:
    """Return the questions of each template; those that templates share are variables."""
    found = load("vars.yml")
    shared = {"{{ " + name + " }}": value for name, value in found.items()}
    return {
        template["playbook"]: [shared[one] if isinstance(one, str) else one for one in template["survey"]]
        for template in found["redis_awx_templates"]
    }


def test_each_playbook_has_a_wrapper_and_a_template() -> None:
    assert {path.stem for path in (AWX / "project").glob("*.yml")} == PLAYBOOKS
    assert set(surveys()) == PLAYBOOKS


@pytest.mark.parametrize("name", sorted(PLAYBOOKS))
def test_a_wrapper_imports_its_playbook_and_nothing_else(name: str) -> None:
    (play,) = load(f"project/{name}.yml")
    assert set(play) == {"name", "ansible.builtin.import_playbook"}
    assert play["ansible.builtin.import_playbook"] == f"sentinelops.redis.{name}"


@pytest.mark.parametrize("name", sorted(PLAYBOOKS))
def test_a_survey_asks_for_options_of_the_role(name: str) -> None:
    known = options()
    for question in surveys()[name]:
        option = known[question["variable"]]
        assert option.get("type", "str") in TYPES[question["type"]]
        assert question["required"] or "default" in question
        if "default" in question and "default" in option:
            assert str(question["default"]).lower() == str(option["default"]).lower()
        if "choices" in option:
            assert set(question["choices"]) <= set(option["choices"])


def test_no_survey_asks_for_a_confirmation() -> None:
    """Nobody sits at the terminal of a job."""
    assert "redis_upgrade_confirm" not in {question["variable"] for questions in surveys().values() for question in questions}
    assert "redis_upgrade_confirm: never" in (AWX / "configure.yml").read_text(encoding="utf-8")


def test_the_workflow_leads_from_the_canary_to_the_rest() -> None:
    (play,) = load("configure.yml")
    (workflow,) = [task for task in play["tasks"] if task["name"] == "Workflow"]
    nodes = {node["identifier"]: node for node in workflow["awx.awx.workflow_job_template"]["schema"]}
    after = {name: [one["identifier"] for one in node["related"]["success_nodes"]] for name, node in nodes.items()}
    assert after == {"canary": ["approval"], "approval": ["rest"], "rest": []}
    assert {node["unified_job_template"]["name"] for name, node in nodes.items() if name != "approval"} == {"Redis - upgrade"}
    assert set(nodes["canary"]["extra_data"]) <= {question["variable"] for question in surveys()["upgrade"]}


def test_the_page_names_every_template() -> None:
    page = (AWX / "README.md").read_text(encoding="utf-8")
    assert all(f"`{template['name']}`" in page for template in load("vars.yml")["redis_awx_templates"])
