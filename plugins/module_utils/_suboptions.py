# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of an option that is a dictionary with the options of another module."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ._errors import PreconditionFailed

__all__ = ["suboptions"]


def suboptions(
    name: str, given: Mapping[str, Any], spec: dict[str, Any], told: Mapping[str, Any] | None = None, **rules: Any
) -> dict[str, Any]:
    """Return the options with types and defaults.

    ``name`` begins the error. ``rules``: as ``required_one_of``. Raises PreconditionFailed, with
    the arguments ``told``, if an option is wrong, missing or unknown.
    """
    validated = ArgumentSpecValidator(spec, **rules).validate(dict(given))
    if validated.error_messages:
        raise PreconditionFailed(f"{name}: {'; '.join(validated.error_messages)}", **(told or {}))
    return dict(validated.validated_parameters)
