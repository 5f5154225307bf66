"""TensorFlow.js' operators for layers: dense, activations, convolutions, pools, enlargement."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sensenet.backends.tfjs.names import BIAS, FUSED_OPS, NO_BIAS
from sensenet.backends.tfjs.operators import FLOAT, Operator, integers, operator
from sensenet.backends.tfjs.windows import pad, place_windows, windows
from sensenet.ir.activation import LEAKY_RELU_SLOPE, ActivationFunction
from sensenet.ir.graph import Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops import convolution, dense, pooling, shape
from sensenet.ir.ops.convolution import UpsampleMethod
from sensenet.ir.types import Array

Emit = Callable[[Any, Node], Operator]
"""`emit(op, node)`: the operator that gives a node's value."""

RESIZE = {UpsampleMethod.NEAREST: "ResizeNearestNeighbor", UpsampleMethod.BILINEAR: "ResizeBilinear"}


def _number(value: float) -> Array:
    return np.asarray(value, np.float32)


def _gelu(x: Value | Operator) -> Operator:
    """x/2 + x/2 · erf(x/√2)."""
    half = operator("Mul", x, _number(0.5), **FLOAT)
    erf = operator("Erf", operator("Mul", x, _number(math.sqrt(0.5)), **FLOAT), **FLOAT)
    return operator("AddV2", half, operator("Mul", half, erf, **FLOAT), **FLOAT)


def _function(kind: str, **attributes: Any) -> Callable[[Value | Operator], Operator]:
    return lambda x: operator(kind, x, **FLOAT, **attributes)


ACTIVATIONS: Mapping[ActivationFunction, Callable[[Value | Operator], Operator]] = {
    ActivationFunction.RELU: _function("Relu"),
    ActivationFunction.RELU6: _function("Relu6"),
    ActivationFunction.LEAKY_RELU: _function("LeakyRelu", alpha=LEAKY_RELU_SLOPE),
    ActivationFunction.TANH: _function("Tanh"),
    ActivationFunction.SIGMOID: _function("Sigmoid"),
    ActivationFunction.SOFTMAX: _function("Softmax"),
    ActivationFunction.LOG_SOFTMAX: _function("LogSoftmax"),
    ActivationFunction.ELU: _function("Elu"),
    ActivationFunction.GELU: _gelu,
}
"""The functions that are written, all but gelu as one operator."""

FUSED: Mapping[ActivationFunction, str] = {
    ActivationFunction.RELU: "Relu",
    ActivationFunction.RELU6: "Relu6",
    ActivationFunction.ELU: "Elu",
}
"""The functions that layers may end with: fused kernels have them on all backends, cpu, wasm and webgl."""


def _layer(kind: str, fused: str, x: Value | Operator, kernel: Array, op: Any, **attributes: Any) -> Operator:
    """Return a product with its bias and activation, all in one operator if it has either."""
    bias = () if op.bias is None else (op.bias.array,)
    parts = [BIAS if bias else NO_BIAS]
    if op.activation is not ActivationFunction.LINEAR:
        parts.append(FUSED[op.activation])
    if parts == [NO_BIAS]:
        return operator(kind, x, kernel, **FLOAT, **attributes)
    return operator(
        fused, x, kernel, *bias, **FLOAT, **attributes, **{"num_args": len(bias), FUSED_OPS: parts}
    )


def _activate(y: Operator, function: ActivationFunction) -> Operator:
    return y if function is ActivationFunction.LINEAR else ACTIVATIONS[function](y)


def _dense(op: dense.Dense, node: Node) -> Operator:
    (x,) = node.inputs
    if x.type.rank == 2:
        return _layer("MatMul", "_FusedMatMul", x, op.kernel.array, op)
    product = operator("BatchMatMulV2", x, op.kernel.array, **FLOAT)
    sums = product if op.bias is None else operator("AddV2", product, op.bias.array, **FLOAT)
    return _activate(sums, op.activation)


def _convolution(kind: str, fused: str) -> Emit:
    def emit(op: Any, node: Node) -> Operator:
        x, attributes = place_windows(op, node.inputs[0])
        return _layer(kind, fused, x, op.kernel.array, op, **attributes, dilations=(1, 1, 1, 1))

    return emit


def _pool(kind: str) -> Emit:
    return lambda op, node: operator(kind, *node.inputs, **FLOAT, **windows(op), ksize=(1, *op.pool_size, 1))


def _over_image(kind: str) -> Emit:
    """Return a reduction over height and width."""
    return lambda op, node: operator(kind, *node.inputs, integers([1, 2]), **FLOAT)


def _resize(method: UpsampleMethod, size: Value | Array, x: Value) -> Operator:
    return operator(RESIZE[method], x, size, **FLOAT, half_pixel_centers=True)


def _upsample(op: convolution.Upsample2D, node: Node) -> Operator:
    sizes = [size or 0 for size in node.types[0].shape[1:3]]
    return _resize(op.method, integers(sizes), *node.inputs)


LAYERS: Mapping[type[Op], Emit] = {
    dense.Dense: _dense,
    dense.Activation: lambda op, node: ACTIVATIONS[op.function](*node.inputs),
    convolution.Convolution2D: _convolution("Conv2D", "_FusedConv2D"),
    convolution.DepthwiseConvolution2D: _convolution("DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"),
    pooling.MaxPool2D: _pool("MaxPool"),
    pooling.AveragePool2D: _pool("AvgPool"),
    pooling.GlobalAveragePool2D: _over_image("Mean"),
    pooling.GlobalMaxPool2D: _over_image("Max"),
    convolution.Pad2D: lambda op, node: pad(op.padding, *node.inputs),
    convolution.Upsample2D: _upsample,
    shape.Resize2D: lambda op, node: _resize(op.method, node.inputs[1], node.inputs[0]),
}
