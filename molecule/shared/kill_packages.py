"""Run an upgrade, and kill everything while it replaces the packages of a host.

usage: kill_packages.py HOST PROGRAM SSH_CONFIG COMMAND...

PROGRAM replaces the packages: dpkg or dnf. The module and the package manager on the host are
killed at once, and the upgrade itself. It fails if the upgrade ends before that, or if the host is
not left in the middle.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

SECONDS = 600
# The module is the parent of the package manager. Brackets keep patterns from matching this script.
KILL = """
before=$(stat --dereference --format %i /usr/bin/redis-server)
until manager=$(pgrep -x -o {manager}) && pgrep -f '{pattern}' > /dev/null; do sleep 0.02; done
{middle}
sudo kill -KILL $(ps -o ppid= -p $manager) $manager
sudo pkill -KILL -x {program}
test -e /usr/sbin/policy-rc.d
"""
# By program: the package manager, its command that installs, and what waits for the middle of it;
# dnf first loads its metadata, for some time.
KILLS = {
    "dpkg": ("apt-get", "[d]pkg .*--unpack", "sleep 0.1"),
    "dnf": (
        "dnf",
        "[d]nf .*--disablerepo",
        'while test "$(stat --dereference --format %i /usr/bin/redis-server)" = $before; do sleep 0.01; done',
    ),
}


def main() -> int:
    host, program, ssh_config, *command = sys.argv[1:]
    manager, pattern, middle = KILLS[program]
    script = KILL.format(manager=manager, pattern=pattern, middle=middle, program=program)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        upgrade = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        killer = subprocess.Popen(["ssh", "-F", ssh_config, host, script], stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + SECONDS
            while killer.poll() is None and upgrade.poll() is None:
                assert time.monotonic() < deadline, "the upgrade did not come to the packages of the host"
                time.sleep(0.02)
            upgrade.kill()
            killed = killer.wait(60)
        finally:
            for process in (upgrade, killer):
                process.kill()
                process.wait()
            said.seek(0)
            print("\n".join(said.read().splitlines()[-15:]))
        assert killed == 0, "the host was not left in the middle of the installation"
    return 0


if __name__ == "__main__":
    sys.exit(main())
