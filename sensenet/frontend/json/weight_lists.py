"""Cuts lists of weights out of JSON text, before the rest is parsed.

Most of a large document is lists of numbers. Such a list contains no quote, and the key of the next member
begins with one: so the end of the list is found by a fast search for single bytes, and the list is parsed
separately, in memory that is reused for the next list. The rest of the text is small.

A list is cut out after the quoted name of a weight and a colon. In valid JSON, where quotes inside a text are
escaped, that is a member of this name. The document is valid if every list is, and the rest is with any value
in the place of each list.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Iterator

from sensenet.files.memory import reserve
from sensenet.layer_schema import WEIGHT_KEYS

LIST_KEYS = (*WEIGHT_KEYS, "mean_image")
"""The members that are cut out if they are lists."""

WEIGHT = re.compile(rb'"(?<!\\")(?:%b)"[ \t\r\n]*:[ \t\r\n]*\[' % "|".join(LIST_KEYS).encode())

LONGEST_MATCH = 256
"""The longest match of `WEIGHT`, in bytes, that is always found; a longer one may stay in the rest."""

BLOCK = 1 << 16
"""The bytes that are read and searched at once; they fit the processor's cache."""

SHORT = 1 << 12
"""The bytes up to which a list is copied: bytes are parsed faster than a view, but copying takes time."""

Read = Callable[[memoryview], int]
"""Reads the next bytes of a text into memory and returns their number, 0 at the end."""


class _Window:
    """A part of a text, `buffer[start:end]`, that moves along the text.

    The buffer has room for `size` bytes, and grows if that is too little. The system gives it memory when it
    is first written to, so that room for a whole document takes no more than the longest list needs.
    """

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        try:
            self.buffer = reserve(size + BLOCK)
        except MemoryError:  # the longest list may need less
            self.buffer = reserve(BLOCK)
        self.start = 0
        self.end = 0

    def extend(self) -> bool:
        """Move the part to the front of the buffer, read more after it, and return whether there was more."""
        size, old = self.end - self.start, self.buffer
        if size + BLOCK > len(old):
            self.buffer = reserve(2 * len(old))
        memory = memoryview(self.buffer)
        if self.start or self.buffer is not old:
            memory[:size] = memoryview(old)[self.start : self.end]  # unlike slices, parts may overlap
        count = self._read(memory[size : size + BLOCK])
        self.start, self.end = 0, size + count
        return count > 0

    def find_quote(self, offset: int) -> int:
        """Return the offset from `start` of the next quote, or of the text's end; reads more as needed."""
        while (found := self.buffer.find(b'"', self.start + offset, self.end)) < 0:
            offset = self.end - self.start
            if not self.extend():
                return offset
        return found - self.start


def cut_weights(read: Read, size: int) -> Iterator[tuple[bytes, bytes | memoryview]]:
    """Yield the text in order, as pairs of other text and a possible list of a weight, or nothing.

    `size` is about the length of the text, in bytes. A list may be a view of memory that the next step
    overwrites.
    """
    window = _Window(read, size)
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


def _find_end(text: mmap.mmap, begin: int, quote: int) -> int:
    """Return the end of the list of numbers at `begin`; for other text, any position up to the quote."""
    brace = text.find(b"}", begin, quote)
    bracket = text.rfind(b"]", begin, quote if brace < 0 else brace)
    return max(bracket, begin) + 1
