"""Configurations for trials, made from texts in memory."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field

from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_trial_files import (
    TrialConfig,
    TrialPlace,
    trial_config,
)

MAIN = "/etc/redis/redis.conf"
PLACE = TrialPlace("/tmp/trial", 40001, "/bin/true", "/etc/redis")


@dataclass
class FakeFiles:
    """The files of a host in memory; ``others`` exist, and are programs."""

    texts: dict[str, str]
    others: set[str] = field(default_factory=set)

    def read(self, path: str) -> str | None:
        return self.texts.get(path)

    def matching(self, pattern: str) -> list[str]:
        return sorted(fnmatch.filter(self.texts, pattern))

    def exists(self, path: str) -> bool:
        return path in self.texts or path in self.others

    def executable(self, path: str) -> bool:
        return path in self.others


def made(text: str, sentinel: bool = False, place: TrialPlace = PLACE, others: set[str] | None = None, **texts: str) -> TrialConfig:
    """Return the trial's files for a main file; ``x=`` is the text of /etc/redis/x.conf."""
    files = FakeFiles({MAIN: text, **{f"/etc/redis/{name}.conf": content for name, content in texts.items()}}, others or set())
    config = trial_config(MAIN, sentinel, files, place)
    assert config is not None
    return config
