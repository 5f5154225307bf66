"""fold-standardization: fold the standardization of columns into the first layer.

    %1 = standardize(%0) {mean=f32[1]{10.0}, stdev=f32[1]{4.0}} : f32[?,1]
    %3 = concatenate(%1, %2) {axis=-1} : f32[?,2]
    %4 = dense(%3) {kernel=f32[2,1]{1.0, 3.0}, bias=none, …} : f32[?,1]
becomes
    %3 = concatenate(%0, %2) {axis=-1} : f32[?,2]
    %4 = dense(%3) {kernel=f32[2,1]{0.25, 3.0}, bias=f32[1]{-2.5}, …} : f32[?,1]
or, with a mean of 1000,
    %1 = subtract(%0, f32[1]{1000.0}) {} : f32[?,1]
    %3 = concatenate(%1, %2) {axis=-1} : f32[?,2]
    %4 = dense(%3) {kernel=f32[2,1]{0.25, 3.0}, bias=none, …} : f32[?,1]

Valid up to rounding: ((x - mean) / stdev) @ K + b = x @ (K / stdev) + (b - (mean / stdev) @ K). The division
always folds, at an error of one rounding of a weight. The subtraction is exact in float32 where it matters,
near the mean; in the bias it becomes the difference of two sums, each as large as mean / stdev, and all
digits are lost once that reaches 2²⁴ (x = 16777217, mean = 16777216). So it goes into the bias only if the
length of the vector mean / stdev is at most `LARGEST_SHIFT`, and stays a subtraction otherwise.

Must not fire if anything but layers reads the standardized columns, or a concatenation of them: they would
have to be computed anyway. (Forests do not: rewrite-thresholds makes them read raw columns.) Nor if a stdev
is outside `STDEV_RANGE`, or a weight would not be finite.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.graph import Node, Value, apply, constant
from sensenet.ir.ops.arithmetic import Subtract
from sensenet.ir.ops.dense import Dense
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.types import Array, Tensor
from sensenet.passes.analysis.columns import join, joins_columns, reaches_only, width
from sensenet.passes.analysis.weights import apply_changed
from sensenet.passes.infrastructure.rules import Declined, Uses, rounding_pass

LARGEST_SHIFT = 4.0
"""Euclidean length. In 60 random networks of 64 columns on 400 rows each (benchmarks/folding.py), the median
network's worst row moves by 0.27 of the tolerance of -O2, and by 0.13 with the subtraction kept; from 8 on it
grows with the length: 0.44 at 16, 2.7 at 128."""

STDEV_RANGE = (2.0**-64, 2.0**64)
"""Beyond these the scaled weights come near the ends of the range of full float32 precision."""


def subtract_large_means(node: Node, uses: Uses) -> Value | None:
    """Return the standardization as a subtraction and a scaling, if its means are too large for the bias."""
    if not isinstance(node.op, Standardize) or not _folds(node.value, uses):
        return None
    mean, stdev = node.op.mean, node.op.stdev
    if np.linalg.norm(np.divide(*_parameters(node.value, True))) <= LARGEST_SHIFT:
        return None
    centered = apply(Subtract(), node.inputs[0], constant(mean, f"{node.name}_mean"), name="centered")
    scaling = Standardize(mean=Tensor.float32(np.zeros(mean.shape)), stdev=stdev)
    return apply(scaling, centered.value, name=node.name).value


def standardize_after_concatenation(node: Node, uses: Uses) -> Value | None:
    """Return the concatenation of raw columns, standardized as a whole; others get mean 0 and stdev 1."""
    if not joins_columns(node.value):
        return None
    folds = [isinstance(part.op, Standardize) and _folds(part, uses) for part in node.inputs]
    if not any(folds):
        return None
    raw = [part.node.inputs[0] if fold else part for part, fold in zip(node.inputs, folds, strict=True)]
    parameters = [_parameters(part, fold) for part, fold in zip(node.inputs, folds, strict=True)]
    mean, stdev = (Tensor.float32(np.concatenate(arrays)) for arrays in zip(*parameters, strict=True))
    joined = join(raw, node.name)
    return apply(Standardize(mean=mean, stdev=stdev), joined, name=f"{node.name}_standardized").value


def scale_first_layer(node: Node, uses: Uses) -> Value | Declined | None:
    """Return the layer on raw columns, with the standardization in its weights."""
    if not isinstance(node.op, Dense):
        return None
    (x,) = node.inputs
    if not isinstance(x.op, Standardize):
        return None
    if not _folds(x, uses):
        return Declined(
            f"{x.node.name!r} has readers other than layers, or deviations near the ends of float32's range"
        )
    mean, stdev = (array.astype(np.float64) for array in _parameters(x, True))
    return apply_changed(
        node.op,
        lambda kernel, bias: (kernel / stdev[:, None], bias - ((mean / stdev) @ kernel).moved()),
        x.node.inputs[0],
        node.name,
    )


def _folds(value: Value, uses: Uses) -> bool:
    """Return whether all readers of a standardization can absorb it: layers, also through concatenations."""
    op = value.op
    if not isinstance(op, Standardize) or width(value) is None:
        return False
    if max(len(op.mean.shape), len(op.stdev.shape)) > 1 or not is_in_range(op):
        return False
    return reaches_only(value, uses, _is_dense)


def is_in_range(op: Standardize) -> bool:
    """Return whether every deviation is inside `STDEV_RANGE`."""
    smallest, largest = STDEV_RANGE
    deviation = np.abs(op.stdev.float64)
    return bool(np.all((smallest <= deviation) & (deviation <= largest)))


def _parameters(part: Value, fold: bool) -> tuple[Array, Array]:
    """Return f32[n], f32[n]: mean and stdev of the columns; 0 and 1 for raw columns."""
    size = width(part) or 0
    if fold and isinstance(part.op, Standardize):
        return np.broadcast_to(part.op.mean.array, size), np.broadcast_to(part.op.stdev.array, size)
    return np.zeros(size, np.float32), np.ones(size, np.float32)


def _is_dense(node: Node) -> bool:
    return isinstance(node.op, Dense)


PASS = rounding_pass(
    "fold-standardization", subtract_large_means, standardize_after_concatenation, scale_first_layer
)
