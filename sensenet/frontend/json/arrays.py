"""Nested lists of numbers as float32 arrays, exactly or not at all.

Rows are packed one by one from Python numbers to float32. A list that is ragged, or holds anything but
numbers, is found out, and it is told where.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sensenet.limits import require_memory

Float32Array = npt.NDArray[np.float32]

POINTER_BYTES = 8

MOST_AXES = 8
"""Deeper lists are not arrays: a kernel has four axes."""


class NotAnArrayError(Exception):
    """Why nested lists are not an array of numbers."""


def is_list(value: object) -> bool:
    """Return whether a value of a document is a list; a caller's dict may hold tuples."""
    return isinstance(value, list | tuple)


def pack_array(nested: Sequence[Any]) -> Float32Array:
    """Return the float32 array of nested lists of numbers; raises NotAnArrayError.

    A number beyond float32 becomes infinite; whether all are finite is for the caller to judge.
    """
    shape, rows = split_rows(nested, is_list)
    _require_distinct(rows, shape[-1])
    row_format = struct.Struct(f"{shape[-1]}f")
    packed = bytearray(math.prod(shape) * 4)
    for index, row in enumerate(rows):
        try:
            row_format.pack_into(packed, index * row_format.size, *row)
        except (struct.error, OverflowError, TypeError, ValueError) as error:
            raise NotAnArrayError(_explain(row, shape, index)) from error
    return np.frombuffer(packed, np.float32).reshape(shape)


def split_rows(nested: Any, nests: Callable[[object], bool]) -> tuple[tuple[int, ...], list[Any]]:
    """Return the shape of a nested sequence, and its innermost sequences in order.

    `nests` distinguishes sequences from numbers. Raises NotAnArrayError if sequences of one level differ in
    length; what stands in the innermost ones is not looked at, except for the first entry.
    """
    shape, rows = [len(nested)], [nested]
    while shape[-1] and nests(first := next(iter(rows[0]))):
        if len(shape) == MOST_AXES:
            raise NotAnArrayError(f"lists nested more than {MOST_AXES} deep")
        size = len(first)
        _require_distinct(rows, size)
        children = [child for row in rows for child in row]
        for index, child in enumerate(children):
            if not nests(child):
                raise NotAnArrayError(f"a number beside lists ({_place(shape, index)} is not a list)")
            if len(child) != size:
                raise NotAnArrayError(f"a ragged list ({_place(shape, index)} has {len(child)} of {size})")
        shape.append(size)
        rows = children
    return tuple(shape), rows


def _require_distinct(rows: Sequence[Any], size: int) -> None:
    """Raise LimitError for lists of a size, of which one is in many places, if all are too many numbers."""
    repeated = len(rows) - len(set(map(id, rows)))
    require_memory(repeated * size * POINTER_BYTES, "what a list in many places of this document stands for")


def _explain(entries: Sequence[Any], shape: tuple[int, ...], row: int) -> str:
    """Return the fault of a row that could not be packed."""
    for column, entry in enumerate(entries):
        try:
            struct.pack("f", entry)
        except OverflowError:
            reason = "a huge number"
        except (struct.error, TypeError, ValueError):
            reason = "a list" if is_list(entry) else "something that is not a number"
        else:
            continue
        return f"{reason} at {_brackets((*np.unravel_index(row, shape[:-1]), column))}"
    return "a row that changes while it is read"


def _place(shape: Sequence[int], index: int) -> str:
    """Return a child's position in words: `row 7`, or `[0][2][5]` if there are several levels above it."""
    return f"row {index}" if len(shape) == 1 else _brackets(np.unravel_index(index, shape))


def _brackets(position: Iterable[Any]) -> str:
    return "".join(f"[{int(index)}]" for index in position)
