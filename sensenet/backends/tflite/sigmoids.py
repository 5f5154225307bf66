"""Finds sigmoids whose inputs may be so large that LiteRT returns NaN."""

from __future__ import annotations

import functools

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value
from sensenet.ir.ops.arithmetic import Minimum
from sensenet.ir.ops.core import Constant
from sensenet.ir.ops.dense import Activation
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.printer import tensors_of
from sensenet.ir.types import DType, Tensor

LARGEST, SMALLEST = 2.0**64, 2.0**-64
"""Weights, and deviations, beyond which numbers of ordinary size may come near 5e26: from there on to 2e38,
XNNPACK's sigmoid is NaN."""

FAR = 1e30
"""A number on either side, at which an activation function that has no bound is beyond LARGEST."""


def is_safe_sigmoid(node: Node) -> bool:
    """Return whether a node is not a sigmoid of numbers that weights above 2⁶⁴ may have made too large."""
    if not isinstance(node.op, Activation) or node.op.function is not ActivationFunction.SIGMOID:
        return True
    open_values, seen = list(node.inputs), set[Value]()
    while open_values:
        value = open_values.pop()
        if value in seen or _is_bounded(value):
            continue
        seen.add(value)
        if _is_huge(value):
            return False
        open_values += value.node.inputs
    return True


def _is_bounded(value: Value) -> bool:
    op = value.op
    if isinstance(op, Minimum):
        return any(isinstance(each.op, Constant) for each in value.node.inputs)
    return isinstance(op, Activation) and is_bounded(op.function)


@functools.cache
def is_bounded(function: ActivationFunction) -> bool:
    """Return whether a function's results are small however large its input is."""
    with np.errstate(all="ignore"):
        results = function(np.array([[-FAR, FAR]], np.float32))
    return bool(np.abs(results).max() < LARGEST)


def _is_huge(value: Value) -> bool:
    if isinstance(value.op, Forest):
        return False
    return any(map(_has_extremes, tensors_of(value.op)))


def _has_extremes(tensor: Tensor) -> bool:
    """Return whether a number may make others huge: as a factor, or as a divisor, which has no zeros."""
    if tensor.type.dtype is not DType.FLOAT32 or not tensor.array.size:
        return False
    return tensor.largest > LARGEST or bool(tensor.largest < SMALLEST and np.min(np.abs(tensor.array)) > 0)
