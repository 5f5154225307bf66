"""rewrite-thresholds: make forests read raw columns instead of standardized features.

    %1 = standardize(%0) {mean=f32[2]{10.0, 0.0}, stdev=f32[2]{2.0, 1.0}} : f32[?,2]
    %3 = concatenate(%1, %2) {axis=-1} : f32[?,5]
    %4 = slice(%3) {axis=-1, start=0, stop=2} : f32[?,2]
    %5 = forest(%4) {feature=i32[3]{0, 0, 0}, threshold=f32[3]{1.5, 0.0, 0.0}, …} : f32[?,1]
becomes
    %5 = forest(%0) {feature=i32[3]{0, 0, 0}, threshold=f32[3]{13.0, 0.0, 0.0}, …} : f32[?,1]

The standardization can then be folded into the first layer, and no backend can decide a tie differently:
TensorFlow's optimizer turns a division by a constant into a product, which differs in the last bit for a
quarter of all values. For a forest that also reads one-hot columns, these are joined to the raw columns
again.

Valid because a threshold is replaced by the one float32 number that decides the same way for every float32
input, infinities and NaN too (see `thresholds`); slices, gathers and concatenations only renumber features.
Must not fire through a negative stdev: the branches would be swapped, and NaN would take the wrong one.
"""

from __future__ import annotations

import numpy as np
from attrs import evolve

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.tabular import Forest, Standardize
from sensenet.ir.types import Tensor
from sensenet.passes.analysis.columns import join, parts, starts, trace, width
from sensenet.passes.analysis.thresholds import raise_thresholds
from sensenet.passes.infrastructure.rules import Uses, rewriting_pass


def read_sources(node: Node, _: Uses) -> Value | None:
    """Return the forest on the sources of its features, through all ops that only move columns."""
    if not isinstance(node.op, Forest):
        return None
    (x,) = node.inputs
    splits = ~node.op.leaves
    used = node.op.feature.array[splits].astype(np.int64)
    columns = trace(x, used if len(used) else np.zeros(1, np.int64))
    if columns.sources == parts(x) or any(width(source) is None for source in columns.sources):
        return None
    feature = np.zeros_like(node.op.feature.array)
    if len(used):
        feature[splits] = starts(columns.sources)[columns.source] + columns.index
    forest = evolve(node.op, feature=Tensor.int32(feature))
    return apply(forest, join(columns.sources, "columns"), name=node.name).value


def read_before_standardization(node: Node, _: Uses) -> Value | None:
    """Return the forest on raw columns, with equivalent thresholds."""
    if not isinstance(node.op, Forest):
        return None
    (x,) = node.inputs
    sources = list(parts(x))
    feature, threshold = node.op.feature.array, node.op.threshold.array.copy()
    for number, (source, start) in enumerate(zip(sources, starts(sources), strict=True)):
        size = width(source)
        if not isinstance(source.op, Standardize) or size is None or not _rises(source.op):
            continue
        column = feature - start
        mine = np.flatnonzero(~node.op.leaves & (column >= 0) & (column < size))
        mean, stdev = (
            np.broadcast_to(parameter.array, size)[column[mine]]
            for parameter in (source.op.mean, source.op.stdev)
        )
        threshold[mine] = raise_thresholds(threshold[mine], mean, stdev)
        sources[number] = source.node.inputs[0]
    if tuple(sources) == parts(x):
        return None
    forest = evolve(node.op, threshold=Tensor.float32(threshold))
    return apply(forest, join(sources, "columns"), name=node.name).value


def _rises(op: Standardize) -> bool:
    """Return whether the results increase monotonically with the inputs, column by column."""
    return len(op.mean.shape) <= 1 and len(op.stdev.shape) <= 1 and bool(np.all(op.stdev.array > 0))


PASS = rewriting_pass("rewrite-thresholds", read_sources, read_before_standardization)
