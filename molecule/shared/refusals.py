"""Spoil a machine in several ways, and check that an upgrade is refused before anything is stopped.

usage: refusals.py INVENTORY SSH_CONFIG MACHINES CASE...    (MACHINES: names, separated by commas)

Each case spoils the last machine, runs the upgrade, and repairs the machine. The upgrade must fail
with certain words, and all servers of all machines must be the same processes as before.
"""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from upgraded_host import as_root

from playbooks import started, words

SECONDS = 300
LOCKING = "import fcntl, sys, time; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX); time.sleep(600)"
LOCK = f"systemd-run --quiet --unit=spoiler python3 -c {shlex.quote(LOCKING)}"
BROKEN_PACKAGE = r"""
mkdir -p /tmp/spoiler/DEBIAN
cat > /tmp/spoiler/DEBIAN/control <<'CONTROL'
Package: spoiler
Version: 1
Architecture: all
Maintainer: nobody <root@localhost>
Description: cannot be configured
CONTROL
printf '#!/bin/sh\nexit 1\n' > /tmp/spoiler/DEBIAN/postinst
chmod 755 /tmp/spoiler/DEBIAN /tmp/spoiler/DEBIAN/postinst
dpkg-deb --root-owner-group --build /tmp/spoiler /tmp/spoiler.deb
! dpkg --install /tmp/spoiler.deb
"""


@dataclass(frozen=True)
class Case:
    """``said``: words of the message. ``given``: variables of the upgrade."""

    said: tuple[str, ...]
    spoil: str = "true"
    repair: str = "true"
    given: dict[str, Any] = field(default_factory=dict)


def mounted(folder: str, options: str) -> dict[str, str]:
    """Return how a folder is mounted on itself with more options, and how that ends."""
    return {
        "spoil": f"mkdir -p {folder} && mount --bind {folder} {folder} && mount -o remount,bind,{options} {folder}",
        "repair": f"umount --lazy {folder}",
    }


CASES = {
    "unknown version": Case(
        ("there is no version 9.9.9-1", "add the repository"),
        given={"redis_binaries_package_version": "9.9.9-1"},
    ),
    "half configured": Case(
        ("the installation of spoiler (half-configured) is not complete", "dpkg --configure -a"),
        BROKEN_PACKAGE,
        "dpkg --purge spoiler",
    ),
    "dpkg is locked": Case(
        ("another program has locked the database of dpkg", "Wait for its end"),
        f"{LOCK} /var/lib/dpkg/lock-frontend",
        "systemctl stop spoiler",
    ),
    "rpm is locked": Case(
        ("another program has locked the database of rpm", "Wait for its end"),
        f'{LOCK} "$(rpm --eval %_dbpath)/.rpm.lock"',
        "systemctl stop spoiler",
    ),
    "held": Case(("redis-tools is held", "redis_binaries_hold"), "apt-mark hold redis-tools", "apt-mark unhold redis-tools"),
    "read-only /usr": Case(("is read-only", "Mount it read-write"), **mounted("/usr", "ro")),
    "full": Case(
        ("free at /var/cache/sentinelops-redis", "Free disk space"),
        "mkdir -p /var/cache/sentinelops-redis && mount -t tmpfs -o size=64k spoiler /var/cache/sentinelops-redis",
        "umount --lazy /var/cache/sentinelops-redis",
    ),
    "noexec": Case(("is mounted with noexec", "Mount it with exec"), **mounted("/usr/lib/sentinelops-redis", "noexec")),
    "read-only programs": Case(("of its programs is not writable", "mounted for writing"), **mounted("/usr/local/bin", "ro")),
    "noexec programs": Case(("is mounted with noexec", "Mount it with exec"), **mounted("/usr/local/bin", "noexec")),
}


class Machines:
    """The machines over SSH, as root."""

    def __init__(self, ssh_config: str, names: list[str]) -> None:
        self._config, self.names = ssh_config, names

    def run(self, machine: str, script: str) -> str:
        return as_root(self._config, machine, "bash", "-euxs", text=script)

    def servers(self) -> dict[str, str]:
        """Return processes and start times of the servers of each machine."""
        script = "ps -e -o pid=,lstart=,comm= | grep -E '(redis|valkey)-(server|sentinel)' | sort"
        return {name: self.run(name, script) for name in self.names}


def refused(case: Case, inventory: str, machines: Machines) -> str:
    """Return the message of an upgrade that is refused."""
    before = machines.servers()
    spoiled = machines.names[-1]
    machines.run(spoiled, case.spoil)
    try:
        asked = ["ansible-playbook", f"--inventory={inventory}", f"--extra-vars={json.dumps(case.given)}", "sentinelops.redis.upgrade"]
        with tempfile.TemporaryDirectory() as folder, started(asked, Path(folder) / "log") as running:
            code, output = running.end(SECONDS), words(running.output)
    finally:
        machines.run(spoiled, case.repair)
    assert code != 0, output
    for text in case.said:
        assert text in output, f"nothing says {text!r}: {output}"
    assert machines.servers() == before, (before, machines.servers())
    at = output.index(case.said[0])
    return output[max(0, at - 80) : at + 300]


def main() -> None:
    inventory, ssh_config, names, *cases = sys.argv[1:]
    for name in cases:
        print(f"{name}: {refused(CASES[name], inventory, Machines(ssh_config, names.split(',')))}", flush=True)


if __name__ == "__main__":
    main()
