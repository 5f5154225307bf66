"""What TensorFlow.js needs other TensorFlow ops for than the shared lowering has."""

from __future__ import annotations

import math
from typing import Any

import attrs

from sensenet.backends.tensorflow import EMIT as SHARED
from sensenet.backends.tensorflow import LEGAL as SHARED_LEGAL
from sensenet.backends.tensorflow import Table
from sensenet.backends.tensorflow.emit import Emit
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node
from sensenet.ir.legality import Legal, is_legal
from sensenet.ir.op import Op
from sensenet.ir.ops import basic, convolution, dense
from sensenet.ir.ops.windows import Padding, same_padding


def take_along(tf: Any, x: Any, positions: Any) -> Any:
    """Return the entries of x[b, n, …] at positions[b, …] of each row's n.

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


def _with_explicit_padding(emit: Emit) -> Emit:
    """Return the emit function of a convolution, with a separate op for the padding.

    Only if windows are smaller than the steps between them: there the WebAssembly backend answers 0 for
    padding that it would have to find out to be less than none.
    """

    def emit_with_padding(tf: Any, op: Any, x: Any, *weights: Any) -> Any:
        sizes, sparse = (
            x.shape[1:3],
            any(step > size for step, size in zip(op.strides, op.window, strict=True)),
        )
        if op.padding is Padding.VALID or not sparse or not sizes.is_fully_defined():
            return emit(tf, op, x, *weights)
        around = [same_padding(*axis) for axis in zip(sizes, op.window, op.strides, strict=True)]
        padded = tf.pad(x, [(0, 0), *around, (0, 0)]) if any(map(any, around)) else x
        return emit(tf, attrs.evolve(op, padding=Padding.VALID), padded, *weights)

    return emit_with_padding


CONVOLUTIONS: tuple[type[Op], ...] = (convolution.Convolution2D, convolution.DepthwiseConvolution2D)

EMIT: Table = {
    **SHARED,
    **{op: _with_explicit_padding(SHARED[op]) for op in CONVOLUTIONS},
    dense.Activation: lambda tf, op, x: (
        _gelu(tf, x) if op.function is ActivationFunction.GELU else SHARED[dense.Activation](tf, op, x)
    ),
    basic.TakeAlong: lambda tf, _, x, positions: take_along(tf, x, positions),
}


def _has_no_gelu(node: Node) -> bool:
    return node.op.activation is not ActivationFunction.GELU and is_legal(node, SHARED_LEGAL)  # type: ignore[attr-defined]


LEGAL: Legal = {**SHARED_LEGAL, **dict.fromkeys((dense.Dense, *CONVOLUTIONS), _has_no_gelu)}
"""As what is shared, but for gelu, which is an op of its own here."""
