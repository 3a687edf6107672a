"""Run a module's main() in this process, and read its result."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

PACKAGE = "ansible_collections.sentinelops.redis.plugins"
PLUGINS = Path(__file__).parents[3] / "plugins"
NAMES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))


def module(name: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.modules.{name}")


class Runner:
    """A runner of modules. ``run`` returns the result, and checks that the exit code fits."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def run(self, name: str, check_mode: bool = False, diff: bool = False, **params: Any) -> dict[str, Any]:
        self._capsys.readouterr()
        given = {**params, "_ansible_check_mode": check_mode, "_ansible_diff": diff, "_ansible_remote_tmp": "/tmp"}
        with patch_module_args(given), pytest.raises(SystemExit) as ended:
            module(name).main()
        result: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        assert bool(ended.value.code) is bool(result.get("failed"))
        return result
