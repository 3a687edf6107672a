"""One client under test: a process with its log, which is started anew where it is stuck."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from catalogue import ENVIRONMENTS, RECEIVING, Kind
from deployment import MASTER, Deployment
from records import Log

PERIOD_MS = 20
ANSWERS_AT_START = 10
END_S = 8.0


@dataclass
class ClientProcess:
    """``first_sentinel``: the one that the client is told first, as host:port.

    Each start writes a log, lists and a queue of its own; ``logs`` has all of them. The process
    ends when it is told to, or when its parent has ended.
    """

    kind: Kind
    number: int
    deployment: Deployment
    first_sentinel: str
    logs: list[Log] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def receiving(self) -> bool:
        return self.kind.workload in RECEIVING

    @property
    def log(self) -> Log:
        return self.logs[-1]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def key(self, start: int) -> str:
        return f"clients:{self.number}:{start}:{self.kind.name}"

    def _file(self, ending: str) -> Path:
        return self.deployment.folder / "clients" / f"{self.number}-{len(self.logs)}.{ending}"

    def _sentinels(self) -> list[tuple[str, int]]:
        addresses = [self.deployment.address(name) for name in self.deployment.sentinels]
        at = addresses.index(self.first_sentinel)
        ordered = [*addresses[at:], *addresses[:at]]
        return [(address.rpartition(":")[0], int(address.rpartition(":")[2])) for address in ordered]

    def start(self) -> None:
        self.logs.append(Log())
        self.log.path = self._file("log")
        self.log.path.parent.mkdir(exist_ok=True)
        settings = {
            "package": self.kind.library.package,
            "style": self.kind.style,
            "workload": self.kind.workload,
            "sentinels": self._sentinels(),
            "master": MASTER,
            "key": self.key(len(self.logs)),
            "log": str(self.log.path),
            "stop": str(self._file("stop")),
            "period_ms": PERIOD_MS,
        }
        environment = {**os.environ, "NODE_PATH": str(ENVIRONMENTS / "node" / "node_modules")}
        environment.pop("PYTHONPATH", None)
        with self._file("err").open("wb") as errors:
            self.process = subprocess.Popen(
                [*self.kind.library.command(), json.dumps(settings)], stdin=subprocess.DEVNULL, stderr=errors, env=environment
            )

    def await_answers(self, deadline_s: float) -> None:
        """Wait until the client works; raise with what it printed if it does not."""
        while len(self.log.read().answers(self.receiving)) < ANSWERS_AT_START:
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                printed = self._file("err").read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"{self.kind.name} did not start to work: {self.log.errors(self.receiving)[-3:]} {printed}")
            time.sleep(0.05)

    def ask_to_stop(self) -> None:
        self._file("stop").touch()

    def await_end(self) -> None:
        """Wait until the process has ended; one that hangs is killed."""
        assert self.process is not None
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.read()

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.log.read()
