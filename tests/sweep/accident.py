"""Run redis_sentinel_failover, and let an accident happen to it at one event of its timeline.

usage: accident.py EVENT KIND NOTE [COMMAND ...] < arguments

EVENT is the beginning of a timeline's event. KIND: ``kill`` ends the module and its standby with
SIGKILL, ``module`` and ``standby`` only that one; ``stall`` stops both with SIGSTOP; ``cut`` runs
COMMAND, which cuts this host off; ``host`` runs COMMAND and kills both. The file NOTE then names
both processes. Nothing of this is in the collection: the module is patched here, from outside.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.testing import patch_module_args
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.result import Timeline
from ansible_collections.sentinelops.redis.plugins.module_utils._host.standby import Standby

MODULE = "ansible_collections.sentinelops.redis.plugins.modules.redis_sentinel_failover"


class Accident:
    """One accident, which happens to the process that made it when its timeline has the event."""

    def __init__(self, event: str, kind: str, note: Path, cutting: Sequence[str]) -> None:
        self._event, self._kind, self._note, self._cutting = event, kind, note, cutting
        self._module = os.getpid()
        self._standby = 0
        self._happened = False

    def prepare(self) -> None:
        """Have the timeline tell of its events, and the standby of its process."""
        add, standing_by = Timeline.add, Standby.standing_by

        def added(timeline: Timeline, event: str) -> float:
            at_ms = add(timeline, event)
            if event.startswith(self._event) and not self._happened and os.getpid() == self._module:
                self._happened = True
                self._happen(event)
            return at_ms

        def stood_by(*arguments: Any) -> Standby:
            standby = standing_by(*arguments)
            self._standby = standby._pid
            return standby

        Timeline.add = added  # type: ignore[method-assign]
        Standby.standing_by = stood_by  # type: ignore[method-assign, assignment]

    def _happen(self, event: str) -> None:
        if self._kind in ("cut", "host"):
            subprocess.run(self._cutting, check=True)
        said = {"event": event, "at_s": time.time(), "module": self._module, "standby": self._standby}
        partial = self._note.with_suffix(".partial")
        partial.write_text(json.dumps(said), encoding="utf-8")
        partial.rename(self._note)
        number = {"stall": signal.SIGSTOP, "cut": None}.get(self._kind, signal.SIGKILL)
        if number is None:
            return
        if self._standby and self._kind != "module":
            with contextlib.suppress(ProcessLookupError):  # dismissed, as all was done
                os.kill(self._standby, number)
        if self._kind != "standby":
            os.kill(self._module, number)


def main() -> None:
    event, kind, note, *cutting = sys.argv[1:]
    arguments = json.load(sys.stdin)
    module = importlib.import_module(MODULE)
    Accident(event, kind, Path(note), cutting).prepare()
    with patch_module_args(arguments):
        module.main()


if __name__ == "__main__":
    main()
