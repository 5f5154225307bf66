"""Forests that can be one op: they read the same rows, and none of them needs another's answer."""

from __future__ import annotations

from collections.abc import Sequence

from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.ops.basic import Gather, Slice
from sensenet.ir.ops.tabular import Forest, OneHot, Standardize
from sensenet.passes.analysis.columns import joins_columns, parts, width

Tie = tuple[int, Value]
"""What a forest may have in common with others: the forests below it on the longest way, and rows."""


def find_family(graph: Graph) -> Sequence[Value]:
    """Two forests or more that read the same rows, and none of them another; nothing where there are none.

    Rows are known to be the same where forests read columns of one matrix, or stand in one concatenation. Of
    forests as far from the inputs as each other none reads another.
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
    """The value from which each row of a matrix is made by itself."""
    while isinstance(value.op, Standardize | OneHot) or selects_columns(value):
        (value,) = value.node.inputs
    return value


def selects_columns(value: Value) -> bool:
    """Whether a value is a slice or gather on the last axis."""
    rank = value.type.rank
    return isinstance(value.op, Slice | Gather) and value.op.axis % rank == rank - 1
