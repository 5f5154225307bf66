"""How files of native code are named, and how they begin."""

from __future__ import annotations

import struct
from collections.abc import Mapping

STEM = "model"

HEADER_SUFFIX = ".h"

FORMS: Mapping[str, str] = {
    "object": ".o",
    "assembly": ".s",
    "llvm": ".ll",
    "source": ".c",
    "header": HEADER_SUFFIX,
}
"""What may be written, and how the name of its file ends."""

HEAD = "/* Made by sensenet: native code."
"""How C and assembly begin."""

LLVM_HEAD = "; Made by sensenet: native code."
"""How a module of LLVM's language begins."""

ELF, MACH_O = b"\x7fELF", b"\xcf\xfa\xed\xfe"

COFF_MACHINES = {0x14C, 0x8664, 0x1C4, 0xAA64}
"""The processors of object files for Windows: x86, x86-64, ARM and AArch64."""

RELOCATABLE = 1
"""The kind of an ELF or Mach-O file that a linker reads."""


def describe_file(head: bytes) -> str | None:
    """Return what a file is, given its first bytes; None unless it is for compilers or linkers."""
    if head.startswith(HEAD.encode()):
        return "C code or assembly"
    if head.startswith(LLVM_HEAD.encode()):
        return "LLVM code"
    return "an object file" if _is_object(head) else None


def _is_object(head: bytes) -> bool:
    """Return whether a little-endian ELF, a 64-bit Mach-O, or a COFF file begins so, and is no program."""
    if len(head) < 20:
        return False
    if head.startswith(ELF):
        return struct.unpack_from("<H", head, 16) == (RELOCATABLE,)
    if head.startswith(MACH_O):
        return struct.unpack_from("<I", head, 12) == (RELOCATABLE,)
    machine, _, _, _, _, optional = struct.unpack_from("<HHIIIH", head)
    return machine in COFF_MACHINES and optional == 0
