"""The documentation of the filters, in a file beside each."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.sentinelops.redis.plugins.filter import sandbox_instances, upgrade_plan, upgrade_run
from ansible_collections.sentinelops.redis.tests.unit.support.modules import PLUGINS

FILTERS = {
    name: function for file in (sandbox_instances, upgrade_plan, upgrade_run) for name, function in file.FilterModule().filters().items()
}


def test_every_file_and_every_filter_is_known() -> None:
    folder = PLUGINS / "filter"
    assert {path.stem for path in folder.glob("*.py")} == {"sandbox_instances", "upgrade_plan", "upgrade_run"}
    assert {path.stem for path in folder.glob("*.yml")} == set(FILTERS)


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_documented(name: str) -> None:
    text = (PLUGINS / "filter" / f"{name}.yml").read_text(encoding="utf-8")
    documentation: dict[str, Any] = yaml.safe_load(text)["DOCUMENTATION"]
    assert documentation["name"] == name
    taken = list(documentation["options"])[1:]
    code = FILTERS[name].__code__
    assert taken == [*code.co_varnames[1 : code.co_argcount]]
    assert documentation.get("positional", "").split(", ") == (taken or [""])
