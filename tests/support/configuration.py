"""The contents of a configuration file in one form, whichever server has rewritten the file."""

from __future__ import annotations

import re

# Valkey's names, and values that Valkey writes and Redis leaves to the default
_NAMES = {"primaryauth": "masterauth", "primaryuser": "masteruser"}
_DEFAULTS = {"sanitize-payload"}


def settings(text: str) -> set[str]:
    """Return the settings without quotes, and several ``save`` lines as one."""
    found, saves = set(), []
    for line in re.findall(r"^[^#\s].*", text, re.MULTILINE):
        name, *words = line.replace('"', "").split()
        if name == "save":
            saves += words
        else:
            found.add(" ".join([_NAMES.get(name, name), *(word for word in words if word not in _DEFAULTS)]))
    return found | ({"save " + " ".join(saves)} if saves else set())


def state_of_sentinel(text: str) -> set[str]:
    """Return the lines that a Sentinel must keep: identity, known instances, logins.

    Epochs are left out, since they grow.
    """
    return {line for line in settings(text) if re.match(r"sentinel (myid|known-|monitor|auth-|sentinel-)|user ", line)}
