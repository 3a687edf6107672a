"""What a configuration file says, in the same words whichever server has rewritten it."""

from __future__ import annotations

import re

# Valkey's names, and what it writes out that Redis leaves to the default
_NAMES = {"primaryauth": "masterauth", "primaryuser": "masteruser"}
_DEFAULTS = {"sanitize-payload"}


def settings(text: str) -> set[str]:
    """The settings, without quotes; those of several ``save`` lines in one."""
    found, saves = set(), []
    for line in re.findall(r"^[^#\s].*", text, re.MULTILINE):
        name, *words = line.replace('"', "").split()
        if name == "save":
            saves += words
        else:
            found.add(" ".join([_NAMES.get(name, name), *(word for word in words if word not in _DEFAULTS)]))
    return found | ({"save " + " ".join(saves)} if saves else set())


def state_of_sentinel(text: str) -> set[str]:
    """What a Sentinel must not lose: who it is, whom it knows and how it comes in; epochs are not
    among it, they grow.
    """
    return {line for line in settings(text) if re.match(r"sentinel (myid|known-|monitor|auth-|sentinel-)|user ", line)}
