"""A terminal: run a command in it, and see what its screen shows at the end and on the way.

It understands what this collection and Ansible write: carriage return, line feed, erasing the rest
of a line, and colours, which have no effect here.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

# Ansible's prompts begin some sequences twice
_PARTS = re.compile(r"\x1b\[(?=[\r\x1b])|\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\r\n\x1b]+")


@dataclass
class Terminal:
    """The screen. ``rows``: all its lines since the start. ``seen``: each last line it ever had."""

    columns: int = 80
    rows: list[str] = field(default_factory=lambda: [""])
    seen: list[str] = field(default_factory=list)
    column: int = 0

    def feed(self, text: str) -> None:
        for part in _PARTS.findall(text):
            if part == "\n":
                self.rows.append("")
            elif part == "\r":
                self.column = 0
            elif part == "\x1b[K":
                self.rows[-1] = self.rows[-1][: self.column]
            elif not part.startswith("\x1b"):
                self._write(part)

    def _write(self, text: str) -> None:
        for letter in text:
            if self.column == self.columns:
                self.rows.append("")
                self.column = 0
            row = self.rows[-1].ljust(self.column)
            self.rows[-1] = row[: self.column] + letter + row[self.column + 1 :]
            self.column += 1
        self.seen.append(self.rows[-1])

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows)


def run_in_terminal(
    words: Sequence[str],
    environment: Mapping[str, str],
    columns: int = 80,
    answer: Callable[[str], str] = lambda _text: "",
    seconds: float = 120,
) -> tuple[int, Terminal]:
    """Run a command in a terminal; return its exit code and the terminal.

    ``answer`` gets the screen after each output, and returns what is typed then.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    taking = ["setsid", "--ctty", "--wait", *words]
    process = subprocess.Popen(taking, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "TERM": "xterm"})
    os.close(theirs)
    terminal, deadline = Terminal(columns), time.monotonic() + seconds
    try:
        while select.select([ours], [], [], max(deadline - time.monotonic(), 0))[0]:
            try:
                text = os.read(ours, 65536).decode(errors="replace")
            except OSError:  # the other end is closed
                break
            terminal.feed(text)
            typed = answer(terminal.text)
            if typed:
                os.write(ours, typed.encode())
        return process.wait(max(deadline - time.monotonic(), 1)), terminal
    finally:
        process.kill()
        process.wait()
        os.close(ours)
