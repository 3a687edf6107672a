# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ACL users that a server would have after a restart, as ACL LIST shows them.

Files may hold passwords as they are, and rules in any form. So a server of the running version
loads copies of them, with one more user, as whom ACL LIST is asked.
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import replace
from typing import BinaryIO

from .._errors import PreconditionFailed
from .._server.config_file import quoted
from .._wait import Clock
from .config_trial import HostFiles, Surroundings, Trial, try_config
from .config_trial_files import TrialConfig, TrialFile, TrialPlace

__all__ = ["saved_users"]


def saved_users(trial: Trial, acl_file: str, surroundings: Surroundings, wait_s: float, clock: Clock) -> list[str]:
    """Return the lines of ACL LIST of a server that has just been started with these files.

    ``acl_file``: the absolute path; empty if users are in the configuration. Raises
    PreconditionFailed if the server does not start with them.
    """
    visit = _Asking(acl_file)
    try_config(trial, surroundings, wait_s, clock, visit)
    return visit.users


class _Asking:
    """A visit to a server on trial."""

    def __init__(self, acl_file: str) -> None:
        self._acl_file = acl_file
        self._name = "trial-" + secrets.token_hex(8)
        self.users: list[str] = []

    def prepare(self, config: TrialConfig, place: TrialPlace) -> TrialConfig:
        """Return the files of the trial with our own user."""
        line = f"user {self._name} on nopass +acl"
        main, *others = config.files
        if not self._acl_file:
            return replace(config, files=(replace(main, text=f"{main.text}{line}\n"), *others))
        path = os.path.join(place.folder, "users.acl")
        text = HostFiles().read(self._acl_file)
        if text is None:
            raise PreconditionFailed(f"the ACL file {self._acl_file} cannot be read")
        users = TrialFile(path, f"{text}\n{line}\n", self._acl_file, text)
        main = replace(main, text=f"{main.text}aclfile {quoted(path)}\n")
        return replace(config, files=(main, *others, users))

    def ask(self, path: str) -> None:
        """Ask the server that listens on a socket for its users."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect(path)
            client.sendall(f"AUTH {self._name} x\r\nACL LIST\r\n".encode())
            with client.makefile("rb") as replies:
                if not replies.readline().startswith(b"+OK"):
                    raise PreconditionFailed("the server on trial does not accept its user")
                users = [_text(replies) for _number in range(_count(replies, b"*"))]
        self.users = [line for line in users if line.split()[1] != self._name]


def _count(replies: BinaryIO, kind: bytes) -> int:
    head = replies.readline()
    if head[:1] != kind:
        raise PreconditionFailed(f"the server on trial answers ACL LIST with {head.decode('utf-8', 'replace').strip()}")
    return int(head[1:])


def _text(replies: BinaryIO) -> str:
    length = _count(replies, b"$")
    return replies.read(length + 2)[:-2].decode("utf-8", "surrogateescape")
