"""Run an upgrade, and kill everything while it replaces the packages of a host.

usage: kill_packages.py HOST PROGRAM SSH_CONFIG COMMAND...

PROGRAM replaces the packages: dpkg or dnf. The module and the package manager on the host are
killed at once, and the upgrade itself. It fails if the upgrade ends before that.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

SECONDS = 600
KILL = """
until pgrep -f AnsiballZ_redis_instance > /dev/null && pgrep -x {program} > /dev/null; do sleep 0.02; done
sleep {after_s}
sudo pkill -KILL -f AnsiballZ_redis_instance
sudo pkill -KILL -x apt-get
sudo pkill -KILL -x {program}
"""
# ^The program is in the middle of its work; dnf loads its metadata first.
AFTER_S = {"dpkg": 0.2, "dnf": 0.8}


def main() -> int:
    host, program, ssh_config, *command = sys.argv[1:]
    script = KILL.format(program=program, after_s=AFTER_S[program])
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        upgrade = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        killer = subprocess.Popen(["ssh", "-F", ssh_config, host, script], stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + SECONDS
            while killer.poll() is None:
                assert upgrade.poll() is None, "the upgrade ended before it came to the packages of the host"
                assert time.monotonic() < deadline, "the upgrade did not come to the packages of the host"
                time.sleep(0.02)
        finally:
            ended = upgrade.poll()
            for process in (upgrade, killer):
                process.kill()
                process.wait()
            said.seek(0)
            print("\n".join(said.read().splitlines()[-15:]))
        assert ended is None
    return 0


if __name__ == "__main__":
    sys.exit(main())
