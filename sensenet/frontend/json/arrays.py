"""Converts nested lists of numbers to float32 arrays.

Rows are packed one by one. For a list that is ragged or contains anything but numbers, the error says where.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from sensenet.limits import require_memory

Float32Array = np.ndarray[Any, np.dtype[np.float32]]

POINTER_BYTES = 8

MOST_AXES = 8
"""The most axes of an array; a kernel has four."""


class NotAnArrayError(Exception):
    """Raised for nested lists that are not an array of numbers; the message is the reason."""


def is_list(value: object) -> bool:
    """Return whether a value of a document is a list; a caller's dict may contain tuples."""
    return isinstance(value, list | tuple)


def pack_array(nested: Sequence[Any]) -> Float32Array:
    """Return the float32 array of nested lists of numbers; raises NotAnArrayError.

    A number too large for float32 becomes infinite; the caller checks for finite numbers.
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
    length; of the innermost ones, only the first entry is checked.
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
                raise NotAnArrayError(f"a number next to lists ({_place(shape, index)} is not a list)")
            if len(child) != size:
                raise NotAnArrayError(f"a ragged list ({_place(shape, index)} has {len(child)} of {size})")
        shape.append(size)
        rows = children
    return tuple(shape), rows


def _require_distinct(rows: Sequence[Any], size: int) -> None:
    """Raise LimitError if lists of a size, some of them the same object, have too many numbers in total."""
    repeated = len(rows) - len(set(map(id, rows)))
    require_memory(repeated * size * POINTER_BYTES, "the repetitions of one list in this document")


def _explain(entries: Sequence[Any], shape: tuple[int, ...], row: int) -> str:
    """Return the reason why a row could not be packed."""
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
    """Return the description of a child's position: `row 7`, or `[0][2][5]` at deeper levels."""
    return f"row {index}" if len(shape) == 1 else _brackets(np.unravel_index(index, shape))


def _brackets(position: Iterable[Any]) -> str:
    return "".join(f"[{int(index)}]" for index in position)
