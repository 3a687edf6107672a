# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that a program is built for, from the header of its ELF file."""

from __future__ import annotations

from typing import NamedTuple

from .._owned_files import as_owner

__all__ = ["HEADER_BYTES", "BuildTarget", "build_target_of", "machine_here", "machine_in", "machine_of"]

HEADER_BYTES = 20
# e_machine of the ELF header, and the name that `uname -m` has for it
_MACHINES = {
    3: "i386",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
}


class BuildTarget(NamedTuple):
    """The machine that a program is built for; equal targets mean the same machine."""

    number: int
    bits: int
    little_endian: bool

    def __str__(self) -> str:
        name = _MACHINES.get(self.number, f"machine {self.number}")
        if self.number == 21 and self.little_endian:
            name = "ppc64le"
        usual = 32 if name in ("i386", "mips", "ppc", "arm") else 64
        return name if self.bits == usual else f"{name} ({self.bits} bits)"


def build_target_of(header: bytes) -> BuildTarget | None:
    """Parse the first 20 bytes of a file; None if that is no ELF file (a script, for example)."""
    if len(header) < HEADER_BYTES or header[:4] != b"\x7fELF" or header[4] not in (1, 2) or header[5] not in (1, 2):
        return None
    little_endian = header[5] == 1
    return BuildTarget(int.from_bytes(header[18:20], "little" if little_endian else "big"), 32 * header[4], little_endian)


def machine_in(header: bytes) -> str:
    """Return a header's machine as `uname -m` names it; empty if the file is no ELF file."""
    found = build_target_of(header)
    return str(found) if found else ""


def machine_of(path: str) -> str:
    """Return the machine that a program is built for; empty for no ELF file. Raises OSError."""
    with open(path, "rb", opener=as_owner) as file:
        return machine_in(file.read(HEADER_BYTES))


def machine_here() -> str:
    """Return the machine of the running Python, thus of this host's programs; empty if unknown."""
    try:
        return machine_of("/proc/self/exe")
    except OSError:
        return ""
