"""Counts memory that a small document can imply: weights from initializers, and repeated lists."""

from __future__ import annotations

from attrs import define, field

from sensenet.limits import require_memory

NUMBER_BYTES = 12
"""The bytes of a random number: first as float64, then also as float32."""

LAYER_BYTES = 4096
"""The bytes of a layer's nodes in the graph, without its weights."""


@define(eq=False)
class ImpliedMemory:
    """Counts the bytes that one document implies; methods raise LimitError if the sum is too large."""

    size: int = 0
    _read: set[int] = field(factory=set, init=False)
    """The `id` of each value that was read. A caller's dict may have one list or layer in many places, which
    takes memory once in the dict, but each time in the graph."""

    def add(self, size: int) -> None:
        """Count bytes of numbers that the document does not contain."""
        self.size += size
        require_memory(self.size, "what this document names, without giving its numbers,")

    def add_if_repeated(self, value: object, size: int) -> None:
        """Count the bytes of a value if the same object was read before."""
        if id(value) in self._read:
            self.add(size)
        self._read.add(id(value))
