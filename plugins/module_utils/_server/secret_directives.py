# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directives that hold secrets, and hiding their values.

``primaryauth`` and ``primaryuser`` are names that Valkey 8.0 added for ``masterauth`` and
``masteruser``.
"""

from __future__ import annotations

import re
from typing import Sequence

__all__ = ["is_secret", "masked", "secrets_of"]

_SECRETS = ("requirepass", "masterauth", "primaryauth", "tls-key-file-pass", "tls-client-key-file-pass")
# Options of the directive "sentinel", with the index of the first word of their secret.
_SENTINEL_SECRETS = {"auth-pass": 3, "sentinel-pass": 2}
# Directives that name accounts: masked in diffs, since an ACL user's line holds its passwords.
_ACCOUNTS = ("masteruser", "primaryuser", "user")
_SENTINEL_ACCOUNTS = ("auth-user",)

_MASKED = re.compile(
    rf"(?im)^(\s*(?:{'|'.join((*_SECRETS, *_ACCOUNTS))}|sentinel\s+(?:{'|'.join((*_SENTINEL_SECRETS, *_SENTINEL_ACCOUNTS))}))\s).*$"
)


def is_secret(name: str) -> bool:
    """Return whether the value of this configuration parameter is a secret."""
    return name.lower() in _SECRETS or name.lower().endswith("pass")


def secrets_of(words: Sequence[str]) -> list[str]:
    """Return the secrets in a directive and its arguments, for example those of an ACL user."""
    name = words[0].lower()
    if name in _SECRETS:
        return list(words[1:])
    if name == "user":
        return [word[1:] for word in words[2:] if word[:1] in "><#!"]
    if name == "sentinel" and len(words) > 1:
        return list(words[_SENTINEL_SECRETS.get(words[1].lower(), len(words)) :])
    return []


def masked(text: str) -> str:
    """Return the text of a configuration file with asterisks for the values of secrets."""
    return _MASKED.sub(r"\1********", text)
