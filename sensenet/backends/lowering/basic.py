"""Emit functions of the ops on tables: constants, dense layers, arithmetic, joining and rearranging."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np

from sensenet.backends.lowering.activation import activate
from sensenet.backends.lowering.emit import Emit
from sensenet.ir.op import Op
from sensenet.ir.ops import basic, core, dense, tabular


def add_bias_and_activate(tf: Any, op: Any, y: Any) -> Any:
    """The end of every layer that has a `bias` (or none) and an `activation`."""
    return activate(tf, op.activation, y if op.bias is None else y + op.bias.array)


def divide(tf: Any, x: Any, divisor: Any) -> Any:
    """x / divisor, rounded as division even where the divisor is constant; x has a batch axis."""
    return x / hide_constant(tf, divisor, x)


def hide_constant(tf: Any, constant: Any, batch: Any) -> Any:
    """A float32 constant that the optimizers don't know; `batch` is a tensor whose first axis is the batch.

    TensorFlow's graph optimizer replaces division by a constant by a product with its reciprocal, which is
    another number in half of all cases: enough to send a row the other way in a tree, or to take another
    pixel. Multiplying by min(batch size, 0) + 1, which is 1, keeps the constant out of its sight. The target
    tflite, in which nothing does so, finds out when it records this that it is 1.
    """
    return constant * tf.cast(tf.minimum(tf.shape(batch)[0], 0) + 1, tf.float32)


def _dense(tf: Any, op: dense.Dense, x: Any, kernel: Any) -> Any:
    return add_bias_and_activate(tf, op, tf.matmul(x, kernel))


def _batch_normalization(tf: Any, op: dense.BatchNormalization, x: Any) -> Any:
    scale, shift = op.scale_and_shift()
    return x * scale.astype(np.float32) + shift.astype(np.float32)


def _slice(tf: Any, op: basic.Slice, x: Any) -> Any:
    index = [slice(None)] * x.shape.rank
    index[op.axis] = slice(op.start, op.stop)
    return x[tuple(index)]


def take_along(tf: Any, x: Any, positions: Any) -> Any:
    """The entries of x[b, n, …] at positions[b, …] of each row's n."""
    return tf.gather(x, positions, axis=1, batch_dims=1)


def _flatten(tf: Any, op: basic.Flatten, x: Any) -> Any:
    inner = x.shape[1:]
    if inner.is_fully_defined():
        return tf.reshape(x, [-1, inner.num_elements()])
    return tf.reshape(x, [tf.shape(x)[0], -1])


EMIT: Mapping[type[Op], Emit] = {
    core.Constant: lambda tf, op, value: value,
    tabular.Standardize: lambda tf, op, x: divide(tf, x - op.mean.array, op.stdev.array),
    tabular.Destandardize: lambda tf, op, x: x * op.stdev.array + op.mean.array,
    dense.Dense: _dense,
    dense.BatchNormalization: _batch_normalization,
    dense.Activation: lambda tf, op, x: activate(tf, op.function, x),
    dense.Dropout: lambda tf, op, x: x,
    basic.Add: lambda tf, op, *xs: reduce(tf.add, xs),
    basic.Average: lambda tf, op, *xs: reduce(tf.add, xs) / len(xs),
    basic.Mean: lambda tf, op, x: tf.reduce_mean(x, axis=op.axis),
    basic.Subtract: lambda tf, op, a, b: a - b,
    basic.Multiply: lambda tf, op, a, b: a * b,
    basic.Divide: lambda tf, op, a, b: divide(tf, a, b),
    basic.Maximum: lambda tf, op, a, b: tf.maximum(a, b),
    basic.Minimum: lambda tf, op, a, b: tf.minimum(a, b),
    basic.Equal: lambda tf, op, a, b: tf.equal(a, b),
    basic.LessEqual: lambda tf, op, a, b: tf.less_equal(a, b),
    basic.Greater: lambda tf, op, a, b: tf.greater(a, b),
    basic.Select: lambda tf, op, condition, a, b: tf.where(condition, a, b),
    basic.Cast: lambda tf, op, x: tf.cast(x, op.dtype.numpy),
    basic.Concatenate: lambda tf, op, *xs: tf.concat(xs, axis=op.axis),
    basic.Slice: _slice,
    basic.Gather: lambda tf, op, x: tf.gather(x, op.indices.array, axis=op.axis),
    basic.Lookup: lambda tf, op, x, table: tf.gather(table, x),
    basic.TakeAlong: lambda tf, op, x, positions: take_along(tf, x, positions),
    basic.MatMul: lambda tf, op, a, b: tf.matmul(a, b),
    basic.Reshape: lambda tf, op, x: tf.reshape(x, [-1 if size is None else size for size in op.shape]),
    basic.Flatten: _flatten,
    basic.Transpose: lambda tf, op, x: tf.transpose(x, op.permutation),
}
