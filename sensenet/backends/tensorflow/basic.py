"""Emit functions for constants, dense layers, arithmetic, and joining and rearranging tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sensenet.backends.tensorflow.activation import activate
from sensenet.backends.tensorflow.emit import Emit
from sensenet.ir.op import Op
from sensenet.ir.ops import arithmetic, core, dense, image, rearrangement, reduction


def add_bias_and_activate(tf: Any, op: Any, y: Any) -> Any:
    """Return activation(y + bias), for an op with an optional `bias` and an `activation`."""
    return activate(tf, op.activation, y if op.bias is None else y + op.bias.array)


def divide(tf: Any, x: Any, divisor: Any) -> Any:
    """Return x / divisor, rounded like a division even if the divisor is constant.

    TensorFlow's graph optimizer replaces division by a constant by a product with its reciprocal, which is
    another number in half of all cases: enough to send a row the other way in a tree, or to take another
    pixel. To hide the constant from the optimizer, the divisor is multiplied by min(size of x, 0) + 1, which
    is 1; or, for an x of known size, (x > inf), which is 0, is added.
    """
    if tf.get_static_value(divisor) is None:
        return x / divisor
    if x.shape.is_fully_defined():
        return x / (divisor + tf.cast(x > np.float32(np.inf), tf.float32))
    return x / (divisor * tf.cast(tf.minimum(tf.size(x), 0) + 1, tf.float32))


def _dense(tf: Any, op: dense.Dense, x: Any, kernel: Any) -> Any:
    return add_bias_and_activate(tf, op, tf.matmul(x, kernel))


def _slice(tf: Any, op: rearrangement.Slice, x: Any) -> Any:
    index = [slice(None)] * x.shape.rank
    index[op.axis] = slice(op.start, op.stop)
    return x[tuple(index)]


EMIT: Mapping[type[Op], Emit] = {
    core.Constant: lambda tf, op, value: value,
    dense.Dense: _dense,
    dense.Activation: lambda tf, op, x: activate(tf, op.function, x),
    arithmetic.Add: lambda tf, op, a, b: a + b,
    reduction.Mean: lambda tf, op, x: tf.reduce_mean(x, axis=op.axis),
    arithmetic.Subtract: lambda tf, op, a, b: a - b,
    arithmetic.Multiply: lambda tf, op, a, b: a * b,
    arithmetic.Divide: lambda tf, op, a, b: divide(tf, a, b),
    arithmetic.Maximum: lambda tf, op, a, b: tf.maximum(a, b),
    arithmetic.Minimum: lambda tf, op, a, b: tf.minimum(a, b),
    arithmetic.Equal: lambda tf, op, a, b: tf.equal(a, b),
    arithmetic.LessEqual: lambda tf, op, a, b: tf.less_equal(a, b),
    arithmetic.Greater: lambda tf, op, a, b: tf.greater(a, b),
    arithmetic.Select: lambda tf, op, condition, a, b: tf.where(condition, a, b),
    arithmetic.Cast: lambda tf, op, x: tf.cast(x, op.dtype.numpy),
    rearrangement.Concatenate: lambda tf, op, *xs: tf.concat(xs, axis=op.axis),
    rearrangement.Slice: _slice,
    rearrangement.Gather: lambda tf, op, x: tf.gather(x, op.indices.array, axis=op.axis),
    rearrangement.Lookup: lambda tf, op, x, table: tf.gather(table, x),
    rearrangement.TakeAlong: lambda tf, op, x, positions: tf.gather(x, positions, axis=1, batch_dims=1),
    dense.MatMul: lambda tf, op, a, b: tf.matmul(a, b),
    rearrangement.Reshape: lambda tf, op, x: tf.reshape(
        x, [-1 if size is None else size for size in op.shape]
    ),
    rearrangement.Transpose: lambda tf, op, x: tf.transpose(x, op.permutation),
    image.Index: lambda tf, op, x: x[(slice(None),) * op.axis + (op.index,)],
}
