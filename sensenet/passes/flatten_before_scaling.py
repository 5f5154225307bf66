"""flatten-before-scaling: flatten images before they are scaled, if dense layers can absorb the scaling.

    %1 = batch_normalization(%0) {gamma=f32[2]{…}, beta=…, mean=…, variance=…, epsilon=0.001} : f32[?,3,3,2]
    %2 = flatten(%1) {} : f32[?,18]
    %3 = dense(%2) {kernel=#…:f32[18,4], bias=…, activation=relu} : f32[?,4]
becomes
    %2 = flatten(%0) {} : f32[?,18]
    %1 = batch_normalization(%2) {gamma=#…:f32[18], beta=…, mean=…, variance=…, epsilon=0.001} : f32[?,18]
    %3 = dense(%1) {kernel=#…:f32[18,4], bias=…, activation=relu} : f32[?,4]

One number per channel becomes one per column, until the layer absorbs it (see fold-batch-normalization and
fold-standardization). A standardization of pixels moves like a normalization.

Valid, and exact, because both work number by number. Must not fire if anything but dense layers reads the
columns, or anything else the image: it would be scaled twice. Nor if its size is unknown, nor if the layers
could not absorb the scaling because of its means or deviations.
"""

from __future__ import annotations

import numpy as np
from attrs import evolve

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.dense import BatchNormalization, Dense
from sensenet.ir.ops.rearrangement import Flatten
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.types import Tensor
from sensenet.passes.analysis.columns import reaches_only
from sensenet.passes.fold_batch_normalization import is_mild_before
from sensenet.passes.fold_standardization import is_in_range
from sensenet.passes.infrastructure.rules import Declined, Uses, rewriting_pass


def normalize_columns(node: Node, uses: Uses) -> Value | Declined | None:
    """Return the normalization of a flattened image."""
    found = _flattened(node, uses)
    if found is None or not isinstance(found.op, BatchNormalization):
        return None
    gamma, beta, mean, variance = (
        _by_column(tensor, found)
        for tensor in (found.op.gamma, found.op.beta, found.op.mean, found.op.variance)
    )
    op = evolve(found.op, gamma=gamma, beta=beta, mean=mean, variance=variance)

    def takes_in(reader: Node) -> bool:
        return isinstance(reader.op, Dense) and is_mild_before(op, reader.op)

    if not uses.only_by(node.value, takes_in):
        return Declined(
            f"not every reader of {node.name!r} is a dense layer that can absorb the normalization"
        )
    return apply(op, _flatten_input(found, node), name=found.node.name).value


def standardize_columns(node: Node, uses: Uses) -> Value | None:
    """Return the standardization of a flattened image."""
    found = _flattened(node, uses)
    if found is None or not isinstance(found.op, Standardize) or not is_in_range(found.op):
        return None
    if not reaches_only(node.value, uses, lambda reader: isinstance(reader.op, Dense)):
        return None
    op = Standardize(mean=_by_column(found.op.mean, found), stdev=_by_column(found.op.stdev, found))
    return apply(op, _flatten_input(found, node), name=found.node.name).value


def _flattened(node: Node, uses: Uses) -> Value | None:
    """Return the image of known size that a node flattens and nothing else reads."""
    if not isinstance(node.op, Flatten) or not uses.only(node.inputs[0]):
        return None
    (x,) = node.inputs
    return None if x.type.rank < 3 or None in x.type.shape[1:] else x


def _by_column(parameter: Tensor, image: Value) -> Tensor:
    """Return one number per pixel and channel, in the order of flattening."""
    sizes = tuple(size or 0 for size in image.type.shape[1:])
    return Tensor.float32(np.broadcast_to(parameter.array, sizes).ravel())


def _flatten_input(scaled: Value, node: Node) -> Value:
    return apply(Flatten(), scaled.node.inputs[0], name=node.name).value


PASS = rewriting_pass("flatten-before-scaling", normalize_columns, standardize_columns)
