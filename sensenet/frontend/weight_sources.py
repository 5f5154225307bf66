"""Where the weights of a graph stand in its document, and in which form.

Whoever reads a weight notes its place there, so that `sensenet.frontend.weights` can put another one into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen

from sensenet.ir.types import Tensor
from sensenet.limits import require_memory


@frozen(kw_only=True)
class Form:
    """How a document has a weight: `read` makes what an op has of it, `write` the reverse."""

    read: Callable[[Tensor], Tensor]
    write: Callable[[Tensor], Tensor]


AS_GIVEN = Form(read=lambda tensor: tensor, write=lambda tensor: tensor)


@frozen(kw_only=True, eq=False)
class Place:
    """Of a weight that was read: the member `key` of a layer, its form there, and what an op got of it."""

    layer: Any
    """A `Cursor`."""
    key: str
    form: Form
    tensor: Tensor

    @property
    def path(self) -> str:
        """The JSON path."""
        return str(self.layer[self.key].path)


NUMBER_BYTES = 12
"""Of a number that is drawn: float64 at first, and float32 then."""

LAYER_BYTES = 4096
"""Of a layer's nodes in the graph, without its weights."""


@define(eq=False)
class Places:
    """The weights that have been read, and the bytes of what stands in the document by its name alone."""

    entries: list[Place] = field(factory=list)
    implied: int = 0
    """Bytes of weights that are named, and of lists that stand in the document several times."""
    read: set[int] = field(factory=set)
    """The identities of the lists that have been read."""

    def imply(self, size: int) -> None:
        """Count bytes that the document does not weigh; raises LimitError if all together are too many."""
        self.implied += size
        require_memory(self.implied, "what this document names, without giving its numbers,")

    def repeats(self, value: object) -> bool:
        """Whether a list was read before: a caller's dict may hold one in many places."""
        repeated = id(value) in self.read
        self.read.add(id(value))
        return repeated
