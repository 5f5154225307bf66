"""The operators of layers: dense, convolutions, pools, enlargement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sensenet.backends.tflite.operators import FUSED, Operator, integers, operator
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node
from sensenet.ir.op import Op
from sensenet.ir.ops import convolution, dense, pooling, shape
from sensenet.ir.ops.convolution import UpsampleMethod
from sensenet.ir.types import Array, Tensor

Emit = Callable[[Any, Node], Operator]
"""`emit(op, node)`: the operator for a node of an op."""

FUSED_NAMES: Mapping[ActivationFunction, str] = {
    ActivationFunction.LINEAR: "NONE",
    ActivationFunction.RELU: "RELU",
    ActivationFunction.RELU6: "RELU6",
}
"""The activations that other operators may end with, by their names in the schema."""

ACTIVATIONS: Mapping[ActivationFunction, tuple[str, Mapping[str, Any]]] = {
    ActivationFunction.RELU: ("RELU", {}),
    ActivationFunction.RELU6: ("RELU6", {}),
    ActivationFunction.LEAKY_RELU: ("LEAKY_RELU", {"alpha": 0.1}),
    ActivationFunction.TANH: ("TANH", {}),
    ActivationFunction.SIGMOID: ("LOGISTIC", {}),
    ActivationFunction.SOFTMAX: ("SOFTMAX", {"beta": 1.0}),
    ActivationFunction.LOG_SOFTMAX: ("LOG_SOFTMAX", {}),
    ActivationFunction.ELU: ("ELU", {}),
    ActivationFunction.GELU: ("GELU", {"approximate": False}),
}
"""The functions that are one operator, and its options."""

RESIZE = {UpsampleMethod.NEAREST: "RESIZE_NEAREST_NEIGHBOR", UpsampleMethod.BILINEAR: "RESIZE_BILINEAR"}


def _dense(op: dense.Dense, node: Node) -> Operator:
    (x,) = node.inputs
    bias = None if op.bias is None else op.bias.array
    options = {FUSED: FUSED_NAMES[op.activation], "keepNumDims": x.type.rank > 2}
    return operator("FULLY_CONNECTED", x, op.kernel.array.T, bias, **options)


def _convolution(op: convolution.Convolution2D, node: Node) -> Operator:
    kernel = op.kernel.array.transpose(3, 0, 1, 2)
    return operator("CONV_2D", *node.inputs, kernel, _bias(op.bias, op.filters), **_options(op))


def _depthwise_convolution(op: convolution.DepthwiseConvolution2D, node: Node) -> Operator:
    height, width, _, multiplier = op.kernel.shape
    kernel = op.kernel.array.reshape(1, height, width, op.filters)
    bias = _bias(op.bias, op.filters)
    options = {**_options(op), "depthMultiplier": multiplier}
    return operator("DEPTHWISE_CONV_2D", *node.inputs, kernel, bias, **options)


def _bias(bias: Tensor | None, filters: int) -> Array:
    """Return the bias, or zeros: a convolution always has one."""
    return np.zeros(filters, np.float32) if bias is None else bias.array


def _pool(kind: str) -> Emit:
    def emit(op: Any, node: Node) -> Operator:
        height, width = op.pool_size
        return operator(kind, *node.inputs, **_options(op), filterHeight=height, filterWidth=width)

    return emit


def _options(op: Any) -> dict[str, Any]:
    """Return the options of all operators with windows; a pool has no activation of its own."""
    activation = getattr(op, "activation", ActivationFunction.LINEAR)
    return {
        "padding": op.padding.name,
        "strideH": op.strides[0],
        "strideW": op.strides[1],
        FUSED: FUSED_NAMES[activation],
    }


def _activation(op: dense.Activation, node: Node) -> Operator:
    kind, options = ACTIVATIONS[op.function]
    return operator(kind, *node.inputs, **options)


def _upsample(op: convolution.Upsample2D, node: Node) -> Operator:
    sizes = [size or 0 for size in node.types[0].shape[1:3]]
    return operator(RESIZE[op.method], *node.inputs, integers(sizes), halfPixelCenters=True)


def _resize(op: shape.Resize2D, node: Node) -> Operator:
    return operator(RESIZE[op.method], *node.inputs, halfPixelCenters=True)


LAYERS: Mapping[type[Op], Emit] = {
    dense.Dense: _dense,
    dense.Activation: _activation,
    convolution.Convolution2D: _convolution,
    convolution.DepthwiseConvolution2D: _depthwise_convolution,
    pooling.MaxPool2D: _pool("MAX_POOL_2D"),
    pooling.AveragePool2D: _pool("AVERAGE_POOL_2D"),
    pooling.GlobalAveragePool2D: lambda op, node: operator(
        "MEAN", *node.inputs, integers([1, 2]), keepDims=False
    ),
    pooling.GlobalMaxPool2D: lambda op, node: operator(
        "REDUCE_MAX", *node.inputs, integers([1, 2]), keepDims=False
    ),
    convolution.Pad2D: lambda op, node: operator(
        "PAD", *node.inputs, integers([(0, 0), *op.padding, (0, 0)])
    ),
    convolution.Upsample2D: _upsample,
    shape.Resize2D: _resize,
}
