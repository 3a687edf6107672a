"""Fixtures of all unit tests."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.tests.unit.support.modules import Runner


@pytest.fixture
def runner(capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(capsys)
