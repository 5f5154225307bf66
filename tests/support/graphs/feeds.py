"""Random arrays for the inputs of graphs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from sensenet.errors import InputError
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph
from sensenet.ir.ops.rearrangement import Gather
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.types import Array
from support.seeds import SEEDS, seeded

ROWS, IMAGES = 30, 3


@st.composite
def feeds(draw: st.DrawFn, graph: Graph) -> dict[str, Array]:
    """Draw finite arrays, half of the numbers simple; of one batch size, 0 too."""
    batch, feed = draw(st.integers(0, 3)), {}
    for node in graph.inputs:
        shape = [batch if size is None else size for size in node.types[0].shape]
        array = seeded(draw(SEEDS), *shape, scale=4.0)
        array[array < 0] = np.round(2 * array[array < 0]) / 2
        feed[node.name] = array.astype(np.float32)
    return feed


def typical_feed(draw: st.DrawFn, graph: Graph) -> dict[str, Array]:
    """Draw what documents' inputs hold: rows that are of ordinary size once standardized, or pixels.

    Images of unknown size are large enough for every window of the graph.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    (node,) = graph.inputs
    shape = node.types[0].shape
    if len(shape) == 2:
        return {node.name: _typical_rows(rng, graph, shape[1])}
    sizes = [draw(st.integers(4, 9)) if size is None else size for size in shape[1:]]
    images = {node.name: rng.integers(0, 256, (IMAGES, *sizes)).astype(np.float32)}
    if None in shape[1:]:
        _assume_large_enough(graph, images)
    return images


def _assume_large_enough(graph: Graph, images: dict[str, Array]) -> None:
    try:
        evaluate(graph, images)
    except InputError:
        assume(False)


def _typical_rows(rng: np.random.Generator, graph: Graph, width: int) -> Array:
    """f32[rows, width]: category codes, some unknown, and numbers around the mean of their column."""
    rows = rng.integers(-1, 4, (ROWS, width)).astype(np.float64)
    for columns, op in standardized_columns(graph):
        numbers = rng.normal(size=(ROWS, len(columns)))
        rows[:, columns] = numbers * op.stdev.array + op.mean.array
    return rows.astype(np.float32)


def standardized_columns(graph: Graph) -> Iterator[tuple[Array, Standardize]]:
    """Yield the columns of the input that an op standardizes, and the op."""
    for node in graph.nodes:
        if isinstance(node.op, Standardize) and isinstance(node.inputs[0].op, Gather):
            yield node.inputs[0].op.indices.array, node.op
