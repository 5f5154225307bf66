"""Finds forests that can be one op: they read the same rows, and none reads the answer of another."""

from __future__ import annotations

from collections.abc import Sequence

from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.ops.rearrangement import Gather, Slice
from sensenet.ir.ops.tabular import Forest, OneHot, Standardize
from sensenet.passes.analysis.columns import joins_columns, parts, width

Tie = tuple[int, Value]
"""What forests of a family share: the number of forests below on the longest path, and the rows."""


def find_family(graph: Graph) -> Sequence[Value]:
    """Return at least two forests that read the same rows and not each other; nothing if there are none.

    Rows are known to be the same if forests read columns of one matrix or belong to one concatenation.
    Forests at the same distance from the inputs do not read each other.
    """
    joins = [node for node in graph.nodes if joins_columns(node.value)]
    families: list[tuple[set[Tie], list[Value]]] = []
    depth: dict[Node, int] = {}
    for node in graph.nodes:
        below = max((depth[value.node] for value in node.inputs), default=0)
        depth[node] = below + isinstance(node.op, Forest)
        if not isinstance(node.op, Forest) or any(width(part) is None for part in parts(node.inputs[0])):
            continue
        rows = [_rows(part) for part in parts(node.inputs[0])]
        readers = [join.value for join in joins if node.value in join.inputs]
        ties, forests = {(below, value) for value in (*rows, *readers)}, [node.value]
        for family in [family for family in families if family[0] & ties]:
            families.remove(family)
            ties, forests = ties | family[0], [*family[1], *forests]
        families.append((ties, forests))
    return next((forests for _, forests in families if len(forests) > 1), ())


def _rows(value: Value) -> Value:
    """Return the value whose rows determine the rows of a matrix one by one."""
    while isinstance(value.op, Standardize | OneHot) or selects_columns(value):
        (value,) = value.node.inputs
    return value


def selects_columns(value: Value) -> bool:
    """Return whether a value is a slice or gather on the last axis."""
    rank = value.type.rank
    return isinstance(value.op, Slice | Gather) and value.op.axis % rank == rank - 1
