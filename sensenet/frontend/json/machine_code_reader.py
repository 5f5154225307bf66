"""Reads lists of numbers by machine code, on several processors at once."""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from sensenet.frontend.json.arrays import Float32Array
from sensenet.frontend.json.list_code import MOST_DEPTH, list_code
from sensenet.llvm.compilation import MachineCode, compile_module
from sensenet.processors import usable_processors
from sensenet.records import frozen

BYTES_OF_A_PART = 1 << 18
"""The text for which a thread pays."""

BYTES_TO_SEARCH = 1 << 12
"""The bytes of a text that are searched for a comma at once."""

POINTER, COUNT = ctypes.c_void_p, ctypes.c_int64

MEASURE = ctypes.CFUNCTYPE(COUNT, POINTER, COUNT, POINTER, POINTER)

READ = ctypes.CFUNCTYPE(POINTER, POINTER, POINTER, COUNT, COUNT, COUNT, POINTER, COUNT, POINTER)

Read = Callable[[bytes | memoryview], Float32Array | None]

Text = np.ndarray[Any, np.dtype[np.uint8]]


@frozen(eq=False)
class _Functions:
    """The functions of `list_code`; other threads run Python meanwhile."""

    code: MachineCode
    measure: Callable[..., int]
    read: Callable[..., int]


@functools.cache
def _functions() -> _Functions:
    """Return the functions; raises MissingPackageError without llvmlite."""
    code = compile_module(list_code(), optimization=2)
    return _Functions(code, MEASURE(code.address("measure")), READ(code.address("read")))


class ListReader:
    """Reads lists as another reader does, to the last bit, and leaves to it those that it cannot decide."""

    def __init__(self, read_others: Read) -> None:
        self._read_others = read_others
        self._functions = _functions()

    def read(self, text: bytes | memoryview) -> Float32Array | None:
        """Return a JSON list as a read-only float32 array; None for any other text, or a ragged list."""
        array = self._read_list(np.frombuffer(text, np.uint8))
        return self._read_others(text) if array is None else array

    def _read_list(self, text: Text) -> Float32Array | None:
        address, end = text.ctypes.data, text.ctypes.data + len(text)
        parts = [address + offset for offset in _divide(text)]
        state, sizes = np.zeros(3, np.int64), np.zeros(MOST_DEPTH + 1, np.int64)
        firsts = [0]
        for start, stop in itertools.pairwise(parts):
            if not self._functions.measure(start, stop - start, state.ctypes.data, sizes.ctypes.data):
                return None
            firsts.append(int(state[0]))
        total = firsts[-1] = firsts[-1] + 1
        shape = _shape(total, sizes[1 : state[2] + 1].tolist())
        if shape is None:
            return None
        array = np.empty(shape, np.float32)
        more = total, sizes.ctypes.data, len(shape), array.ctypes.data

        def is_read(part: int) -> bool:
            return self._functions.read(parts[part], end, *firsts[part : part + 2], *more) == parts[part + 1]

        if len(parts) == 2:
            whole = is_read(0)
        else:
            with ThreadPoolExecutor(len(parts) - 1) as pool:
                whole = all(list(pool.map(is_read, range(len(parts) - 1))))
        array.flags.writeable = False
        return array if whole else None


def _divide(text: Text) -> list[int]:
    """Return where parts of a text begin, each but the first after a comma, and its end."""
    threads = min(usable_processors(), len(text) // BYTES_OF_A_PART)
    places = {_after_comma(text, len(text) * thread // threads) for thread in range(1, threads)}
    return sorted({0, len(text)} | places)


def _after_comma(text: Text, offset: int) -> int:
    """Return the position after the first comma from an offset on, or the end."""
    for start in range(offset, len(text), BYTES_TO_SEARCH):
        commas = np.flatnonzero(text[start : start + BYTES_TO_SEARCH] == ord(","))
        if len(commas):
            return start + int(commas[0]) + 1
    return len(text)


def _shape(total: int, sizes: Sequence[int]) -> tuple[int, ...] | None:
    """Return the shape of lists that have so many numbers at each depth; None if they are ragged."""
    if not sizes or sizes[0] != total or not all(sizes):
        return None
    divided = [divmod(outer, inner) for outer, inner in itertools.pairwise((*sizes, 1))]
    return None if any(rest for _, rest in divided) else tuple(size for size, _ in divided)
