"""What TensorFlow.js needs other TensorFlow ops for than the shared lowering has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from sensenet.backends.lowering import EMIT as SHARED
from sensenet.backends.lowering import Table
from sensenet.backends.lowering.detection import suppress_boxes
from sensenet.backends.lowering.emit import Emit
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.op import Op
from sensenet.ir.ops import basic, convolution, dense, detection


def take_along(tf: Any, x: Any, positions: Any) -> Any:
    """The entries of x[b, n, …] at positions[b, …] of each row's n.

    It counts through all rows instead of asking `tf.gather` for batch dimensions: with these, the kernel of
    the WebAssembly backend reads other rows than the first from wrong places in memory.
    """
    starts = tf.range(tf.shape(x)[0]) * tf.shape(x)[1]
    starts = tf.reshape(starts, [-1] + [1] * (positions.shape.rank - 1))
    return tf.gather(tf.reshape(x, [-1, *x.shape[2:]]), positions + starts)


def _gelu(tf: Any, x: Any) -> Any:
    """x/2 + x/2 · erf(x/√2): TensorFlow.js has no erfc, of which `tf.nn.gelu` is made.

    The form x/2 · (1 + erf(x/√2)) would be recognized, and fused into an op that TensorFlow.js does not have.
    """
    half = 0.5 * x
    return half + half * tf.math.erf(x * math.sqrt(0.5))


def _with_gelu(emit: Emit, attribute: str) -> Emit:
    """The emit function of an op that has an activation as its last step, in that attribute."""

    def emit_with_gelu(tf: Any, op: Any, *tensors: Any) -> Any:
        if getattr(op, attribute) is not ActivationFunction.GELU:
            return emit(tf, op, *tensors)
        return _gelu(tf, emit(tf, attrs.evolve(op, **{attribute: ActivationFunction.LINEAR}), *tensors))

    return emit_with_gelu


ACTIVATIONS: Mapping[type[Op], str] = {
    dense.Activation: "function",
    dense.Dense: "activation",
    convolution.Convolution2D: "activation",
    convolution.DepthwiseConvolution2D: "activation",
    convolution.SeparableConvolution2D: "activation",
}
"""The attribute of each op that is an activation function."""

EMIT: Table = {
    **SHARED,
    **{op: _with_gelu(SHARED[op], attribute) for op, attribute in ACTIVATIONS.items()},
    basic.TakeAlong: lambda tf, _, x, positions: take_along(tf, x, positions),
    detection.SuppressBoxes: partial(suppress_boxes, take=take_along),
}
