"""fold-batch-normalization: fold it into the layer before or after it, or the normalization before it.

    %1 = dense(%0) {kernel=K, bias=b, activation=linear} : f32[?,4]
    %2 = batch_normalization(%1) {gamma=…, beta=…, mean=…, variance=…, epsilon=0.001} : f32[?,4]
    %3 = activation(%2) {function=relu} : f32[?,4]
    %4 = batch_normalization(%3) {…} : f32[?,4]
    %5 = dense(%4) {kernel=L, bias=c, activation=softmax} : f32[?,2]
becomes
    %2 = dense(%0) {kernel=K · scale, bias=b · scale + shift, activation=linear} : f32[?,4]
    %3 = activation(%2) {function=relu} : f32[?,4]
    %5 = dense(%3) {kernel=scale' · L, bias=shift' @ L + c, activation=softmax} : f32[?,2]

Layers are dense, or convolutions of any kind. Valid because a normalization is x · scale + shift, channel by
channel, and a layer is linear up to its activation. Must not fire after a layer that has an activation or
that something else reads too (it would be computed twice); nor before layers if something else reads the
normalization (it would stay) or a convolution pads its input: the zeros are not shifted. Nor if a weight
would not be finite, or mean · scale is above the limits here: large numbers that cancel would then be rounded
at another step than before.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.dense import BatchNormalization, Dense
from sensenet.ir.types import Tensor
from sensenet.passes.analysis.linear_layers import (
    LINEAR_LAYERS,
    LinearLayer,
    apply_layer,
    is_linear,
    reads_padding,
    scale_inputs,
    scale_results,
)
from sensenet.passes.analysis.sums import Weights, as_sums
from sensenet.passes.analysis.weights import round_weights
from sensenet.passes.infrastructure.rules import Declined, Uses, also_read, rounding_pass

LARGEST_SHIFT_BEFORE = 8.0
"""Euclidean length. In 60 random networks of 64 inputs on 400 rows each (benchmarks/folding.py), the median
network's worst row moves by 0.35 of the tolerance of -O2; by 0.32 at length 0, 0.87 at 32, 3.3 at 128."""

LARGEST_SHIFT_AFTER = 16.0
"""The same after a layer: 0.35 of the tolerance; 0.26 at length 0, 0.47 at 32, 1.8 at 128."""

LARGEST_SHIFT_BEFORE_CONVOLUTION = 4.0
"""Root mean square over the channels, of which a convolution may have thousands. The worst of the random
convolutions of benchmarks/folding_images.py moves by 0.63 of the tolerance of -O2, which is relative to the
largest result; by 0.02 without a shift, 0.15 at 1, 2.0 at 16."""

LARGEST_SHIFT_AFTER_CONVOLUTION = 128.0
"""Of the largest channel. The same after a convolution: 0.09 of the tolerance at 64, 0.37 at 256, all of it
from errors of the normalization that folding removes."""

LARGE_MEANS = Declined("the means are so large that folding them would lose digits")


def fold_after_layer(node: Node, uses: Uses) -> Value | Declined | None:
    """Return the linear layer below, normalized."""
    if not isinstance(node.op, BatchNormalization):
        return None
    (x,) = node.inputs
    if isinstance(x.op, LINEAR_LAYERS) and not is_linear(x.op):
        return Declined(f"the layer {x.node.name!r} has the activation {x.op.activation.value}")
    if not is_linear(x.op):
        return None
    if not uses.only(x):
        return also_read(x)
    if not _is_mild_after(node.op, x.op):
        return LARGE_MEANS
    return apply_layer(scale_results(x.op, *node.op.scale_and_shift()), x.node.inputs[0], node.name)


def fold_before_layer(node: Node, uses: Uses) -> Value | Declined | None:
    """Return the layer on the input of the normalization, with the normalization in its weights."""
    if not isinstance(node.op, LINEAR_LAYERS):
        return None
    (x,) = node.inputs
    normalization = x.op
    if not isinstance(normalization, BatchNormalization):
        return None
    if not uses.only_by(x, lambda reader: _takes_in(reader, normalization)):
        return Declined(f"not every reader of {x.node.name!r} is a layer that can absorb it")
    return apply_layer(scale_inputs(node.op, *normalization.scale_and_shift()), x.node.inputs[0], node.name)


def merge_normalizations(node: Node, uses: Uses) -> Value | Declined | None:
    """Return one normalization for two in a row: about the mean of the first, with a variance of 1."""
    if not isinstance(node.op, BatchNormalization):
        return None
    (x,) = node.inputs
    first, second = x.op, node.op
    if not isinstance(first, BatchNormalization):
        return None
    if not uses.only(x):
        return also_read(x)
    if not all(np.linalg.norm(_shifts(op)) <= LARGEST_SHIFT_BEFORE for op in (first, second)):
        return LARGE_MEANS
    scale = second.scale_and_shift()[0]
    with np.errstate(all="ignore"):
        product = as_sums(first.scale_and_shift()[0] * scale)
        shift = (as_sums(first.beta.float64) - second.mean.float64) * scale + second.beta.float64
    rounded = round_weights([product], shift)
    if isinstance(rounded, Declined):
        return rounded
    gamma, beta = rounded
    ones = Tensor.float32(np.ones(gamma.shape))
    merged = BatchNormalization(gamma=gamma, beta=beta, mean=first.mean, variance=ones, epsilon=0.0)
    return apply(merged, *x.node.inputs, name=node.name).value


def _takes_in(reader: Node, normalization: BatchNormalization) -> bool:
    """Return whether the reader of a normalization is a layer that can absorb it."""
    layer = reader.op
    if not isinstance(layer, LINEAR_LAYERS) or not is_mild_before(normalization, layer):
        return False
    shift = normalization.scale_and_shift()[1]
    return not np.any(shift) or not reads_padding(layer, reader.inputs[0].type)


def _is_mild_after(op: BatchNormalization, layer: LinearLayer) -> bool:
    shifts = _shifts(op)
    if isinstance(layer, Dense):
        return bool(np.linalg.norm(shifts) <= LARGEST_SHIFT_AFTER)
    return bool(np.max(shifts, initial=0.0) <= LARGEST_SHIFT_AFTER_CONVOLUTION)


def is_mild_before(op: BatchNormalization, layer: LinearLayer) -> bool:
    """Return whether the means of a normalization are small enough for the bias of a layer that reads it."""
    length = np.linalg.norm(_shifts(op))
    if isinstance(layer, Dense):
        return bool(length <= LARGEST_SHIFT_BEFORE)
    return bool(length <= LARGEST_SHIFT_BEFORE_CONVOLUTION * np.sqrt(op.mean.array.size))


def _shifts(op: BatchNormalization) -> Weights:
    """Return float64[n]: |mean · scale|, with infinity for NaN, so that it is above any limit."""
    with np.errstate(all="ignore"):
        shifts: Weights = np.abs(op.mean.float64 * op.scale_and_shift()[0])
    return np.where(np.isnan(shifts), np.inf, shifts)


PASS = rounding_pass("fold-batch-normalization", fold_after_layer, fold_before_layer, merge_normalizations)
