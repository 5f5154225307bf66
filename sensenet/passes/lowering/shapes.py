"""Lowering rules for shapes, positions and sums of several operands; the pass legalize uses them.

    %1 = flatten(%0) {}                           becomes  reshape(%0), or dynamic_reshape(%0, sizes of %0)
    %3 = add(%0, %1, %2) {}                       becomes  add(add(%0, %1), %2)
    %2 = take_along(%0, %1) {}                    becomes  take(rows of %0 end to end, %1 + starts of rows)
    %2 = take(%0, %1) {axis=2}                    becomes  take along axis 1, of rotated axes

Valid because these are the ops' own formulas, step by step: the results are the same, bit for bit. Without
entries, the inferred size is 0: no target runs on zero rows.
"""

from __future__ import annotations

from sensenet.ir.graph import Node, Value
from sensenet.ir.ops.arithmetic import Add, Multiply
from sensenet.ir.ops.rearrangement import Flatten, Reshape, TakeAlong, Transpose
from sensenet.ir.ops.shape import Take
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


def lower_take_along(node: Node, _: Uses) -> Value | None:
    """Return entries taken from all rows at once, each row's positions counted from where it starts."""
    if not isinstance(node.op, TakeAlong):
        return None
    build, (x, positions) = NodeBuilder(node.name), node.inputs
    starts = build(Multiply(), build.count(x, 0), build.size(x, 1))
    if positions.type.rank > 1:
        starts = build(Reshape(shape=(None, *[1] * (positions.type.rank - 1))), starts)
    rest = x.type.shape[2:]
    sizes = [build.size(x, axis) if size is None else size for axis, size in enumerate(rest, 2)]
    rows = build.reshape(x, [-1, *sizes], (None, *rest))
    return named(build(Take(axis=0), rows, build(Add(), positions, starts)), node.name)


def lower_take(node: Node, _: Uses) -> Value | None:
    """Return entries taken along the second axis, or of the second along the first, with the axes rotated.

    Several numbers that follow one another are then taken at once. A rotation is the transposition of a
    matrix, for which runtimes are fast.
    """
    op = node.op
    if not isinstance(op, Take) or op.axis == 0:
        return None
    build, (x, positions) = NodeBuilder(node.name), node.inputs
    axis = min(op.axis - 1, 1)
    rotated = build(_rotation(x.type.rank, axis, op.axis), x)
    taken = build(Take(axis=axis), rotated, positions)
    rank = taken.type.rank
    return named(build(_rotation(rank, axis, rank - op.axis + axis), taken), node.name)


def _rotation(rank: int, start: int, first: int) -> Transpose:
    """Return the op that brings an axis to `start`, and those that were between them to the end."""
    return Transpose(permutation=(*range(start), *range(first, rank), *range(start, first)))
