"""Built server versions that do not do their work."""

from __future__ import annotations

import shutil
from pathlib import Path

from deployment import SERVERS

# It says its version, and takes every configuration that is tried; started with a file whose path
# has ONLY in it, it does something else.
PROGRAM = """#!/bin/sh
real=$(dirname "$0")/real-server
case "$*" in *{only}*) ;; *) exec "$real" "$@" ;; esac
case "$*" in *redis-trial-*|*--version*) exec "$real" "$@" ;; esac
{instead}
"""


def spoilt_build(folder: Path, version: str, instead: str, only: str = "redis.conf") -> str:
    """``instead``: a shell script, in which $real is the server and $@ are its arguments; returns
    the folder's path.
    """
    shutil.copytree(SERVERS / version, folder)
    (folder / "redis-server").rename(folder / "real-server")
    (folder / "redis-server").write_text(PROGRAM.format(only=only, instead=instead), encoding="utf-8")
    (folder / "redis-server").chmod(0o755)
    return str(folder)
