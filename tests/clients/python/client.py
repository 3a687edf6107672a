"""Run one workload with one Python library, until told to stop.

usage: client.py SETTINGS    (JSON, see settings.py; run.py starts it in the library's environment)
"""

from __future__ import annotations

import asyncio
import sys

import async_workloads
import sync_workloads
from oplog import OpLog
from settings import Settings


def main() -> None:
    settings = Settings(sys.argv[1])
    log = OpLog(settings.log)
    log.record(library=settings.package, version=settings.version())
    if settings.style == "async":
        asyncio.run(async_workloads.run(settings, log))
    else:
        sync_workloads.run(settings, log)


if __name__ == "__main__":
    main()
