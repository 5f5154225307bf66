"""The constants of a plan as one block of bytes, to which machine code gets a pointer."""

from __future__ import annotations

import numpy as np
from attrs import Factory, define

from sensenet.ir.types import Array

ALIGNMENT = 64
"""Bytes of a line of the processor's cache: each constant begins at one."""


def align(position: int) -> int:
    """Return the first byte, at a position or after it, where a constant may begin."""
    return -(-position // ALIGNMENT) * ALIGNMENT


@define
class ConstantBlock:
    """Arrays, one after another; `add` returns where one begins."""

    arrays: list[tuple[int, Array]] = Factory(list)
    length: int = 0

    def add(self, array: Array) -> int:
        """Append an array and return its first byte."""
        start = self.length
        self.arrays.append((start, array))
        self.length = align(start + array.nbytes)
        return start

    def join(self) -> Array:
        """Return all bytes, aligned to `ALIGNMENT`: uint8[length + ALIGNMENT], zero between the arrays."""
        memory = np.zeros(self.length + 2 * ALIGNMENT, np.uint8)
        block = memory[-memory.ctypes.data % ALIGNMENT :][: self.length + ALIGNMENT]
        for start, array in self.arrays:
            block[start : start + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        return block
