"""The zip in which Ansible sends a module: each of its files is compiled once."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

COUNT = """
import builtins, sys
sys.path[:0] = {path!r}
import ansible_collections.sentinelops.redis.plugins.module_utils._module
compiled, real = [], builtins.compile
def counting(source, name, *rest, **options):
    compiled.append(name)
    return real(source, name, *rest, **options)
builtins.compile = counting
sys.path.insert(0, {zip!r})
import some_file
print(len([name for name in compiled if "some_file" in str(name)]), some_file.VALUE)
"""


def test_a_file_is_compiled_once(tmp_path: Path) -> None:
    made = tmp_path / "module.zip"
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("some_file.py", "VALUE = 7\n")
    code = COUNT.format(path=sys.path, zip=str(made))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "7"]
