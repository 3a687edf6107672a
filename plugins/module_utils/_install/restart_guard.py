# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A context in which the scripts of packages start, stop, restart and reload no server.

Scripts of packages act on services in several ways. Each has its own defence:

- Any call of ``systemctl``, also for marked restarts (rpm macros), meets a substitute. It ignores
  what would start, stop, restart or disable a unit. Only the package manager and its children see
  the substitute, which is mounted in their own mount namespace and ends with them.
- ``invoke-rc.d`` and ``deb-systemd-invoke`` (Debian) ask ``/usr/sbin/policy-rc.d``, which forbids.
- needrestart is suspended by ``NEEDRESTART_SUSPEND`` (``package_apt``).

A drop-in with ``RefuseManualStop=`` would not do: systemd 252 restarts marked units nevertheless.
And after a kill, neither this module nor an operator could start a stopped unit.

The policy is marked, so that the leftovers of a killed run are found.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Iterator, Sequence

from .._atomic_write import write_atomically
from .._errors import PreconditionFailed, SentinelOpsError
from .._host.service import THIS_HOST, Host
from .._server.config_file import read_text

__all__ = ["RestartGuard", "instances_of"]

_MARK = "# Written by the Ansible collection sentinelops.redis while it replaces packages"
_POLICY = f"#!/bin/sh\n{_MARK}\nexit 101\n"
_ASIDE = ".before-sentinelops"
# Runs the words after the first in a mount namespace with the substitute. A copy of systemctl is
# kept there, since the substitute hides the original. $1: an existing folder.
_NAMESPACE = f"""
set -e
place=$1; shift
mount -t tmpfs -o mode=755 tmpfs "$place"
real=$(readlink -f "$(command -v systemctl)")
cp -p "$real" "$place/systemctl"
cat > "$place/substitute" <<'END'
#!/bin/sh
{_MARK}
[ "${{0##*/}}" = systemctl ] || exit 0
for word in "$@"; do
  case $word in
    start|stop|restart|try-restart|condrestart|condstop|reload|force-reload|kill|isolate|disable|mask|--marked|--now) exit 0 ;;
    reload-or-restart|reload-or-try-restart|try-reload-or-restart|set-property|default|rescue|reboot|poweroff|halt) exit 0 ;;
  esac
done
exec {{place}}/systemctl "$@"
END
sed -i "s|{{place}}|$place|" "$place/substitute"
chmod 755 "$place/substitute"
mount --bind "$place/substitute" "$real"
exec "$@"
"""
_ENABLED = ("enabled", "enabled-runtime", "disabled")


@dataclass(frozen=True)
class RestartGuard:
    """The guard of these units of systemd. ``policy``: the file that Debian's scripts ask."""

    units: tuple[str, ...]
    host: Host = THIS_HOST
    policy: str = "/usr/sbin/policy-rc.d"
    place: str = "/run/sentinelops-redis"

    @property
    def namespace(self) -> list[str]:
        """Return the words before a command that make it meet the substitute of systemctl."""
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", _NAMESPACE, "sh", self.place]

    def require_possible(self) -> None:
        """Raise PreconditionFailed if no mount namespace can be made on this host."""
        if self.units:
            os.makedirs(self.place, mode=0o755, exist_ok=True)
            done = self.host.run([*self.namespace, "systemctl", "restart", "nothing.service"], 30)
            if done.code:
                raise PreconditionFailed(
                    f"no mount namespace can be made here, to keep the packages from restarting servers: {done.errors or done.output}",
                    state="The version in use was not touched",
                    advice="Run with become; a container needs CAP_SYS_ADMIN. Or use version folders instead of packages",
                )

    @contextlib.contextmanager
    def active(self) -> Iterator[list[str]]:
        """Keep every server as it is inside the context, running or stopped.

        Yields the words to put before the command that replaces packages.

        Units stay enabled or disabled as they were. Restarts that a script has marked for later are
        unmarked. The leftovers of a killed run are taken over, and removed at the end.
        """
        self.require_possible()
        enabled = self._enabled()
        self._forbid()
        try:
            yield self.namespace if self.units else []
        finally:
            self._unmark()
            self._restore_enabled(enabled)
            self.remove()

    def leftovers(self) -> list[str]:
        """Return the files of a killed run that still forbid scripts of packages to act."""
        return [*([self.policy] if self._is_ours() else []), *([self._aside] if os.path.lexists(self._aside) else [])]

    def remove(self) -> None:
        """Remove the policy of the guard, and put back the one that was there before."""
        if os.path.lexists(self._aside):
            os.replace(self._aside, self.policy)
        elif self._is_ours():
            os.remove(self.policy)

    @property
    def _aside(self) -> str:
        return self.policy + _ASIDE

    def _is_ours(self) -> bool:
        with contextlib.suppress(OSError, SentinelOpsError):
            return _MARK in read_text(self.policy)
        return False

    def _forbid(self) -> None:
        if os.path.lexists(self.policy) and not self._is_ours():
            os.rename(self.policy, self._aside)
        write_atomically(self.policy, _POLICY, mode=0o755)

    def _properties(self, name: str) -> dict[str, str]:
        """Return a property of each unit."""
        found = {}
        for unit in self.units:
            shown = self.host.run(["systemctl", "show", "--no-pager", f"--property={name}", "--value", "--", unit], 30)
            found[unit] = shown.output.strip()
        return found

    def _enabled(self) -> dict[str, str]:
        return self._properties("UnitFileState")

    def _restore_enabled(self, before: dict[str, str]) -> None:
        for unit, now in self._enabled().items():
            if now != before[unit] and now in _ENABLED and before[unit] in _ENABLED:
                self.host.run(["systemctl", "disable" if before[unit] == "disabled" else "enable", "--", unit], 60)

    def _unmark(self) -> None:
        """Remove the marks by which ``systemctl reload-or-restart --marked`` restarts units.

        Releases of systemd before 248 know no marks, and show none.
        """
        marked = [unit for unit, markers in self._properties("Markers").items() if markers]
        for unit in marked:
            self.host.run(["systemctl", "set-property", "--runtime", "--", unit, "Markers="], 30)


def instances_of(templates: Sequence[str], host: Host = THIS_HOST) -> list[str]:
    """Return the loaded instances of templates of units: ``redis-server@.service``."""
    patterns = [template.replace("@.", "@*.") for template in templates if "@." in template]
    if not patterns:
        return []
    words = ["systemctl", "list-units", "--all", "--full", "--plain", "--no-legend", "--no-pager", "--", *patterns]
    return [line.split()[0] for line in host.run(words, 30).output.splitlines() if line.split()]
