"""Parses JSON with simdjson, which writes numbers into arrays without a Python object for each.

It rejects NaN, infinities, integers beyond 64 bits, deep nesting and byte order marks; `standard_parser`
accepts these.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import MutableMapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import simdjson

from sensenet.frontend.json.arrays import Float32Array, NotAnArrayError, split_rows

WEIGHTS_DEPTH = 32
"""The greatest depth of weights in a document."""

MOST_MEMBERS = 1000
"""The most members of an object with weights: simdjson finds a member by linear search."""

NUMBERS_BYTES = 14
"""The memory per byte of a list of weights while it is read: `0,` takes 16 in the parser, 12 in arrays."""

BLOCK = 1 << 16
"""The bytes that are searched at once; they fit the processor's cache."""


def parse(text: bytearray, arrays: MutableMapping[str, Float32Array]) -> Any:
    """Return the value of a JSON text, with arrays instead of their names; they are removed from `arrays`.

    Raises ValueError or RuntimeError for a text that simdjson rejects.
    """
    return _plain(simdjson.Parser().parse(text), 0, arrays)


def _plain(value: Any, depth: int, arrays: MutableMapping[str, Float32Array]) -> Any:
    """Return the Python value of a simdjson element, with the arrays in their places."""
    if isinstance(value, simdjson.Object) and depth < WEIGHTS_DEPTH:
        keys = list(value)
        if _findable(keys):
            return {key: _plain(value[key], depth + 1, arrays) for key in keys}
    elif isinstance(value, simdjson.Array) and depth < WEIGHTS_DEPTH:
        if isinstance(next(iter(value), None), simdjson.Object):
            return [_plain(entry, depth + 1, arrays) for entry in value]
    elif not isinstance(value, simdjson.Object | simdjson.Array):
        return arrays.pop(value, value) if isinstance(value, str) else value
    # Not `as_dict`, which is slower, and writes out of bounds for lists longer than simdjson counts.
    return json.loads(value.mini)


def _findable(keys: Sequence[str]) -> bool:
    """Return whether simdjson finds each of these keys: no repeated ones, no null characters."""
    return len(keys) <= MOST_MEMBERS and len(set(keys)) == len(keys) and not any("\0" in key for key in keys)


class ListReader:
    """Parses lists of numbers, one after another, in the same memory."""

    def __init__(self) -> None:
        self._parser = simdjson.Parser()
        self._capacity = 0

    def read(self, text: bytes | memoryview) -> Float32Array | None:
        """Return a JSON list as a read-only float32 array; None for any other text, or a ragged list.

        Numbers are rounded from float64; one too large for float32 becomes infinite.
        """
        self._reserve(len(text))
        try:
            values: Any = self._parser.parse(text)
            shape, _ = split_rows(values, lambda value: isinstance(value, simdjson.Array))
            numbers = np.frombuffer(values.as_buffer(of_type="d"))
        except (NotAnArrayError, TypeError, ValueError, RuntimeError):
            return None
        # `as_buffer` flattens lists among the numbers, and simdjson counts no more than 2²⁴ - 1 entries.
        lists = sum(accumulate(shape[:-1], operator.mul, initial=1))
        if len(numbers) != math.prod(shape) or _count_lists(text) != lists:
            return None
        with np.errstate(over="ignore"):
            array = numbers.astype(np.float32)
        array.flags.writeable = False
        return array.reshape(shape)

    def _reserve(self, size: int) -> None:
        """Reserve the parser's memory for texts of this size and a little more, so that it is not
        reallocated for each text."""
        if size > self._capacity:
            self._capacity = size + size // 4
            self._parser.parse(b"0".ljust(self._capacity))


def _count_lists(text: bytes | memoryview) -> int:
    """Return the number of lists in a text without strings."""
    if isinstance(text, bytes):
        return text.count(b"[")
    content = np.frombuffer(text, np.uint8)
    parts = (content[start : start + BLOCK] for start in range(0, len(content), BLOCK))
    return sum(int(np.count_nonzero(part == ord("["))) for part in parts)
