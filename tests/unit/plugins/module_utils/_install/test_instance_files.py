"""The log file of an instance."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import log_file_of


@pytest.mark.parametrize(
    ("lines", "log"),
    [
        ("logfile /var/log/redis.log\n", "/var/log/redis.log"),
        ("dir /data\nlogfile redis.log\n", "/data/redis.log"),
        ('logfile ""\n', ""),
        ("port 6379\n", ""),
        ("logfile a.log\nlogfile /b.log\n", "/b.log"),
        ("logfile redis.log\n", "{folder}/redis.log"),
    ],
)
def test_the_log_file_that_a_configuration_names(tmp_path: Path, lines: str, log: str) -> None:
    config = tmp_path / "redis.conf"
    config.write_text(lines)
    assert log_file_of(str(config)) == log.format(folder=tmp_path)
