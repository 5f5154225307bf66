"""Lowering rules for shapes and sums of several operands; the pass legalize uses them.

    %1 = flatten(%0) {}                           becomes  reshape(%0), or dynamic_reshape(%0, sizes of %0)
    %3 = add(%0, %1, %2) {}                       becomes  add(add(%0, %1), %2)

Valid because these are the ops' own formulas, step by step: the results are the same, bit for bit. Without
entries, the inferred size is 0: no target runs on zero rows.
"""

from __future__ import annotations

from sensenet.ir.graph import Node, Value
from sensenet.ir.ops.basic import Add, Flatten
from sensenet.passes.infrastructure.rules import Uses
from sensenet.passes.lowering.node_builder import NodeBuilder, named


def lower_flatten(node: Node, _: Uses) -> Value | None:
    """Return a reshape, to a computed shape if several sizes are unknown."""
    if not isinstance(node.op, Flatten):
        return None
    build, (x,) = NodeBuilder(node.name), node.inputs
    batch, size = shape = node.types[0].shape
    rows = -1 if size else batch if batch is not None else build.size(x, 0)
    return named(build.reshape(x, [rows, -1 if size is None else size], shape), node.name)


def lower_add(node: Node, _: Uses) -> Value | None:
    """Return nested sums of two operands, from the left."""
    if not isinstance(node.op, Add) or len(node.inputs) == 2:
        return None
    build, total = NodeBuilder(node.name), node.inputs[0]
    for value in node.inputs[1:]:
        total = build(Add(), total, value)
    return named(total, node.name)
