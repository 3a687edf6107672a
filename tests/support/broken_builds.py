"""Builds of servers that do not work."""

from __future__ import annotations

import shutil
from pathlib import Path

from deployment import SERVERS

# The program tells its version, and accepts every configuration on trial. Started with a file whose
# path contains ONLY, it runs INSTEAD.
PROGRAM = """#!/bin/sh
real=$(dirname "$0")/real-server
case "$*" in *{only}*) ;; *) exec "$real" "$@" ;; esac
case "$*" in *redis-trial-*|*--version*) exec "$real" "$@" ;; esac
{instead}
"""


def broken_build(folder: Path, version: str, instead: str, only: str = "redis.conf") -> str:
    """Make a build that runs a shell script in place of the server; return the folder's path.

    ``instead``: the script, in which $real is the server and $@ are its arguments.
    """
    shutil.copytree(SERVERS / version, folder)
    (folder / "redis-server").rename(folder / "real-server")
    (folder / "redis-server").write_text(PROGRAM.format(only=only, instead=instead), encoding="utf-8")
    (folder / "redis-server").chmod(0o755)
    return str(folder)
