"""The package redis without its clients, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

OURS = "ansible_collections.sentinelops.redis.plugins.module_utils._server"


def said(code: str) -> str:
    """Run code in a new interpreter, and return its output."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_connection_imports_no_client() -> None:
    assert said(f"import {OURS}.redis_py; print('redis.asyncio' in sys.modules, 'redis.client' in sys.modules)") == "False False"


def test_the_rest_is_imported_when_somebody_wants_it() -> None:
    wanted = f"import {OURS}.redis_py, redis; print(redis.Redis.__name__, redis.exceptions.RedisError.__name__, hasattr(redis, 'nothing'))"
    assert said(wanted) == "Redis RedisError False"


def test_a_package_that_is_imported_already_stays() -> None:
    assert said(f"import redis; before = redis; import {OURS}.redis_py; print(before is sys.modules['redis'])") == "True"


def test_the_client_of_applications() -> None:
    assert said(f"from {OURS}.sentinel_client import SentinelClient, Sentinel; print(Sentinel.__name__)") == "Sentinel"


def test_the_version_is_that_of_the_package() -> None:
    assert said(f"from {OURS} import redis_py; import redis; print(redis_py.REDIS_VERSION == redis.__version__)") == "True"
