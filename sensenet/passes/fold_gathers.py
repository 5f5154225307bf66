"""fold-gathers: rearrange the rows of a layer's kernel instead of the columns of its input.

    %2 = gather(%1) {axis=-1, indices=i32[2]{1, 0}} : f32[?,2]
    %3 = concatenate(%0, %2) {axis=-1} : f32[?,3]
    %4 = dense(%3) {kernel=f32[3,1]{1.0, 2.0, 3.0}, …} : f32[?,1]
becomes
    %3 = concatenate(%0, %1) {axis=-1} : f32[?,3]
    %4 = dense(%3) {kernel=f32[3,1]{1.0, 3.0, 2.0}, …} : f32[?,1]

A column gathered twice gets the sum of its two rows, one that is not gathered gets zeros. Valid up to the
order in which the layer's products are summed. Must not fire if the gather omits columns: the kernel, and the
work, would grow. A gather moves past a concatenation only if layers alone read it, and only if it is a
permutation: any other would have to gather a wider matrix. Concatenations separated by a gather become one.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.dense import Dense
from sensenet.ir.ops.rearrangement import Gather
from sensenet.ir.types import Array, Tensor
from sensenet.passes.analysis.columns import join, joins_columns, starts, width
from sensenet.passes.analysis.sums import Sums, Weights
from sensenet.passes.analysis.weights import apply_changed
from sensenet.passes.infrastructure.rules import Declined, Uses, rounding_pass
from sensenet.passes.simplify_rearrangements import flatten_concatenation


def gather_kernel_rows(node: Node, _: Uses) -> Value | Declined | None:
    """Return the layer on the gather's input, with the rows of its kernel permuted."""
    if not isinstance(node.op, Dense):
        return None
    (x,) = node.inputs
    if not isinstance(x.op, Gather) or x.op.axis % x.type.rank != x.type.rank - 1:
        return None
    source, indices = x.node.inputs[0], x.op.indices.array
    size = width(source)
    if size is None or size > len(indices):
        return Declined(f"{x.node.name!r} picks some of many columns: the kernel would grow")

    def scatter(kernel: Weights) -> Weights:
        rows = np.zeros((size, kernel.shape[1]))
        np.add.at(rows, indices, kernel)
        return rows

    def change(kernel: Sums, bias: Sums) -> tuple[Sums, Sums]:
        return kernel.map(scatter), bias

    return apply_changed(node.op, change, source, node.name)


def permute_after_concatenation(node: Node, uses: Uses) -> Value | None:
    """Return the concatenation of unpermuted inputs, permuted as a whole, if only layers read it."""
    if not joins_columns(node.value) or not uses.only_by(node.value, _is_dense):
        return None
    permuted = [_permutation(part) for part in node.inputs]
    if all(permutation is None for permutation in permuted):
        return None
    sources, indices = [], []
    for part, permutation, start in zip(node.inputs, permuted, starts(node.inputs), strict=True):
        sources.append(part if permutation is None else part.node.inputs[0])
        indices.append(start + (np.arange(width(part) or 0) if permutation is None else permutation))
    joined = join(sources, node.name)
    gather = Gather(indices=Tensor.int32(np.concatenate(indices)))
    return apply(gather, joined, name=f"{node.name}_permuted").value


def _permutation(value: Value) -> Array | None:
    """Return the order in which a gather permutes columns; None if it is not a permutation."""
    if not isinstance(value.op, Gather) or value.op.axis % value.type.rank != value.type.rank - 1:
        return None
    indices = value.op.indices.array
    source = value.node.inputs[0]
    return indices if np.array_equal(np.sort(indices), np.arange(width(source) or 0)) else None


def _is_dense(node: Node) -> bool:
    return isinstance(node.op, Dense)


PASS = rounding_pass("fold-gathers", gather_kernel_rows, permute_after_concatenation, flatten_concatenation)
