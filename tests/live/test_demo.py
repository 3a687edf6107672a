"""The demo from and to Valkey: a whole upgrade of a sandbox under writes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from deployment import ROOT

pytestmark = pytest.mark.extended


@pytest.mark.parametrize(("old", "new"), [("7.0.15", "valkey-8.0.1"), ("valkey-8.0.1", "valkey-9.1.2")])
def test_the_demo_from_and_to_valkey(old: str, new: str) -> None:
    words = [sys.executable, ROOT / "scripts" / "demo.py", "--from", old, "--to", new]
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-3000:]
    assert ", lost 0, unexpected 0, duplicates 0" in done.stdout
