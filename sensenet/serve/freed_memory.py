"""Returns freed memory to the system after large images.

The allocator of the GNU C library keeps blocks of up to 32 MiB for itself once it has seen some of that size:
after images of 48 megapixels, that was four fifths of the memory of the process.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from pathlib import Path

import attrs

STATUS = Path("/proc/self/statm")
"""Sizes of the process in pages, on Linux."""

MOST_KEPT = 64 << 20
"""The bytes that the process may grow before memory is returned, which takes time."""


def read_resident() -> int:
    """Return the bytes of memory that the process has; 0 if the system does not tell."""
    try:
        return int(STATUS.read_text().split()[1]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return 0


def trim() -> None:
    """Return what is free to the system, if the C library can."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, TypeError, AttributeError):  # it is another one
        return


@attrs.define
class FreedMemory:
    """Returns memory when the process has grown by more than MOST_KEPT since it was made, or last did so."""

    resident: Callable[[], int] = read_resident
    trim: Callable[[], None] = trim
    least: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.least = self.resident()

    def release(self) -> None:
        """Return freed memory, if the process has grown."""
        if self.resident() - self.least > MOST_KEPT:
            self.trim()
            self.least = self.resident()
