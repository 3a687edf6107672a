"""Comparison of lines of ACL LIST, as 6.2, 7.0 and Valkey 8.0 have told them."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._survey.user_facts import differing_users

READER = "user reader on #98b4 #0a1b ~app:* &* -@all +@read -keys +info"
SAME: dict[str, list[str]] = {"only_memory": [], "only_file": [], "changed": []}


@pytest.mark.parametrize(
    ("saved", "found"),
    [
        (READER, {}),
        ("user reader on #98b4 #0a1b ~app:* &* -@all +@read +info -keys", {}),
        ("user reader on sanitize-payload #0a1b #98b4 ~app:* &* -@all +@read -keys +info", {}),
        ("user reader on #98b4 ~app:* &* -@all +@read -keys +info", {"changed": ["reader"]}),
        ("user reader on #98b4 #0a1b ~app:* &* -@all -keys +info +@read", {"changed": ["reader"]}),
        ("user reader off #98b4 #0a1b ~app:* &* -@all +@read -keys +info", {"changed": ["reader"]}),
        ("user reader on #98b4 #0a1b ~* &* -@all +@read -keys +info", {"changed": ["reader"]}),
        ("user other on nopass", {"only_memory": ["reader"], "only_file": ["other"]}),
    ],
)
def test_lines_of_a_user(saved: str, found: dict[str, list[str]]) -> None:
    assert differing_users([READER], [saved]) == {**SAME, **found}
