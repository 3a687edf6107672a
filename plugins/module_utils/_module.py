# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main() of every module: options in, result or error out."""

from __future__ import annotations

import functools
import zipimport
from typing import Any, Callable, Iterable

from ansible.module_utils.basic import AnsibleModule


def _compile_once() -> None:
    """Let Python compile each file of a zip once.

    Ansible sends a module and its files as a zip. CPython's zipimport (3.8 to 3.14) compiles every
    file twice, in get_filename() and in get_code(), which is a fifth of a call's CPU.
    """
    compiled = getattr(zipimport, "_get_module_code", None)
    if compiled is not None:
        once = functools.lru_cache(maxsize=None)(compiled)
        zipimport._get_module_code = once  # type: ignore[attr-defined]


_compile_once()  # before the imports of the module, which imports this file first

from ._errors import SentinelOpsError  # noqa: E402
from ._progress_file import PROGRESS  # noqa: E402

__all__ = ["run_module"]


def run_module(
    spec: dict[str, Any],
    act: Callable[[dict[str, Any], bool], dict[str, Any]],
    *,
    os_error: str = "",
    secrets: Callable[[dict[str, Any]], Iterable[str]] | None = None,
    supports_check_mode: bool = True,
    **options: Any,
) -> None:
    """Run a module and exit: validate its options, act, and report the result or the error.

    ``act`` takes the options and whether check mode is on, and returns the result. ``changed`` is
    false unless the result has it, ``diff`` is reported in diff mode only, and each of ``warnings``
    becomes a warning of the task, also those in the facts of a SentinelOpsError.

    ``os_error`` is the message for an OSError, a format string with ``{error}`` and the options;
    without it an OSError is not caught. ``secrets`` returns values, beside those of ``no_log``
    options, that no output may show. Other ``options`` go to AnsibleModule (``required_if``, ...).
    """
    module = AnsibleModule(spec, supports_check_mode=supports_check_mode, **options)
    if secrets is not None:
        module.no_log_values.update(secrets(module.params))
    PROGRESS.begin(module.params.get("progress_file") or "")
    try:
        result = act(module.params, module.check_mode)
    except SentinelOpsError as error:
        _warn(module, error.facts)
        module.fail_json(**error.as_result())
    except OSError as error:
        if not os_error:
            raise
        module.fail_json(msg=os_error.format(**{**module.params, "error": error}))
    finally:
        PROGRESS.end()
    _warn(module, result)
    if not module._diff:
        result.pop("diff", None)
    module.exit_json(**{"changed": False, **result})


def _warn(module: AnsibleModule, facts: dict[str, Any]) -> None:
    for warning in facts.pop("warnings", []):
        module.warn(warning)
