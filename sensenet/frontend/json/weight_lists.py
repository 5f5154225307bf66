"""Weights in JSON text, cut out of it before the rest is parsed.

Most of a large document are lists of numbers. There is no quote in such a list, and the key of the next
member begins with one: so the list's end is found by searching for single bytes, and the list can be parsed
by itself, in memory that the next one uses again. What is left of the text is small.

A list is cut out after the quoted name of a weight and a colon. In valid JSON, with a backslash before every
quote inside a text, that is a member of this name. Whether the document is valid shows when its pieces are
parsed: it is if every list is, and the rest with any values in their places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

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
