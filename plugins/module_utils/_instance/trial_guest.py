# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest in a server on trial: a user of ours, as whom the server is asked for a list.

Files may hold passwords as they are, and rules in any form, so nobody else's login is used. Needs a
server with ACL users: Redis 6.0 or newer, or Valkey.
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import replace
from typing import BinaryIO

from .._errors import PreconditionFailed
from .._server.config_file import quoted
from .config_trial import HostFiles
from .config_trial_files import TrialConfig, TrialFile, TrialPlace

__all__ = ["Guest"]


class Guest:
    """A visit to a server on trial, which keeps the reply to one command as ``reply``.

    ``acl_file``: the absolute path of the file with the server's users; empty if there is none.
    ``right``: the right that the command needs.
    """

    def __init__(self, command: str, right: str, acl_file: str) -> None:
        self._command, self._right, self._acl_file = command, right, acl_file
        self.name = "trial-" + secrets.token_hex(8)
        self.reply: list[str] = []

    def prepare(self, config: TrialConfig, place: TrialPlace) -> TrialConfig:
        """Return the files of the trial with our own user."""
        line = f"user {self.name} on nopass {self._right}"
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
        """Ask the server that listens on a socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect(path)
            client.sendall(f"AUTH {self.name} x\r\n{self._command}\r\n".encode())
            with client.makefile("rb") as replies:
                if not replies.readline().startswith(b"+OK"):
                    raise PreconditionFailed("the server on trial does not accept its user")
                self.reply = [self._text(replies) for _number in range(self._count(replies, b"*"))]

    def _count(self, replies: BinaryIO, kind: bytes) -> int:
        head = replies.readline()
        if head[:1] != kind:
            raise PreconditionFailed(f"the server on trial answers {self._command} with {head.decode('utf-8', 'replace').strip()}")
        return int(head[1:])

    def _text(self, replies: BinaryIO) -> str:
        length = self._count(replies, b"$")
        return replies.read(length + 2)[:-2].decode("utf-8", "surrogateescape")
