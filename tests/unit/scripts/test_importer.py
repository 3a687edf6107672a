"""The import of an archive fails after any warning, and if the importer itself fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "importer.py"
# In place of galaxy-importer: it prints what the archive holds, and its settings.
PROGRAM = """
import os, pathlib, sys
text = pathlib.Path(sys.argv[1]).read_text()
print(text)
if "stopped" in text:
    sys.exit(1)
pathlib.Path("settings").write_text("\\n".join(f"{name}={value}" for name, value in os.environ.items()))
pathlib.Path("importer_result.json").write_text("{}")
"""


def imported(folder: Path, archive: str, **environment: str) -> tuple[int, str]:
    """Return the exit code and the last lines for an archive, of an importer that prints it."""
    package = folder / "packages" / "galaxy_importer"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "main.py").write_text(PROGRAM, encoding="utf-8")
    (folder / "archive.tar.gz").write_text(archive, encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(folder / "packages"), **environment}
    done = subprocess.run(
        [sys.executable, SCRIPT, "archive.tar.gz"], cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=60
    )
    assert not done.stderr
    return done.returncode, done.stdout[done.stdout.index("importer: ") :]


def test_an_archive_without_a_problem(tmp_path: Path) -> None:
    assert imported(tmp_path, "Loading module redis_stage: a name like WARNING is none") == (0, "importer: no warning and no error\n")


@pytest.mark.parametrize("line", ["WARNING: roles/a/tasks/main.yml:3: no-changed-when", "ERROR: Error running ansible-doc"])
def test_a_warning_fails(tmp_path: Path, line: str) -> None:
    assert imported(tmp_path, f"Linting\n{line}\ndone") == (1, f"importer: failed with exit code 0, 1 warnings and errors\n  {line}\n")


def test_an_importer_that_fails_in_silence(tmp_path: Path) -> None:
    assert imported(tmp_path, "stopped") == (1, "importer: failed with exit code 1, 0 warnings and errors\n")


def test_neither_home_nor_settings_of_the_user_count(tmp_path: Path) -> None:
    imported(tmp_path, "good", HOME="/nonexistent", ANSIBLE_CONFIG="/nonexistent", GALAXY_IMPORTER_RUN_ANSIBLE_LINT="False")
    work = tmp_path / ".cache" / "importer"
    settings = dict(line.partition("=")[::2] for line in (work / "settings").read_text(encoding="utf-8").splitlines() if "=" in line)
    assert settings["HOME"] == str(work / "home")
    assert settings["GALAXY_IMPORTER_RUN_ANSIBLE_LINT"] == "True"
    assert "ANSIBLE_CONFIG" not in settings
    assert {path.name for path in tmp_path.iterdir()} == {".cache", "packages", "archive.tar.gz"}
