# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own commands as the activation of a version: for containers, Nix, or own tools.

Nothing is assumed about files: the server may run in another mount namespace. So whether a version
is in place cannot be read anywhere; the version that the started server reports is the proof. A
command may run again after an interruption, and must be idempotent.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from .._atomic_write import FileIdentity
from .._errors import OperationFailed, PreconditionFailed
from .._host.service import THIS_HOST, Host, command_words
from .instance_files import InstanceFiles

__all__ = ["COMMAND_NAMES", "OwnCommands", "command_environment", "command_record", "filled", "own_words", "read_command"]

COMMAND_NAMES = ("stage", "activate", "deactivate")


def command_record() -> dict[str, Any]:
    """Return the record of an activation by commands; no folder or file is known."""
    return {"method": "command", "folder": "", "staged": "", "kept": "", "doubts": []}


def filled(words: Sequence[str], version: str, previous: str) -> list[str]:
    """Return the words of a command with its placeholders ``{version}`` and ``{previous}`` filled.

    ``version``: the version of the upgrade. ``previous``: the version before the upgrade.
    """
    return [str(word).replace("{version}", version).replace("{previous}", previous) for word in words]


def command_environment(version: str, previous: str) -> dict[str, str]:
    """Return the variables of the environment that every such command gets."""
    return {"SENTINELOPS_VERSION": version, "SENTINELOPS_PREVIOUS": previous}


def read_command(given: Any, name: str) -> dict[str, Any]:
    """Return ``{"words", "problem"}`` of a command that is given as a list or as a line.

    ``words`` is empty if no command is given. ``problem``: why this host cannot run the command.
    """
    if not given:
        return {"words": [], "problem": ""}
    try:
        return {"words": own_words(given, name), "problem": ""}
    except PreconditionFailed as error:
        return {"words": _split(given), "problem": error.message}


def own_words(given: Any, name: str) -> list[str]:
    """Return the words of a command.

    Raises PreconditionFailed if the command is empty, or its program is missing. A program whose
    path has a placeholder is not looked for, since it may come with the version.
    """
    words = _split(given)
    return words if words and filled(words[:1], "", "") != words[:1] else command_words(given, name)


def _split(given: Any) -> list[str]:
    """Return the words of a list or a line; of a line that cannot be read, the line itself."""
    if isinstance(given, (list, tuple)):
        return [str(word) for word in given]
    try:
        return shlex.split(str(given or ""))
    except ValueError:
        return [str(given)]


@dataclass(frozen=True)
class OwnCommands:
    """The commands that activate ``version`` and put ``previous`` back, each while the instance is
    down.

    ``wait_s``: how long a command may take, in seconds.
    """

    activate_words: tuple[str, ...] = ()
    deactivate_words: tuple[str, ...] = ()
    version: str = ""
    previous: str = ""
    wait_s: float = 300
    host: Host = THIS_HOST

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> OwnCommands:
        """Return the activation of a record; that of a survey has neither commands nor versions."""
        words = [tuple(record.get(name) or ()) for name in ("activate", "deactivate")]
        versions = [str(record.get(name) or "") for name in ("new_version", "previous_version")]
        return cls(words[0], words[1], versions[0], versions[1], float(record.get("wait_s") or 300))

    @property
    def staged(self) -> str:
        return ""

    def changed_folders(self) -> list[str]:
        """Return the root folder: commands may change anything, so those of one machine run one
        after the other.
        """
        return ["/"]

    def installed_version(self) -> str:
        """Return the version before, as the survey has seen it."""
        return self.previous

    def staged_version(self) -> str:
        return ""

    def interrupted(self) -> bool:
        return False

    def kept_version(self) -> str:
        return self.previous

    def in_place(self, version: str) -> bool:
        """Return true: only the running server tells its version, and callers ask the server."""
        return True

    def activated(self, version: str) -> bool:
        """Return false: the command runs again, since nothing tells whether it has run."""
        return False

    def serves_previous(self, executable: str, version: str) -> bool:
        return True

    def runs_elsewhere(self, executable: str) -> bool:
        return False

    def copies(self, config_file: str) -> bool:
        return True  # no file of the server is touched

    def current_path(self, path: str) -> str:
        return path

    def new_server(self) -> str:
        return ""

    def changes_server_path(self, executable: str) -> bool:
        return False

    def require_staged(self, version: str) -> None:
        """Do nothing: the stage command has ended well, or the run has ended."""

    def require_activatable(self, files: InstanceFiles) -> None:
        """Raise PreconditionFailed unless both commands are known, so that there is a way back."""
        if not self.activate_words or not self.deactivate_words:
            raise PreconditionFailed(
                "with the activation method command, both an activate and a deactivate command are needed",
                state="The version in use was not touched",
                advice="Give both; the second one puts the previous version back if the new one fails",
            )

    def files_after(self, files: InstanceFiles) -> InstanceFiles:
        return files

    def activate(self, files: InstanceFiles, identity: FileIdentity | None) -> InstanceFiles:
        """Run the activate command. Raises OperationFailed if it ends with an error."""
        self._run(self.activate_words, "activate")
        return files

    def revert(self, files: InstanceFiles, version: str) -> InstanceFiles:
        """Run the deactivate command. Raises OperationFailed if it ends with an error."""
        self._run(self.deactivate_words, "deactivate")
        return files

    def _run(self, given: Sequence[str], name: str) -> None:
        words = filled(given, self.version, self.previous)
        done = self.host.run(words, self.wait_s, command_environment(self.version, self.previous))
        if done.code:
            raise OperationFailed(
                f"the {name} command {shlex.join(words)} ended with {done.code}: {(done.errors or done.output.strip())[-1000:]}",
                advice="Run the command by hand on the host; it must be possible to run it again",
            )
