# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directives that hold secrets, and hiding their values.

A pattern tells them, not a list: ``primaryauth`` is a name that Valkey 8.0 added for
``masterauth``, and a later version may add another one.
"""

from __future__ import annotations

import re
from typing import Sequence

__all__ = ["is_secret", "masked", "secrets_of"]

# requirepass, primaryauth, tls-key-file-pass, "sentinel auth-pass"; not tls-auth-clients
_SECRET = r"[\w-]*(?:auth|pass|passwd|password|passphrase|secret)"
# Names of accounts, too, are masked in diffs, and an ACL user's line, which holds its passwords.
_ACCOUNT = r"(?:masteruser|primaryuser|auth-user|sentinel-user|user)"

_IS_SECRET = re.compile(_SECRET, re.IGNORECASE)
_MASKED = re.compile(rf"""(?im)^([^\S\n]*(?:["']?sentinel["']?[^\S\n]+)?["']?(?:{_SECRET}|{_ACCOUNT})["']?[^\S\n]).*$""")


def is_secret(name: str) -> bool:
    """Return whether the value of this configuration parameter is a secret."""
    return _IS_SECRET.fullmatch(name) is not None


def secrets_of(words: Sequence[str]) -> list[str]:
    """Return the secrets in a directive and its arguments, for example those of an ACL user."""
    name = words[0].lower()
    if name == "user":
        return [word[1:] for word in words[2:] if word[:1] in "><#!"]
    if name == "sentinel" and len(words) > 1 and is_secret(words[1]):
        # the master's name comes before its password
        return list(words[3 if words[1].lower() == "auth-pass" else 2 :])
    return list(words[1:]) if is_secret(name) else []


def masked(text: str) -> str:
    """Return the text of a configuration file with asterisks for the values of secrets."""
    return _MASKED.sub(r"\1********", text)
