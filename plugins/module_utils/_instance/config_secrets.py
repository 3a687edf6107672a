# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in configuration files: which words of a directive must not be shown."""

from __future__ import annotations

from typing import Iterable, Sequence

__all__ = ["distinct_secrets", "secrets_of"]

_DIRECTIVES = {"requirepass", "masterauth", "primaryauth", "tls-key-file-pass", "tls-client-key-file-pass"}
# a Sentinel's directive, and the position of its secret
_SENTINEL_DIRECTIVES = {"auth-pass": 3, "sentinel-pass": 2}
# A shorter secret would blot out parts of ordinary words, and appears only in the line itself.
_SHORTEST = 4


def secrets_of(words: Sequence[str]) -> list[str]:
    """Return the secrets among the words of a line."""
    name = words[0].lower()
    if name in _DIRECTIVES:
        return list(words[1:])
    if name == "user":
        return [word[1:] for word in words[2:] if word[:1] in "><#!"]
    if name == "sentinel" and len(words) > 1:
        return list(words[_SENTINEL_DIRECTIVES.get(words[1].lower(), len(words)) :])
    return []


def distinct_secrets(lines: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return the secrets among the words of all lines, the longest first."""
    found = {secret for words in lines if words for secret in secrets_of(words) if len(secret) >= _SHORTEST}
    return tuple(sorted(found, key=len, reverse=True))
