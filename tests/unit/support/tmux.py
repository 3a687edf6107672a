"""A real terminal: run a command in tmux, and see its screen on the way and at the end."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SETTINGS = """
set-option -g history-limit 10000
set-option -g remain-on-exit on
set-option -g remain-on-exit-format ""
set-option -g status off
"""


def run_in_tmux(
    words: Sequence[str], environment: Mapping[str, str], columns: int = 80, seconds: float = 300
) -> tuple[int, str, list[str]]:
    """Run a command in a window of 24 rows.

    Returns its exit code, all lines at the end, and each last line that was seen on the way.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "tmux.conf")
        settings.write_text(SETTINGS, encoding="utf-8")
        tmux = ["tmux", "-S", f"{folder}/socket", "-f", str(settings)]

        def said(*rest: str) -> str:
            return subprocess.run([*tmux, *rest], env={**environment}, capture_output=True, text=True, check=True).stdout

        # a file, since tmux 3.3a may miss the end of a process, and then knows no exit code
        ended = Path(folder, "ended")
        said("new-session", "-d", "-x", str(columns), "-y", "24", f"{shlex.join(words)}; echo $? > {ended}.new; mv {ended}.new {ended}")
        try:
            seen, deadline = [], time.monotonic() + seconds
            while not ended.exists():
                assert time.monotonic() < deadline, said("capture-pane", "-p", "-S", "-")
                seen += said("capture-pane", "-p").rstrip("\n").splitlines()[-1:]
                time.sleep(0.5)
            return int(ended.read_text(encoding="ascii")), said("capture-pane", "-p", "-S", "-").rstrip("\n"), seen
        finally:
            subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)
