"""Kill a run in the middle of a change of the file system."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

# Replacing a file changes its mode, syncs it and renames it.
CHANGES = [
    *((os, name) for name in ("rename", "replace", "makedirs", "chmod", "fchmod", "fsync", "symlink", "link")),
    (shutil, "copyfile"),
]


class Killed(BaseException):
    """The end of the run."""


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> bool:
    """Run ``act``, and kill it before the n-th change of the file system (from 0 on).

    Returns whether the function reached that change.
    """
    counter = itertools.count()
    with monkeypatch.context() as patched:
        for module, name in CHANGES:
            patched.setattr(module, name, _dying(getattr(module, name), counter, number))
        try:
            act()
        except Killed:
            return True
    return False


def _dying(function: Callable[..., Any], counter: itertools.count[int], number: int) -> Callable[..., Any]:
    def called(*arguments: Any, **options: Any) -> Any:
        if next(counter) == number:
            raise Killed
        return function(*arguments, **options)

    return called
