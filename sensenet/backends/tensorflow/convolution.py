"""Emit functions for the ops of convolutional networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensenet.backends.tensorflow.basic import add_bias_and_activate
from sensenet.backends.tensorflow.emit import Emit
from sensenet.ir.op import Op
from sensenet.ir.ops import convolution, pooling


def _convolution(tf: Any, op: convolution.Convolution2D, x: Any, kernel: Any) -> Any:
    return add_bias_and_activate(tf, op, tf.nn.conv2d(x, kernel, op.strides, op.padding.name))


def _depthwise_convolution(tf: Any, op: convolution.DepthwiseConvolution2D, x: Any, kernel: Any) -> Any:
    y = tf.nn.depthwise_conv2d(x, kernel, (1, *op.strides, 1), op.padding.name)
    return add_bias_and_activate(tf, op, y)


def _upsample(tf: Any, op: convolution.Upsample2D, x: Any) -> Any:
    """Return the enlarged image; `tf.image.resize` uses half-pixel centers, as the op does."""
    size = [known * factor for known, factor in zip(x.shape[1:3], op.size, strict=True)]
    return tf.image.resize(x, size, method=op.method.value)


EMIT: Mapping[type[Op], Emit] = {
    convolution.Convolution2D: _convolution,
    convolution.DepthwiseConvolution2D: _depthwise_convolution,
    pooling.MaxPool2D: lambda tf, op, x: tf.nn.max_pool2d(x, op.pool_size, op.strides, op.padding.name),
    pooling.AveragePool2D: lambda tf, op, x: tf.nn.avg_pool2d(x, op.pool_size, op.strides, op.padding.name),
    pooling.GlobalAveragePool2D: lambda tf, op, x: tf.reduce_mean(x, axis=(1, 2)),
    pooling.GlobalMaxPool2D: lambda tf, op, x: tf.reduce_max(x, axis=(1, 2)),
    convolution.Pad2D: lambda tf, op, x: tf.pad(x, ((0, 0), *op.padding, (0, 0))),
    convolution.Upsample2D: _upsample,
}
