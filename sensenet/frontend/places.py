"""Where the weights of a graph stand in its document, and in which form.

Whoever reads a weight notes its place there, so that `sensenet.frontend.weights` can put another one into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from sensenet.ir.types import Tensor

if TYPE_CHECKING:
    from sensenet.frontend.cursor import Cursor


@frozen(kw_only=True)
class Form:
    """How a document has a weight: `read` makes what an op has of it, `write` the reverse."""

    read: Callable[[Tensor], Tensor]
    write: Callable[[Tensor], Tensor]


AS_GIVEN = Form(read=lambda tensor: tensor, write=lambda tensor: tensor)


@frozen(kw_only=True, eq=False)
class Place:
    """Of a weight that was read: the member `key` of a layer, its form there, and what an op got of it."""

    layer: Cursor
    key: str
    form: Form
    tensor: Tensor

    @property
    def path(self) -> str:
        """The JSON path."""
        return self.layer[self.key].path
