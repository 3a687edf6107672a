# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in configuration files: which words of a directive must not be shown."""

from __future__ import annotations

from typing import Iterable, Sequence

from .._server.secret_directives import secrets_of

__all__ = ["distinct_secrets"]

# A shorter secret would blot out parts of ordinary words, and appears only in the line itself.
_SHORTEST = 4


def distinct_secrets(lines: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return the secrets among the words of all lines, the longest first."""
    found = {secret for words in lines if words for secret in secrets_of(words) if len(secret) >= _SHORTEST}
    return tuple(sorted(found, key=len, reverse=True))
