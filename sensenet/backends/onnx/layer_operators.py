"""ONNX's operators for layers: dense, activations, convolutions, pools, enlargement."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sensenet.backends.onnx.operators import Operator, integers, number, operator, reduce, to_sizes
from sensenet.backends.onnx.windows import slide
from sensenet.ir.activation import LEAKY_RELU_SLOPE, SELU_ALPHA, SELU_SCALE, ActivationFunction
from sensenet.ir.graph import Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops import convolution, dense, pooling, shape
from sensenet.ir.ops.convolution import UpsampleMethod
from sensenet.ir.types import Array, Tensor

Emit = Callable[[Any, Node], Operator]
"""`emit(op, node)`: the operator that gives a node's value."""

MODES = {UpsampleMethod.NEAREST: "nearest", UpsampleMethod.BILINEAR: "linear"}


def _gelu(x: Value) -> Operator:
    """x/2 + x/2 · erf(x/√2): the operator Gelu is younger than the oldest operator set."""
    half = operator("Mul", x, number(0.5))
    erf = operator("Erf", operator("Mul", x, number(math.sqrt(0.5))))
    return operator("Add", half, operator("Mul", half, erf))


ACTIVATIONS: Mapping[ActivationFunction, Callable[[Value], Operator]] = {
    ActivationFunction.RELU: lambda x: operator("Relu", x),
    ActivationFunction.RELU6: lambda x: operator("Clip", x, number(0), number(6)),
    ActivationFunction.LEAKY_RELU: lambda x: operator("LeakyRelu", x, alpha=LEAKY_RELU_SLOPE),
    ActivationFunction.TANH: lambda x: operator("Tanh", x),
    ActivationFunction.SIGMOID: lambda x: operator("Sigmoid", x),
    ActivationFunction.SOFTMAX: lambda x: operator("Softmax", x, axis=-1),
    ActivationFunction.LOG_SOFTMAX: lambda x: operator("LogSoftmax", x, axis=-1),
    ActivationFunction.ELU: lambda x: operator("Elu", x, alpha=1.0),
    ActivationFunction.SELU: lambda x: operator("Selu", x, alpha=SELU_ALPHA, gamma=SELU_SCALE),
    ActivationFunction.GELU: _gelu,
    ActivationFunction.SOFTPLUS: lambda x: operator("Softplus", x),
    ActivationFunction.SOFTSIGN: lambda x: operator("Softsign", x),
    ActivationFunction.EXPONENTIAL: lambda x: operator("Exp", x),
}
"""The functions that are written, all but gelu as one operator."""


def _dense(op: dense.Dense, node: Node) -> Operator:
    product = operator("MatMul", *node.inputs, op.kernel.array)
    return product if op.bias is None else operator("Add", product, op.bias.array)


def _convolution(op: convolution.Convolution2D, node: Node) -> Operator:
    kernel = op.kernel.array.transpose(3, 2, 0, 1)
    return slide("Conv", node, op.window, op, kernel, *_bias(op.bias))


def _depthwise_convolution(op: convolution.DepthwiseConvolution2D, node: Node) -> Operator:
    height, width, channels, _ = op.kernel.shape
    kernel = op.kernel.array.transpose(2, 3, 0, 1).reshape(op.filters, 1, height, width)
    return slide("Conv", node, op.window, op, kernel, *_bias(op.bias), group=channels)


def _bias(bias: Tensor | None) -> list[Array]:
    return [] if bias is None else [bias.array]


def _upsample(op: convolution.Upsample2D, node: Node) -> Operator:
    scales = np.asarray((1, *op.size, 1), np.float32)
    return operator("Resize", *node.inputs, None, scales, mode=MODES[op.method])


def _resize(op: shape.Resize2D, node: Node) -> Operator:
    x, size = node.inputs
    return operator("Resize", x, None, None, to_sizes(size), mode=MODES[op.method], axes=(1, 2))


LAYERS: Mapping[type[Op], Emit] = {
    dense.Dense: _dense,
    dense.Activation: lambda op, node: ACTIVATIONS[op.function](*node.inputs),
    convolution.Convolution2D: _convolution,
    convolution.DepthwiseConvolution2D: _depthwise_convolution,
    pooling.MaxPool2D: lambda op, node: slide("MaxPool", node, op.pool_size, op),
    pooling.AveragePool2D: lambda op, node: slide("AveragePool", node, op.pool_size, op),
    pooling.GlobalAveragePool2D: lambda op, node: reduce("ReduceMean", node.inputs[0], [1, 2]),
    pooling.GlobalMaxPool2D: lambda op, node: reduce("ReduceMax", node.inputs[0], [1, 2]),
    convolution.Pad2D: lambda op, node: operator(
        "Pad", *node.inputs, integers([(0, 0), *op.padding, (0, 0)]).T.reshape(-1), mode="constant"
    ),
    convolution.Upsample2D: _upsample,
    shape.Resize2D: _resize,
}
