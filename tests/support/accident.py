"""Run redis_sentinel_failover, and let an accident happen to it at one event of its timeline.

usage: accident.py EVENT KIND NOTE [COMMAND ...] < arguments

EVENT is the beginning of a timeline's event. At that event COMMAND runs, if there is one; then the
file NOTE is written, which names both processes; then KIND happens: ``kill`` ends the module and
its standby with SIGKILL, ``module`` and ``standby`` only that one; ``stall`` stops both with
SIGSTOP; ``none`` lets them go on. Nothing of this is in the collection: the module is patched here,
from outside.
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
from deployment import ROOT, Deployment
from states import wait_until

MODULE = "ansible_collections.sentinelops.redis.plugins.modules.redis_sentinel_failover"


class Accident:
    """One accident, which happens to the process that made it when its timeline has the event."""

    def __init__(self, event: str, kind: str, note: Path, command: Sequence[str]) -> None:
        self._event, self._kind, self._note, self._command = event, kind, note, command
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
        if self._command:
            subprocess.run(self._command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        said = {"event": event, "at_s": time.time(), "module": self._module, "standby": self._standby}
        partial = self._note.with_suffix(".partial")
        partial.write_text(json.dumps(said), encoding="utf-8")
        partial.rename(self._note)
        if self._kind == "none":
            return
        number = signal.SIGSTOP if self._kind == "stall" else signal.SIGKILL
        if self._standby and self._kind != "module":
            with contextlib.suppress(ProcessLookupError):  # dismissed, as all was done
                os.kill(self._standby, number)
        if self._kind != "standby":
            os.kill(self._module, number)


class Accidental:
    """A run of the module that an accident happens to; see the head of this file.

    ``prefix``: words in front of the command, for a host of its own. ``command``: COMMAND.
    """

    def __init__(
        self,
        deployment: Deployment,
        target: str,
        event: str,
        kind: str,
        prefix: Sequence[str] = (),
        command: Sequence[str] = (),
        **options: Any,
    ) -> None:
        self._deployment = deployment
        self._note = deployment.folder / "accident"
        self._note.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [*prefix, sys.executable, __file__, event, kind, str(self._note), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**deployment.mark, "PYTHONPATH": os.pathsep.join([str(ROOT / ".cache" / "collections"), str(Path(__file__).parent)])},
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(deployment.handover_options(target, **options)))
        self.process.stdin.close()
        self.process.stdin = None

    @property
    def happened(self) -> dict[str, Any]:
        """The note; empty if it has not happened."""
        return json.loads(self._note.read_text(encoding="utf-8")) if self._note.exists() else {}

    def wait(self, seconds: float = 100) -> dict[str, Any]:
        """Wait until it has happened, or the module has ended; return the note."""
        wait_until(lambda: self._note.exists() or self.process.poll() is not None, seconds)
        return self.happened

    def go_on(self) -> None:
        """Let those go on that stand still."""
        for who in ("standby", "module"):
            pid = self.happened.get(who)
            with contextlib.suppress(ProcessLookupError):
                if pid:
                    os.kill(pid, signal.SIGCONT)

    def result(self, seconds: float = 150) -> dict[str, Any]:
        """Wait until both have ended; return the module's result, empty if it was killed."""
        try:
            output = self.process.communicate(timeout=seconds)[0].strip()
            wait_until(lambda: not self._deployment.handing_over(), seconds)
        finally:
            self.process.kill()
        return json.loads(output.splitlines()[-1]) if output else {}


def main() -> None:
    event, kind, note, *command = sys.argv[1:]
    arguments = json.load(sys.stdin)
    module = importlib.import_module(MODULE)
    Accident(event, kind, Path(note), command).prepare()
    with patch_module_args(arguments):
        module.main()


if __name__ == "__main__":
    main()
