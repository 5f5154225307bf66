"""Graphs for batches of one size, and images of one size: every size in them is known.

The sizes of a graph's inputs are fixed before passes and lowering see it, so all that depends on them becomes
a constant.
"""

from __future__ import annotations

import attrs

from sensenet.errors import LimitError, SettingsError, VerifyError
from sensenet.ir.graph import Graph, Value, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.types import Shape, bytes_of, matches
from sensenet.limits import require_memory
from sensenet.records import frozen
from sensenet.signature import PIXEL_INPUT

MOST_ENTRIES = 2**31 - 1
"""The most entries along an axis."""


@frozen
class ImageSize:
    """The height and width of images, in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


def fix_image_size(graph: Graph, size: ImageSize | None) -> Graph:
    """Return a graph that reads images of one size alone; the graph itself if no size is given.

    Its signature has that size, to which callers rescale other images; a detector refuses these. Raises
    SettingsError for a graph without images, whose layers do not take that size, or that has another already.
    """
    if size is None:
        return graph
    signature = graph.signature
    shapes = {node.name: node.types[0].shape for node in graph.inputs}
    if signature.image is None or PIXEL_INPUT not in shapes:
        raise SettingsError(f"image_size is {size}, and the model reads no images: leave it out")
    image = attrs.evolve(signature.image, height=size.height, width=size.width)
    sized = attrs.evolve(graph, signature=attrs.evolve(signature, image=image))
    pixels = shapes[PIXEL_INPUT]
    fixed = (*pixels[:-3], size.height, size.width, pixels[-1])
    try:
        made = fix_shapes(sized, shapes | {PIXEL_INPUT: fixed})
    except VerifyError as error:
        raise SettingsError(f"the network does not take images of {size}: {error}") from error
    if not matches(fixed, pixels):  # what depends on the size that it has may be constants by now
        raise SettingsError(
            f"image_size is {size}, and the graph is made for images of {pixels[-3]}x{pixels[-2]}: compile "
            "its document instead"
        )
    return made


def fix_batch(graph: Graph, rows: int | None) -> Graph:
    """Return a graph that reads so many rows at once; the graph itself if no number is given.

    Raises SettingsError for a graph that reads another number already.
    """
    if rows is None:
        return graph
    shapes = {node.name: node.types[0].shape for node in graph.inputs}
    for shape in shapes.values():
        if not matches((rows,), shape[:1]):  # what depends on the number that it has may be constants by now
            raise SettingsError(
                f"batch is {rows}, and the graph is made for batches of {shape[0]}: compile its document "
                "instead"
            )
    return fix_shapes(graph, {name: (rows, *shape[1:]) for name, shape in shapes.items()})


def fix_shapes(graph: Graph, shapes: dict[str, Shape]) -> Graph:
    """Return the graph with inputs of these shapes, by name.

    Raises VerifyError if an op refuses them, and LimitError for an input that takes more memory than allowed,
    or has a size that is not an i32, which sizes are in graphs.
    """
    types = {node.name: node.types[0].with_shape(shapes[node.name]) for node in graph.inputs}
    for name, declared in types.items():
        require_memory(bytes_of(declared), f"the input {name} of {declared}")
        if any(size is not None and size > MOST_ENTRIES for size in declared.shape):
            raise LimitError(f"the input {name} of {declared} is too large: sizes are at most {MOST_ENTRIES}")
    results: dict[Value, Value] = {}
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Input):
            op = Input(type=types[node.name])
        inputs = (results[value] for value in node.inputs)
        made = apply(op, *inputs, name=node.name, shares=node.shares)
        results |= zip(node.values, made.values, strict=True)
    return Graph.create(
        [results[node.value].node for node in graph.inputs],
        {name: results[value] for name, value in graph.outputs.items()},
        graph.signature,
    )
