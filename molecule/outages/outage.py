"""Run an upgrade that loses a host during a task: the run must end by itself and name the host.

usage: outage.py OUTAGE HOST PLAY TASK SSH_CONFIG COMMAND...

OUTAGE is "link" (the host's network is down until the run has ended) or "session" (the SSH
connection to the host ends, and a new connection can be opened). The end of the run's output is
printed; a wrong end fails.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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


def main() -> int:
    outage, host, play, task, ssh_config, *command = sys.argv[1:]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)

        def output() -> str:
            said.seek(0)
            return said.read()

        def wait_for(task_of_play: re.Pattern[str]) -> None:
            deadline = time.monotonic() + SECONDS
            while not task_of_play.search(output()):
                assert process.poll() is None, f"it ended before it came to the task: {output()}"
                assert time.monotonic() < deadline, f"it did not come to the task: {output()}"
                time.sleep(0.05)

        try:
            wait_for(re.compile(rf"PLAY \[{re.escape(play)}\](?:(?!PLAY \[).)*TASK \[[^]]*{re.escape(task)}", re.DOTALL))
            time.sleep(1)  # the module has been sent and has begun
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
