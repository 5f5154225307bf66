"""Weights in JSON text: cut out of it, and read one by one, before the rest of it is parsed.

Most of a large document are lists of numbers. There is no quote in such a list, and the key of the next
member begins with one: so the list's end is found by searching for single bytes, and the list can be parsed
by itself, in memory that the next one uses again. What is left of the text is small.

A list is cut out after the quoted name of a weight and a colon. In valid JSON, with a backslash before every
quote inside a text, that is a member of this name. Whether the document is valid shows when its pieces are
parsed: it is if every list is, and the rest with any values in their places.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import numpy as np
import simdjson

from sensenet.frontend.json.arrays import Float32Array, NotAnArrayError, split_rows
from sensenet.layer_schema import WEIGHT_KEYS

LIST_KEYS = (*WEIGHT_KEYS, "mean_image")
"""Members that are read separately if they are lists."""

WEIGHT = re.compile(rb'"(?<!\\")(?:%b)"[ \t\r\n]*:[ \t\r\n]*\[' % "|".join(LIST_KEYS).encode())

LONGEST_MATCH = 256
"""Bytes of a match of `WEIGHT` that is found wherever reading stops. A longer one may be left in the rest."""

BLOCK = 1 << 16
"""Bytes that are read, and looked through, at once: a processor's own cache holds more."""

SHORT = 1 << 12
"""Bytes of a list from which on a copy costs more than it saves: bytes are handled faster than a view."""

Read = Callable[[memoryview], int]
"""Reads the next bytes of a text into memory, and returns their number: 0 at the end."""


class _Window:
    """A part of a text, `buffer[start:end]`, that moves along it, in the same memory unless it must grow."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.buffer = bytearray(BLOCK)
        self.start = 0
        self.end = 0

    def extend(self) -> bool:
        """Move the start to the front, read more after the end, and return whether there was more."""
        size, old = self.end - self.start, self.buffer
        if size + BLOCK > len(old):
            self.buffer = bytearray(len(old) * 3 // 2 + BLOCK)
        memory = memoryview(self.buffer)
        if self.start or self.buffer is not old:
            memory[:size] = memoryview(old)[self.start : self.end]  # unlike a bytearray's, parts may overlap
        count = self._read(memory[size : size + BLOCK])
        self.start, self.end = 0, size + count
        return count > 0

    def find_quote(self, offset: int) -> int:
        """Return the position of the next quote, reading more as needed, or the end of the text.

        Both are bytes behind the start.
        """
        while (found := self.buffer.find(b'"', self.start + offset, self.end)) < 0:
            offset = self.end - self.start
            if not self.extend():
                return offset
        return found - self.start


def cut_weights(read: Read) -> Iterator[tuple[bytearray, bytes | memoryview]]:
    """Yield the text in order, in pairs: some of it, and what may be the list of a weight, or nothing.

    The latter, if it is a view, is of memory that the next step writes to.
    """
    window = _Window(read)
    while window.extend():
        while found := WEIGHT.search(window.buffer, window.start + 1, window.end):  # a byte to look behind at
            offset = found.end() - 1 - window.start
            quote = window.find_quote(offset)
            begin = window.start + offset
            end = _find_end(window.buffer, begin, window.start + quote)
            weights = memoryview(window.buffer)[begin:end]
            yield window.buffer[window.start : begin], bytes(weights) if len(weights) < SHORT else weights
            window.start = end
        searched = max(window.start, window.end - LONGEST_MATCH)
        yield window.buffer[window.start : searched], b""
        window.start = searched
    yield window.buffer[window.start : window.end], b""


def _find_end(text: bytearray, begin: int, quote: int) -> int:
    """Return the end of the list of numbers that begins there; any position up to the quote for others."""
    brace = text.find(b"}", begin, quote)
    bracket = text.rfind(b"]", begin, quote if brace < 0 else brace)
    return max(bracket, begin) + 1


class ListReader:
    """Parses lists of numbers, all in the same memory."""

    def __init__(self) -> None:
        self._parser = simdjson.Parser()
        self._capacity = 0

    def read(self, text: bytes | memoryview) -> Float32Array | None:
        """Return a list in JSON as a float32 array, read-only; None for any other text, or a ragged list.

        Numbers are rounded from float64; one beyond float32 becomes infinite.
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
        """Reserve the parser's memory for texts of this size and a little more, once instead of for each
        text."""
        if size > self._capacity:
            self._capacity = size + size // 4
            self._parser.parse(b"0".ljust(self._capacity))


def _count_lists(text: bytes | memoryview) -> int:
    """Return how many lists begin in a text without strings."""
    if isinstance(text, bytes):
        return text.count(b"[")
    content = np.frombuffer(text, np.uint8)
    parts = (content[start : start + BLOCK] for start in range(0, len(content), BLOCK))
    return sum(int(np.count_nonzero(part == ord("["))) for part in parts)
