"""The machine that a program is built for."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._install.elf import machine_here, machine_in, machine_of


def header(machine: int, bits: int = 64, little_endian: bool = True) -> bytes:
    order = "little" if little_endian else "big"
    ident = b"\x7fELF" + bytes([bits // 32, 1 if little_endian else 2, 1]) + bytes(9)
    return ident + (2).to_bytes(2, order) + machine.to_bytes(2, order)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "machine"),
    [
        (header(62), "x86_64"),
        (header(62, bits=32), "x86_64 (32 bits)"),
        (header(3, bits=32), "i386"),
        (header(40, bits=32), "arm"),
        (header(183), "aarch64"),
        (header(21), "ppc64le"),
        (header(21, little_endian=False), "ppc64"),
        (header(22, little_endian=False), "s390x"),
        (header(243), "riscv64"),
        (header(4711), "machine 4711"),
        (header(62) + b"and the rest of the program", "x86_64"),
        (header(62)[:19], ""),
        (b"#!/bin/sh\nexec redis-server\n", ""),
        (b"\x7fELF" + bytes(16), ""),
        (b"", ""),
    ],
)
def test_what_the_header_says(content: bytes, machine: str) -> None:
    assert machine_in(content) == machine


def test_the_programs_of_this_host(tmp_path: Path) -> None:
    assert machine_here() == machine_of(sys.executable) == platform.machine()
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert machine_of(str(script)) == ""
