"""Parses JSON with the standard library: without simdjson, and for texts that simdjson rejects."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from itertools import chain
from typing import Any, NoReturn

import numpy as np

from sensenet.frontend.json.arrays import Float32Array, NotAnArrayError, is_list, split_rows

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

NUMBERS_BYTES = 24
"""The memory per byte of a list of weights while it is read: `[],` takes a list of 56 and a pointer."""


def parse(text: bytearray, arrays: MutableMapping[str, Float32Array]) -> Any:
    """Return the value of a JSON text, with arrays instead of their names; they are removed from `arrays`.

    Raises ValueError for a text that is not JSON in UTF-8, RecursionError for deep nesting.
    """
    return _put(json.loads(text.removeprefix(BYTE_ORDER_MARK).decode()), arrays)


def _put(value: Any, arrays: MutableMapping[str, Float32Array]) -> Any:
    if isinstance(value, dict):
        return {key: _put(member, arrays) for key, member in value.items()}
    if isinstance(value, list):
        return [_put(entry, arrays) for entry in value]
    return arrays.pop(value, value) if isinstance(value, str) else value


class ListReader:
    """Parses lists of numbers."""

    def read(self, text: bytes | memoryview) -> Float32Array | None:
        """Return a JSON list as a read-only float32 array; None for any other text, or a ragged list.

        Numbers are rounded from float64, and must be finite there; one too large for float32 becomes
        infinite.
        """
        try:
            shape, rows = split_rows(json.loads(bytes(text), parse_constant=_refuse), is_list)
            if not set(map(type, chain.from_iterable(rows))) <= {int, float}:
                return None
            numbers = np.fromiter(chain.from_iterable(rows), np.float64)
        except (NotAnArrayError, OverflowError, RecursionError, ValueError):
            return None
        if not np.isfinite(numbers).all():
            return None
        with np.errstate(over="ignore"):
            array = numbers.astype(np.float32).reshape(shape)
        array.flags.writeable = False
        return array


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
