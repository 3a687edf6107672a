"""Built versions in every state that an upgrade may be given them in, and a place to fetch them
from.
"""

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
        """Its first half, in a file of its own."""
        content = self.path.read_bytes()
        half = self.path.with_name(f"half-{self.path.name}")
        half.write_bytes(content[: len(content) // 2])
        return Archive(half)


def pack(folder: Path, into: Path, machine: int | None = None) -> Archive:
    """An archive of a version folder; if ``machine`` is given, with a server whose header names
    that machine (ELF e_machine).
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
        """It goes into ``requests`` instead."""


class FileServer(ThreadingHTTPServer):
    """Serves a folder on loopback, and counts what is fetched."""

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
    """A file system of 1 MiB in the folder's place; false where we have no right to mount one."""
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
    """An environment in which ``make`` notes each call in a file, a line each, and then is the real
    one; and that file.
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
    """An environment whose compiler finds no headers but its own."""
    folder.mkdir()
    program = folder / "cc"
    program.write_text('#!/bin/sh\nexec gcc -nostdinc "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
