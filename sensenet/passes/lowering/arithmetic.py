"""Lowering rules for ops that are short formulas; the pass legalize uses them.

    %1 = standardize(%0) {mean=M, stdev=S}       becomes  divide(subtract(%0, M), S)
    %1 = destandardize(%0) {mean=m, stdev=s}     becomes  add(multiply(%0, s), m)
    %1 = one_hot(%0) {depths=(2, 3)}             becomes  cast(equal(gather(%0, groups), codes))
    %2 = average(%0, %1) {}                      becomes  divide(add(%0, %1), 2)
    %1 = batch_normalization(%0) {…}             becomes  add(multiply(%0, scale), shift)
    %1 = dropout(%0) {…}                         becomes  %0

Valid because these are the ops' own formulas, step by step: the results are the same, bit for bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensenet.ir.graph import Node, Value, apply, constant
from sensenet.ir.op import Op
from sensenet.ir.ops.arithmetic import Add, Cast, Divide, Equal, Multiply, Subtract
from sensenet.ir.ops.dense import BatchNormalization, Dropout
from sensenet.ir.ops.rearrangement import Gather
from sensenet.ir.ops.tabular import Destandardize, OneHot, Standardize
from sensenet.ir.types import DType, Tensor
from sensenet.passes.infrastructure.rules import Uses


def lower_standardize(node: Node, _: Uses) -> Value | None:
    """Return (x - mean) / stdev."""
    if not isinstance(node.op, Standardize):
        return None
    centered = _with_constant(Subtract(), node.inputs[0], node.op.mean.array, f"{node.name}_centered")
    return _with_constant(Divide(), centered, node.op.stdev.array, node.name)


def lower_destandardize(node: Node, _: Uses) -> Value | None:
    """Return x · stdev + mean."""
    if not isinstance(node.op, Destandardize):
        return None
    return _scale_and_shift(node, node.op.stdev.array, node.op.mean.array)


def lower_batch_normalization(node: Node, _: Uses) -> Value | None:
    """Return x · scale + shift."""
    if not isinstance(node.op, BatchNormalization):
        return None
    return _scale_and_shift(node, *node.op.scale_and_shift())


def lower_one_hot(node: Node, _: Uses) -> Value | None:
    """Return each column of codes, repeated once per category and compared with the category's code."""
    if not isinstance(node.op, OneHot):
        return None
    (x,) = node.inputs
    if len(node.op.depths) > 1:  # a single column broadcasts by itself
        x = apply(Gather(indices=Tensor.int32(node.op.groups)), x, name=f"{node.name}_columns").value
    equal = _with_constant(Equal(), x, node.op.codes, f"{node.name}_equal")
    return apply(Cast(dtype=DType.FLOAT32), equal, name=node.name).value


def lower_average(node: Node, _: Uses) -> Value | None:
    """Return the sum of the inputs, divided by their number."""
    if len(node.inputs) == 1:
        return node.inputs[0]
    total = apply(Add(), *node.inputs, name=f"{node.name}_sum").value
    return _with_constant(Divide(), total, len(node.inputs), node.name)


def lower_dropout(node: Node, _: Uses) -> Value | None:
    """Return the input: dropout has an effect in training only."""
    return node.inputs[0] if isinstance(node.op, Dropout) else None


def _scale_and_shift(node: Node, scale: npt.ArrayLike, shift: npt.ArrayLike) -> Value:
    scaled = _with_constant(Multiply(), node.inputs[0], scale, f"{node.name}_scaled")
    return _with_constant(Add(), scaled, shift, node.name)


def _with_constant(op: Op, x: Value, values: npt.ArrayLike, name: str) -> Value:
    """Return the op on a value and a float32 constant."""
    second = constant(Tensor.float32(np.asarray(values)), f"{name}_constant")
    return apply(op, x, second, name=name).value
