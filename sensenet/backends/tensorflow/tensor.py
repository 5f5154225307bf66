"""Emit functions for the tensor ops that other ops are lowered to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensenet.backends.tensorflow.emit import Emit
from sensenet.ir.op import Op
from sensenet.ir.ops import elementwise, reduction, shape
from sensenet.ir.types import Shape


def _shaped(tensor: Any, sizes: Shape) -> Any:
    """Return the tensor with its static shape set, without an op."""
    tensor.set_shape(sizes)
    return tensor


def _dynamic_reshape(tf: Any, op: shape.DynamicReshape, x: Any, sizes: Any) -> Any:
    return _shaped(tf.reshape(x, sizes), op.shape)


def _fill(tf: Any, op: shape.Fill, sizes: Any) -> Any:
    return _shaped(tf.fill(sizes, op.value.array), op.shape)


EMIT: Mapping[type[Op], Emit] = {
    elementwise.Negate: lambda tf, op, x: -x,
    elementwise.Absolute: lambda tf, op, x: tf.abs(x),
    elementwise.Exp: lambda tf, op, x: tf.exp(x),
    elementwise.Log: lambda tf, op, x: tf.math.log(x),
    elementwise.Floor: lambda tf, op, x: tf.floor(x),
    elementwise.Round: lambda tf, op, x: tf.round(x),
    elementwise.And: lambda tf, op, a, b: tf.logical_and(a, b),
    reduction.ReduceSum: lambda tf, op, x: tf.reduce_sum(x, op.axes, op.keep_dimensions),
    reduction.ReduceMax: lambda tf, op, x: tf.reduce_max(x, op.axes, op.keep_dimensions),
    reduction.ReduceMin: lambda tf, op, x: tf.reduce_min(x, op.axes, op.keep_dimensions),
    reduction.ReduceAny: lambda tf, op, x: tf.reduce_any(x, op.axes, op.keep_dimensions),
    reduction.ArgMax: lambda tf, op, x: tf.argmax(x, op.axis, output_type=tf.int32),
    shape.ShapeOf: lambda tf, op, x: tf.shape(x),
    shape.Range: lambda tf, op, limit: tf.range(limit),
    shape.Fill: _fill,
    shape.DynamicReshape: _dynamic_reshape,
    shape.Take: lambda tf, op, x, positions: tf.gather(x, positions, axis=op.axis),
    shape.Stack: lambda tf, op, *xs: tf.stack(xs, op.axis),
    shape.Resize2D: lambda tf, op, x, size: tf.image.resize(x, size, method=op.method.value),
}
