"""Finds how many rows or images a model can run at once within the limit on memory.

A file of some hundred bytes can imply activations of any size. So the bytes of one row are computed from the
graph's types, or else from the sizes in a runtime's file, and as many rows run together as the limit allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from sensenet.artifact import Executable
from sensenet.ir.graph import Graph
from sensenet.ir.memory import activation_bytes
from sensenet.limits import memory_limit, require_memory
from sensenet.signature import PIXEL_INPUT, Signature

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
"""The shapes of the inputs of one row, by name."""

MOST_SHAPES = 64
"""The number of image sizes whose bytes are cached."""

WHAT = "a row of this model"

MostRows = Callable[[Mapping[str, tuple[int, ...]]], int]
"""Returns how many rows with inputs of these shapes may run at once; raises LimitError if one is too
large."""


def most_rows(executable: Executable) -> MostRows:
    """Return the function for an executable."""
    graph, call = executable.graph, executable.call_memory
    if graph is None:
        return lambda _: max(memory_limit() // max(call.size, 1), 1) * call.rows

    @lru_cache(MOST_SHAPES)
    def row_bytes(shapes: Shapes) -> int:
        return activation_bytes(graph, dict(shapes))

    def find(shapes: Mapping[str, tuple[int, ...]]) -> int:
        size = row_bytes(tuple(sorted(shapes.items())))
        require_memory(size, WHAT)
        return max(memory_limit() // max(size, 1), 1)

    return find


def require_activations(graph: Graph) -> None:
    """Raise LimitError if one row, with images of the network's size, takes more than the limit."""
    require_memory(activation_bytes(graph, pixel_shapes(graph.signature)), WHAT)


def pixel_shapes(signature: Signature) -> dict[str, tuple[int, ...]]:
    """Return the shape of the pixels of one row, in the network's size; empty without images."""
    image, images = signature.image, len(signature.image_columns)
    if image is None:
        return {}
    several = (images,) if images > 1 else ()
    return {PIXEL_INPUT: (1, *several, image.height or 1, image.width or 1, image.channels)}
