"""The failovers that the Sentinels of a deployment in memory start themselves."""

from __future__ import annotations

from ansible_collections.sentinelops.redis.tests.unit.support.data_node import DataNode
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import Deployment
from ansible_collections.sentinelops.redis.tests.unit.support.sentinel import FakeSentinel

__all__ = ["INFO_PERIOD_MS", "Healing", "named_by_majority"]

INFO_PERIOD_MS = 10000
LOOK_S = 0.1  # the interval at which Sentinels judge their master


class Healing:
    """The failovers that Sentinels start themselves, as measured with real ones.

    A dead master is replaced after down-after-milliseconds. A master that says role:slave is
    replaced after two INFO periods and that time. Both need a majority of the Sentinels.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._master: DataNode | None = None
        self._since_s = 0.0
        self._next_s = 0.0

    def step(self, _seconds: float) -> None:
        if self._deployment.clock.now_s() >= self._next_s:
            self._next_s = self._deployment.clock.now_s() + LOOK_S
            self._look()

    def _look(self) -> None:
        sentinels = [sentinel for sentinel in self._deployment.sentinels if sentinel.alive]
        master = named_by_majority(self._deployment)
        limit_s = self._limit_s(master, sentinels)
        now_s = self._deployment.clock.now_s()
        if master is not self._master or not limit_s:
            self._master, self._since_s = master, now_s
        elif now_s - self._since_s > limit_s and not any(sentinel.running for sentinel in sentinels):
            self._since_s = now_s
            if any(known.node.alive and known.seen["priority"] and known.node is not master for known in sentinels[0].known.values()):
                sentinels[0]._begin(coordinated=False)

    @staticmethod
    def _limit_s(master: DataNode | None, sentinels: list[FakeSentinel]) -> float:
        """Return the time after which Sentinels fail over; 0 if the master is in order."""
        if master is None or (master.alive and master.master is None):
            return 0.0
        down_after_s = sentinels[0].down_after_ms / 1000
        return down_after_s + (2 * INFO_PERIOD_MS / 1000 if master.alive else 0.0)


def named_by_majority(deployment: Deployment) -> DataNode | None:
    """Return the master that a majority of all Sentinels name."""
    named = [sentinel.master for sentinel in deployment.sentinels if sentinel.alive]
    majority = len(deployment.sentinels) // 2 + 1
    return next((node for node in named if named.count(node) >= majority), None)
