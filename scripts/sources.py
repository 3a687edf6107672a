"""Fetch the source releases that the tests build into .cache/sources, from Debian's archive.

usage: sources.py [VERSION ...]    (default: all)
"""

from __future__ import annotations

import hashlib
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "sources"
POOL = "http://deb.debian.org/debian/pool/main/r/redis"
CHECKSUMS = {
    "6.0.16": "8bea58a468bb67bedc92d8c2e44c170e42e6ea02527cbc5d233e92e8d78d1b99",
    "8.0.2": "caf3c0069f06fc84c5153bd2a348b204c578de80490c73857bee01d9b5d7401f",
    "8.0.6": "763bf3005bcbf77c1d8145016a9627e45219665f99cf5a736bc73ec70faf0c8e",
}


def source_of(version: str) -> Path:
    """Return the path of a version's archive, whether it exists or not."""
    return CACHE / f"redis_{version}.orig.tar.gz"


def fetch(version: str) -> str:
    """Fetch a version unless it is there; return the problem, or an empty text."""
    path, wanted = source_of(version), CHECKSUMS.get(version)
    if wanted is None:
        return f"{version}: only {', '.join(CHECKSUMS)} are known"
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == wanted:
        return ""
    url = f"{POOL}/{path.name}"
    try:
        with urllib.request.urlopen(url, timeout=60) as reply:
            content = reply.read()
    except OSError as error:
        return f"{version}: {url} could not be downloaded: {error}"
    if hashlib.sha256(content).hexdigest() != wanted:
        return f"{version}: {url} has not the expected checksum {wanted}"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.rename(path)
    return ""


def main() -> int:
    for version in sys.argv[1:] or CHECKSUMS:
        if wrong := fetch(version):
            print(wrong, file=sys.stderr)
            return 1
        print(f"{version}: {source_of(version).relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
