"""Facts about scripts, from the replies of servers of all ages."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._survey.script_facts import script_facts


@pytest.mark.parametrize(
    ("info", "config", "facts"),
    [
        # 5.0 has neither, 7.0 and later have no such setting
        ({}, {}, {"verbatim_scripts": False, "cached_scripts": 0}),
        ({"number_of_cached_scripts": "0"}, {"lua-replicate-commands": "yes"}, {"verbatim_scripts": False, "cached_scripts": 0}),
        ({"number_of_cached_scripts": "7"}, {"lua-replicate-commands": "no"}, {"verbatim_scripts": True, "cached_scripts": 7}),
        ({"number_of_cached_scripts": "2", "number_of_functions": "3"}, {}, {"verbatim_scripts": False, "cached_scripts": 2}),
    ],
)
def test_the_facts(info: dict[str, str], config: dict[str, str], facts: dict[str, Any]) -> None:
    assert script_facts(info, config) == facts
