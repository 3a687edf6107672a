"""Archives of server versions, intact and damaged, and a server to download them from."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

AARCH64 = 183


@dataclass(frozen=True)
class Archive:
    path: Path

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def truncated(self) -> Archive:
        """Return its first half, in a separate file."""
        content = self.path.read_bytes()
        half = self.path.with_name(f"half-{self.path.name}")
        half.write_bytes(content[: len(content) // 2])
        return Archive(half)


def pack(folder: Path, into: Path, machine: int | None = None) -> Archive:
    """Pack a version folder; ``machine`` replaces the machine in the server's header (ELF
    e_machine).
    """
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"redis-{folder.name}{'' if machine is None else f'-{machine}'}.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for file in sorted(folder.iterdir()):
            content = file.read_bytes()
            if machine is not None and file.name.endswith("-server"):
                content = content[:18] + machine.to_bytes(2, "little") + content[20:]
            member = tarfile.TarInfo(f"redis-{folder.name}/{file.name}")
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return Archive(path)


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Do nothing: ``requests`` has all requests."""


class FileServer(ThreadingHTTPServer):
    """A server of a folder on loopback that counts the downloads."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.requests: list[str] = []

    def process_request(self, request: object, client_address: object) -> None:
        self.requests.append(str(client_address))
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def url(self, path: Path) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path.name}"


@contextlib.contextmanager
def served(folder: Path) -> Iterator[FileServer]:
    with FileServer(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a file system of 1 MiB on a folder; yield False if that is not permitted."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def counting_make(folder: Path) -> tuple[dict[str, str], Path]:
    """Return an environment whose ``make`` records its calls, and the file of the records.

    The file has a line for each call; the real ``make`` does the work.
    """
    folder.mkdir()
    calls = folder / "calls"
    calls.touch()
    real = subprocess.run(["which", "make"], capture_output=True, text=True, check=True).stdout.strip()
    program = folder / "make"
    program.write_text(f'#!/bin/sh\necho "$*" >> {calls}\nexec {real} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}, calls


def bare_compiler(folder: Path) -> dict[str, str]:
    """Return an environment whose compiler finds only its own headers."""
    folder.mkdir()
    program = folder / "cc"
    program.write_text('#!/bin/sh\nexec gcc -nostdinc "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
