"""Run an upgrade that loses a host during a task: the run must end by itself and name the host.

usage: outage.py OUTAGE HOST PLAY TASK MODULE SSH_CONFIG COMMAND...

OUTAGE is "link" (the host's network is down until the run has ended) or "session" (the SSH
connection to the host ends, and a new connection can be opened). It begins once MODULE runs on
the host, as the task of that play. The end of the run's output is printed; a wrong end fails.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# The time for the run to reach the task, and for its end after that.
SECONDS = 600


@contextlib.contextmanager
def link_down(host: str, ssh_config: Path) -> Iterator[None]:
    """Take down the host's link vb-HOST in the hosts' network, whose namespace the ssh file
    names.
    """
    found = re.search(r"--target (\d+) --net", ssh_config.read_text(encoding="utf-8"))
    assert found, f"{ssh_config} names no namespace"
    link = ["nsenter", "--target", found[1], "--net", "--", "ip", "link", "set", f"vb-{host}"]
    subprocess.run([*link, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run([*link, "up"], check=True)


@contextlib.contextmanager
def session_lost(host: str, ssh_config: Path) -> Iterator[None]:
    """End the shared connection of all sessions, which a process of ours keeps."""
    subprocess.run(["ssh", "-F", ssh_config, "-O", "exit", host], check=True, capture_output=True)
    yield


OUTAGES = {"link": link_down, "session": session_lost}


def runs_module(host: str, module: str, ssh_config: Path) -> bool:
    """Return whether a module runs on the host, asked over a connection that nobody shares."""
    words = ["ssh", "-F", ssh_config, "-o", "ControlPath=none", host, "pgrep", "--full", f"^/usr/bin/python.*AnsiballZ_{module}"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def main() -> int:
    outage, host, play, task, module, ssh_config, *command = sys.argv[1:]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)

        def output() -> str:
            said.seek(0)
            return said.read()

        def wait_for(happened: Callable[[], object]) -> None:
            deadline = time.monotonic() + SECONDS
            while not happened():
                assert process.poll() is None, f"it ended before it came to the task: {output()}"
                assert time.monotonic() < deadline, f"it did not come to the task: {output()}"
                time.sleep(0.05)

        try:
            task_of_play = re.compile(rf"PLAY \[{re.escape(play)}\](?:(?!PLAY \[).)*TASK \[[^]]*{re.escape(task)}", re.DOTALL)
            wait_for(lambda: task_of_play.search(output()))
            wait_for(lambda: runs_module(host, module, Path(ssh_config)))
            with OUTAGES[outage](host, Path(ssh_config)):
                code = process.wait(SECONDS)
        finally:
            process.kill()
            process.wait()
        print("\n".join(output().splitlines()[-30:]))
        assert code != 0
        assert re.search(rf"{re.escape(host)}[^\n]*UNREACHABLE!", output()), f"nothing is said of {host}: {output()}"
        assert "No new step begins" in output(), output()
    return 0


if __name__ == "__main__":
    sys.exit(main())
