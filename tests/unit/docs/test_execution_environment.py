"""Requirements for ansible-builder: they exist, are shipped, and are those of the modules."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import yaml
from ansible_collections.sentinelops.redis.plugins.module_utils._server.redis_py import OLDEST_REDIS_PY

ROOT = Path(__file__).resolve().parents[3]
META = yaml.safe_load((ROOT / "meta" / "execution-environment.yml").read_text(encoding="utf-8"))
FILES = ["meta/execution-environment.yml", *META["dependencies"].values()]


def test_the_files_are_shipped() -> None:
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"]
    for name in FILES:
        assert (ROOT / name).exists()
        assert [pattern for pattern in ignored if fnmatch(name, pattern) or fnmatch(Path(name).name, pattern)] == []


def test_they_name_the_oldest_redis_py_that_the_modules_accept() -> None:
    lines = (ROOT / META["dependencies"]["python"]).read_text(encoding="utf-8").splitlines()
    assert lines == [f"redis>={'.'.join(map(str, OLDEST_REDIS_PY))}"]
