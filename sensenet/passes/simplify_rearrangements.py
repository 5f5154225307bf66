"""simplify-rearrangements: merge successive ops that only move numbers.

    %2 = concatenate(%0, %1) {axis=-1} : f32[?,5]
    %3 = gather(%2) {axis=-1, indices=i32[3]{2, 1, 0}} : f32[?,3]
    %4 = gather(%3) {axis=-1, indices=i32[2]{1, 2}} : f32[?,2]
    %5 = concatenate(%2, %4) {axis=-1} : f32[?,7]
becomes, if %0 is f32[?,3],
    %4 = gather(%0) {axis=-1, indices=i32[2]{1, 0}} : f32[?,2]
    %5 = concatenate(%0, %1, %4) {axis=-1} : f32[?,7]

A selection of a selection becomes one selection from the input of the first; a selection from one part of a
concatenation becomes a selection from that part; a concatenation of concatenations becomes one of all their
parts; adjacent slices of one value in a concatenation become one slice; a gather of consecutive positions
becomes a slice. A reshape or flattening of another becomes one reshape, a transposition of a transposition
one transposition. Identities that result are removed.

Valid because only the way that numbers are moved changes, not their values. Pays even if the inner op has
other readers: nothing is moved that was not moved before. Must not fire across different axes, nor for a
selection from several parts, which would take more ops; nor if a shape has two unknown sizes, or no entries,
so that it could not be inferred.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.rearrangement import Concatenate, Gather, Slice
from sensenet.ir.types import Array, Tensor
from sensenet.passes.analysis.columns import selected_positions
from sensenet.passes.analysis.shapes import compose_shapes, compose_transpositions
from sensenet.passes.infrastructure.rules import Uses, rewriting_pass
from sensenet.passes.remove_identities import remove_identity


def compose_selections(node: Node, _: Uses) -> Value | None:
    """Return one slice or gather for two in a row on the same axis."""
    outer = selected_positions(node.op)
    if outer is None:
        return None
    (x,) = node.inputs
    inner = selected_positions(x.op)
    if inner is None or _axis(x) != _axis(node.value):
        return None
    return _select(x.node.inputs[0], _axis(x), inner[outer], node.name)


def select_from_part(node: Node, _: Uses) -> Value | None:
    """Return a slice or gather of one part of a concatenation on the same axis."""
    positions = selected_positions(node.op)
    if positions is None or not len(positions):
        return None
    (x,) = node.inputs
    axis = _axis(node.value)
    if not isinstance(x.op, Concatenate) or _axis(x) != axis:
        return None
    start = 0
    for part in x.node.inputs:
        size = part.type.shape[axis]
        if size is None:
            return None
        if start <= positions.min() and positions.max() < start + size:
            return _select(part, axis, positions - start, node.name)
        start += size
    return None


def flatten_concatenation(node: Node, _: Uses) -> Value | None:
    """Return one concatenation for concatenations of concatenations on the same axis."""
    if not isinstance(node.op, Concatenate):
        return None
    axis = _axis(node.value)
    flat: list[Value] = []
    for part in node.inputs:
        nested = isinstance(part.op, Concatenate) and _axis(part) == axis
        flat.extend(part.node.inputs if nested else (part,))
    return None if len(flat) == len(node.inputs) else apply(node.op, *flat, name=node.name).value


def slice_consecutive(node: Node, _: Uses) -> Value | None:
    """Return a slice for a gather of consecutive positions."""
    if not isinstance(node.op, Gather) or not _consecutive(node.op.indices.array):
        return None
    return _select(node.inputs[0], _axis(node.value), node.op.indices.array, node.name)


def join_neighboring_slices(node: Node, _: Uses) -> Value | None:
    """Return the concatenation with adjacent slices of one value merged."""
    if not isinstance(node.op, Concatenate):
        return None
    axis = _axis(node.value)
    joined: list[Value] = []
    for part in node.inputs:
        last = joined[-1] if joined else None
        if last is not None and _goes_on(last, part, axis):
            positions = np.arange(last.op.start, part.op.stop)  # type: ignore[attr-defined]
            joined[-1] = _select(part.node.inputs[0], axis, positions, last.node.name)
        else:
            joined.append(part)
    return None if len(joined) == len(node.inputs) else apply(node.op, *joined, name=node.name).value


def _goes_on(first: Value, second: Value, axis: int) -> bool:
    """Return whether two values are adjacent slices of one value on an axis."""
    match first.op, second.op:
        case Slice(stop=stop), Slice(start=start) if stop == start:
            return first.node.inputs == second.node.inputs and _axis(first) == _axis(second) == axis
    return False


def _axis(value: Value) -> int:
    """Return the non-negative axis of a value's slice, gather or concatenation."""
    axis: int = value.op.axis  # type: ignore[attr-defined]
    return axis % value.type.rank


def _consecutive(positions: Array) -> bool:
    return len(positions) > 0 and bool(np.all(np.diff(positions) == 1))


def _select(x: Value, axis: int, positions: Array, name: str) -> Value:
    """Return a slice or gather of these positions; the last axis is written as -1."""
    written = -1 if axis == x.type.rank - 1 else axis
    if _consecutive(positions):
        start = int(positions[0])
        return apply(Slice(axis=written, start=start, stop=start + len(positions)), x, name=name).value
    return apply(Gather(axis=written, indices=Tensor.int32(positions)), x, name=name).value


PASS = rewriting_pass(
    "simplify-rearrangements",
    remove_identity,
    compose_selections,
    select_from_part,
    flatten_concatenation,
    slice_consecutive,
    join_neighboring_slices,
    compose_shapes,
    compose_transpositions,
)
