"""Graphs with weights and statistics near the ends of float32, and rows at which sums of them cancel."""

from __future__ import annotations

import attrs
import numpy as np
from attrs import frozen
from hypothesis import strategies as st

from sensenet.ir.graph import Graph, Node, Value, apply, rebuild
from sensenet.ir.types import FLOAT32_TINY, Array, DType, Tensor
from support.graphs import standardized_columns

SIZES = (0.0, 1e-45, 1e-38, 1e-30, 1e-15, 1e6, 1e10, 1e15, 1e20, 1e30, 3e38)
"""Magnitudes of what is planted in a graph: from the smallest number of float32 to its largest."""

DIVISORS = ("stdev", "variance")
"""Attributes whose numbers stay positive and normal."""


@frozen
class Place:
    """A float32 tensor of a node's op."""

    node: Node
    attribute: str

    @property
    def tensor(self) -> Tensor:
        found: Tensor = getattr(self.node.op, self.attribute)
        return found


def places(graph: Graph) -> list[Place]:
    """Return the tensors whose numbers are weights or statistics; thresholds are compared alone."""
    found = (Place(node, each.name) for node in graph.nodes for each in attrs.fields(type(node.op)))
    return [place for place in found if place.attribute != "threshold" and _holds_floats(place.tensor)]


def _holds_floats(value: object) -> bool:
    return isinstance(value, Tensor) and value.type.dtype is DType.FLOAT32 and value.array.size > 0


@st.composite
def with_extremes(draw: st.DrawFn, graph: Graph) -> Graph:
    """Draw the graph with one or two of its numbers replaced by extreme ones."""
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from(places(graph)))
        number = draw(st.sampled_from(SIZES)) * draw(st.sampled_from([1.0, -1.0, 0.7]))
        if place.attribute in DIVISORS:
            number = max(abs(number), 2 * FLOAT32_TINY)
        array = place.tensor.array.copy()
        array.flat[draw(st.integers(0, array.size - 1))] = number
        graph = _replace(graph, place, Tensor(array))
    return graph


def _replace(graph: Graph, place: Place, tensor: Tensor) -> Graph:
    def replace(node: Node) -> tuple[Value, ...]:
        if node.name != place.node.name:
            return node.values
        op = attrs.evolve(node.op, **{place.attribute: tensor})
        return apply(op, *node.inputs, name=node.name).values

    return rebuild(graph, replace)


def with_missing_cells(graph: Graph, rows: Array) -> Array:
    """Return the rows, and once more with cells that are their column's mean, as missing ones are."""
    missing = rows.copy()
    for columns, op in standardized_columns(graph):
        at_mean = np.arange(len(rows))[:, None] % 3 >= np.arange(len(columns)) % 3
        missing[:, columns] = np.where(at_mean, op.mean.array, missing[:, columns])
    return np.concatenate([rows, missing])
