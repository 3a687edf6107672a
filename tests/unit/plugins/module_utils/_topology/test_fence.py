"""The numbers of fences, which encode the original settings."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.fence import FENCE, fence_for, is_fence, original_min_replicas

THE_LARGEST = 2**31 - 1


@pytest.mark.parametrize("max_lag", [0, 1, 10, 3600])
@pytest.mark.parametrize("to_write", [0, 1, 2, 5, 1000, 10**6])
def test_a_fence_says_what_was_before(to_write: int, max_lag: int) -> None:
    fence = fence_for(to_write, max_lag)
    assert is_fence(fence)
    assert fence <= FENCE == THE_LARGEST, "the servers take no more"
    lag_behind_the_fence = max_lag or 10  # 0 would disable the check
    assert original_min_replicas(fence, lag_behind_the_fence) == (to_write, max_lag)
    assert original_min_replicas(fence, max_lag) == (to_write, max_lag), "the fence was set, and the lag was not yet"


def test_the_fence_of_a_node_with_the_usual_settings_is_the_largest_number() -> None:
    """The first release of this collection set that number too."""
    assert fence_for(0, 10) == FENCE
    assert original_min_replicas(FENCE, 10) == (0, 10)


@pytest.mark.parametrize("to_write", [10**6 + 1, 10**9, FENCE])
def test_a_number_that_is_no_number_of_replicas(to_write: int) -> None:
    """No deployment has a million replicas, so no operator has set such a number."""
    assert is_fence(fence_for(to_write, 10))
    assert original_min_replicas(fence_for(to_write, 10), 10) == (10**6, 10)


@pytest.mark.parametrize("to_write", [0, 1, 100, 10**6, 10**9])
def test_no_fence(to_write: int) -> None:
    assert not is_fence(to_write)
