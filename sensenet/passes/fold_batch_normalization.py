"""fold-batch-normalization: it goes into the layer before or after it, or into the normalization before it.

    %1 = dense(%0) {kernel=K, bias=b, activation=linear} : f32[?,4]
    %2 = batch_normalization(%1) {gamma=…, beta=…, mean=…, variance=…, epsilon=0.001} : f32[?,4]
    %3 = activation(%2) {function=relu} : f32[?,4]
    %4 = batch_normalization(%3) {…} : f32[?,4]
    %5 = dense(%4) {kernel=L, bias=c, activation=softmax} : f32[?,2]
becomes
    %2 = dense(%0) {kernel=K · scale, bias=b · scale + shift, activation=linear} : f32[?,4]
    %3 = activation(%2) {function=relu} : f32[?,4]
    %5 = dense(%3) {kernel=scale' · L, bias=shift' @ L + c, activation=softmax} : f32[?,2]

Valid because a normalization is x · scale + shift, column by column, and a layer is linear up to its
activation. Must not fire after a layer that has an activation, or that something else reads too (it would be
computed twice); nor before layers, where something else reads the normalization (it would stay); nor where a
weight would not be finite. Nor where the vector mean · scale is longer than the limits here: large numbers
that cancel are then rounded elsewhere than before.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.dense import BatchNormalization, Dense
from sensenet.ir.types import Tensor
from sensenet.passes.rewrite import Uses, rewriting_pass
from sensenet.passes.weights import apply_changed

LARGEST_SHIFT_BEFORE = 8.0
"""Euclidean length. In 60 random networks of 64 inputs on 400 rows each (benchmarks/folding.py), the median
network's worst row moves by 0.35 of the tolerance of -O2; by 0.32 at length 0, 0.87 at 32, 3.3 at 128."""

LARGEST_SHIFT_AFTER = 16.0
"""The same after a layer: 0.35 of the tolerance; 0.26 at length 0, 0.47 at 32, 1.8 at 128."""


def fold_after_dense(node: Node, uses: Uses) -> Value | None:
    """The linear layer below, normalized."""
    if not isinstance(node.op, BatchNormalization) or not _is_mild(node.op, LARGEST_SHIFT_AFTER):
        return None
    (x,) = node.inputs
    scale, shift = node.op.scale_and_shift()
    match x.op:
        case Dense(activation=ActivationFunction.LINEAR) as layer if uses.only(x):
            return apply_changed(
                layer,
                lambda kernel, bias: (kernel * scale, bias * scale + shift),
                x.node.inputs[0],
                node.name,
            )
    return None


def fold_before_dense(node: Node, uses: Uses) -> Value | None:
    """The layer on what is normalized, with the normalization in its weights."""
    if not isinstance(node.op, Dense):
        return None
    (x,) = node.inputs
    if not isinstance(x.op, BatchNormalization) or not _is_mild(x.op, LARGEST_SHIFT_BEFORE):
        return None
    if not uses.only_by(x, lambda reader: isinstance(reader.op, Dense)):
        return None
    scale, shift = x.op.scale_and_shift()
    return apply_changed(
        node.op,
        lambda kernel, bias: (scale[:, None] * kernel, shift @ kernel + bias),
        x.node.inputs[0],
        node.name,
    )


def merge_normalizations(node: Node, uses: Uses) -> Value | None:
    """One normalization for two in a row: about the mean of the first, with a variance of 1."""
    if not isinstance(node.op, BatchNormalization):
        return None
    (x,) = node.inputs
    first, second = x.op, node.op
    if not isinstance(first, BatchNormalization) or not uses.only(x):
        return None
    if not all(_is_mild(op, LARGEST_SHIFT_BEFORE) for op in (first, second)):
        return None
    scale = second.scale_and_shift()[0]
    gamma = Tensor.float32(first.scale_and_shift()[0] * scale)
    beta = Tensor.float32((first.beta.float64 - second.mean.float64) * scale + second.beta.float64)
    if not (gamma.finite and beta.finite):
        return None
    ones = Tensor.float32(np.ones(gamma.shape))
    merged = BatchNormalization(gamma=gamma, beta=beta, mean=first.mean, variance=ones, epsilon=0.0)
    return apply(merged, *x.node.inputs, name=node.name).value


def _is_mild(op: BatchNormalization, limit: float) -> bool:
    """Whether the means are not large beside the deviations (what is not finite is not mild)."""
    with np.errstate(all="ignore"):
        return bool(np.linalg.norm(op.mean.float64 * op.scale_and_shift()[0]) <= limit)


PASS = rewriting_pass("fold-batch-normalization", fold_after_dense, fold_before_dense, merge_normalizations)
