"""merge-forests: forests whose outputs stand side by side become one op.

    %2 = forest(%0) {…, sizes=(8,)} : f32[?,2]
    %3 = forest(%1) {…, sizes=(8,)} : f32[?,2]
    %4 = concatenate(%2, %3, %1) {axis=-1} : f32[?,9]
becomes
    %5 = concatenate(%0, %1) {axis=-1} : f32[?,8]
    %2 = forest(%5) {…, sizes=(8, 8)} : f32[?,4]
    %4 = concatenate(%2, %1) {axis=-1} : f32[?,9]

The merged op reads all that its forests read, each thing once, with the features renumbered. A model's many
small forests then cost one op, or one lowering, instead of ten or more each. A slice of the concatenation
that needs nothing but forests (a legacy residual) reads the merged one alone.

Valid because a forest's answer depends on its own trees and features alone, and the op keeps the forests
apart. One that stands there twice is computed twice, which costs less than another op. Must not fire for a
forest that something else reads too, which would be computed twice, nor for forests whose leaves hold
different numbers of values.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.basic import Concatenate
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Tensor
from sensenet.passes.columns import join, joins_columns, parts, starts, width
from sensenet.passes.rewrite import Uses, rewriting_pass
from sensenet.passes.simplify_rearrangements import select_from_part


def merge_adjacent_forests(node: Node, uses: Uses) -> Value | None:
    """The concatenation with one forest for each run of forests that may be merged."""
    if not isinstance(node.op, Concatenate) or not joins_columns(node.value):
        return None
    merged: list[Value] = []
    for outputs, run in groupby(node.inputs, lambda value: _mergeable_outputs(value, node, uses)):
        values = list(run)
        merged += [_merge(values)] if outputs is not None and len(values) > 1 else values
    return None if len(merged) == len(node.inputs) else join(merged, node.name)


def _mergeable_outputs(value: Value, node: Node, uses: Uses) -> int | None:
    """The number of values in a leaf, for a forest on known columns that only this node reads."""
    if not isinstance(value.op, Forest) or not uses.only(value, node.inputs.count(value)):
        return None
    known = all(width(part) is not None for part in parts(value.node.inputs[0]))
    return value.op.outputs if known else None


def _merge(values: Sequence[Value]) -> Value:
    forests = [value.op for value in values if isinstance(value.op, Forest)]
    inputs = [parts(value.node.inputs[0]) for value in values]
    sources = tuple(dict.fromkeys(source for those in inputs for source in those))
    place = dict(zip(sources, starts(sources), strict=True))
    nodes = np.cumsum([0, *(len(forest.left.array) for forest in forests)])
    feature = []
    for forest, own in zip(forests, inputs, strict=True):
        used = np.where(forest.leaves, 0, forest.feature.array)
        part = np.searchsorted(starts(own), used, side="right") - 1
        moved = np.array([place[source] for source in own])[part] + used - starts(own)[part]
        feature.append(np.where(forest.leaves, 0, moved))

    def links(name: str) -> Tensor:
        arrays = [getattr(forest, name).array + start for forest, start in zip(forests, nodes, strict=False)]
        return Tensor.int32(np.concatenate(arrays))

    merged = Forest(
        feature=Tensor.int32(np.concatenate(feature)),
        threshold=Tensor.float32(np.concatenate([forest.threshold.array for forest in forests])),
        left=links("left"),
        right=links("right"),
        values=Tensor.float32(np.concatenate([forest.values.array for forest in forests])),
        roots=links("roots"),
        sizes=tuple(size for forest in forests for size in forest.sizes),
    )
    return apply(merged, join(sources, "columns"), name=values[0].node.name).value


PASS = rewriting_pass("merge-forests", merge_adjacent_forests, select_from_part)
