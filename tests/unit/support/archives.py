"""Archives for unit tests, made in memory."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

AARCH64_SERVER = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(range(256)) * 200


def write(path: Path, files: dict[str, bytes | str], compression: str = "gz", mode: int = 0o755) -> Path:
    """Write an archive with these files; a text is the target of a symbolic link."""
    with tarfile.open(path, f"w:{compression}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.mode = mode
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path
