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
weight would not be finite. Nor where |mean · scale| of a column is above `LARGEST_SHIFT`: large numbers that
cancel then move into the weights, and lose digits that they kept.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.dense import BatchNormalization, Dense
from sensenet.ir.types import Tensor
from sensenet.passes.rewrite import Uses, rewriting_pass
from sensenet.passes.weights import apply_changed

LARGEST_SHIFT = 8.0


def fold_after_dense(node: Node, uses: Uses) -> Value | None:
    """The linear layer below, normalized."""
    if not isinstance(node.op, BatchNormalization) or not _is_mild(node.op):
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
    if not isinstance(x.op, BatchNormalization) or not _is_mild(x.op):
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
    if not _is_mild(first) or not _is_mild(second):
        return None
    scale = second.scale_and_shift()[0]
    gamma = Tensor.float32(first.scale_and_shift()[0] * scale)
    beta = Tensor.float32((first.beta.float64 - second.mean.float64) * scale + second.beta.float64)
    if not (gamma.finite and beta.finite):
        return None
    ones = Tensor.float32(np.ones(gamma.shape))
    merged = BatchNormalization(gamma=gamma, beta=beta, mean=first.mean, variance=ones, epsilon=0.0)
    return apply(merged, *x.node.inputs, name=node.name).value


def _is_mild(op: BatchNormalization) -> bool:
    """Whether no column has a mean that is large beside its deviation (what is not finite is not mild)."""
    with np.errstate(all="ignore"):
        return bool(np.all(np.abs(op.mean.float64 * op.scale_and_shift()[0]) <= LARGEST_SHIFT))


PASS = rewriting_pass("fold-batch-normalization", fold_after_dense, fold_before_dense, merge_normalizations)
