"""The Pythons of this machine, and environments with an ansible-core or a redis-py for each."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

from cells import Controller, Pair
from supported import TARGETS

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "matrix"
# Controllers run roles on localhost, too, and the sandbox's servers are reached from there.
BESIDE_ANSIBLE = ("redis>=8",)
VERSIONS = "import importlib.metadata as m, platform, sys; print(platform.python_version(), m.version(sys.argv[1]))"


class NotHere(Exception):
    """A Python that this machine does not have."""


def _works(program: Path, python: str) -> bool:
    """Return whether a program is this Python; a shim of pyenv is not, unless it is selected."""
    code = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([program, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == python


@cache
def interpreter(python: str) -> Path:
    """Return the program of a Python, such as 3.12: from PATH, or a version of pyenv.

    Raises NotHere.
    """
    on_path, pyenv = shutil.which(f"python{python}"), shutil.which("pyenv")
    versions = {parent / "versions" for path in (on_path, pyenv) if path for parent in Path(path).parents}
    found = [Path(on_path)] if on_path else []
    found += [program for folder in sorted(versions) for program in sorted(folder.glob(f"{python}.*/bin/python{python}"))]
    for program in found:
        if _works(program, python):
            return program
    raise NotHere(f"no Python {python} with venv and pip")


def pythons_here() -> list[str]:
    """Return the supported Pythons that this machine has."""

    def is_here(python: str) -> bool:
        try:
            return bool(interpreter(python))
        except NotHere:
            return False

    return [python for python in TARGETS if is_here(python)]


def _environment(name: str, python: str, requirements: tuple[str, ...]) -> Path:
    """Return the folder of an environment with these packages; it is made once, and kept."""
    folder = CACHE / name
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([interpreter(python), "-m", "venv", folder], check=True)
        command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        subprocess.run(command, check=True)
        (folder / "complete").touch()
    return folder


def controller_environment(controller: Controller, *more: str) -> Path:
    """Return the folder of an environment with an ansible-core. Raises NotHere.

    ``more``: the requirements of further packages.
    """
    name = "-".join([str(controller), *("".join(filter(str.isalnum, package)) for package in more)])
    return _environment(name, controller.python, (controller.core.requirement, *BESIDE_ANSIBLE, *more))


def host_environment(pair: Pair) -> Path:
    """Return the folder of an environment with a redis-py. Raises NotHere."""
    return _environment(str(pair), pair.python, (pair.redis_py.requirement,))


def wheel_of_collections(controller: Controller) -> Path:
    """Return the wheel of the package ``ansible`` for an ansible-core; it is fetched once.

    Raises NotHere.
    """
    folder = CACHE / f"{controller}-collections"
    if not list(folder.glob("ansible-*.whl")):
        pip = [controller_environment(controller) / "bin" / "python", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--dest", folder, controller.core.collections], check=True)
    (found,) = folder.glob("ansible-*.whl")
    return found


def exact(environment: Path, package: str) -> tuple[str, str]:
    """Return the exact versions of an environment's Python and of a package."""
    done = subprocess.run([environment / "bin" / "python", "-c", VERSIONS, package], capture_output=True, text=True, check=True)
    python, version = done.stdout.split()
    return python, version
