"""Memory that a document implies without holding the numbers: initializers, and lists that it repeats."""

from __future__ import annotations

from attrs import define, field

from sensenet.limits import require_memory

NUMBER_BYTES = 12
"""Of a number that is drawn: float64 at first, and float32 then."""

LAYER_BYTES = 4096
"""Of a layer's nodes in the graph, without its weights."""


@define(eq=False)
class ImpliedMemory:
    """Counts the bytes that one document implies; methods raise LimitError if these are too many together."""

    size: int = 0
    _read: set[int] = field(factory=set, init=False)
    """The `id` of each value that was read. It is the object that counts, not what it equals: a caller's dict
    may hold one list or layer in many places, which takes memory once there, and in the graph each time."""

    def add(self, size: int) -> None:
        """Count bytes that the document does not hold."""
        self.size += size
        require_memory(self.size, "what this document names, without giving its numbers,")

    def add_if_repeated(self, value: object, size: int) -> None:
        """Count the bytes that a value becomes if this very object was read before."""
        if id(value) in self._read:
            self.add(size)
        self._read.add(id(value))
