"""Rules of simplify-rearrangements that merge reshapes, flattenings and transpositions."""

from __future__ import annotations

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.rearrangement import Flatten, Reshape, Transpose
from sensenet.passes.infrastructure.rules import Uses


def compose_shapes(node: Node, _: Uses) -> Value | None:
    """Return one reshape for a reshape or flattening of another."""
    if not isinstance(node.op, Reshape | Flatten):
        return None
    (x,) = node.inputs
    shape = node.types[0].shape
    if not isinstance(x.op, Reshape | Flatten) or shape.count(None) > 1 or 0 in shape:
        return None
    return apply(Reshape(shape=shape), x.node.inputs[0], name=node.name).value


def compose_transpositions(node: Node, _: Uses) -> Value | None:
    """Return one transposition for a transposition of another."""
    if not isinstance(node.op, Transpose):
        return None
    (x,) = node.inputs
    if not isinstance(x.op, Transpose):
        return None
    permutation = tuple(x.op.permutation[axis] for axis in node.op.permutation)
    return apply(Transpose(permutation=permutation), x.node.inputs[0], name=node.name).value
