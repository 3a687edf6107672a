"""Sizes in messages."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._sizes import readable_size


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (20 << 10, "20 KiB"), (3 << 20, "3.0 MiB"), (5 << 30, "5.0 GiB")],
)
def test_sizes(number: float, text: str) -> None:
    assert readable_size(number) == text
