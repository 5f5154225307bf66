"""Layers that are linear up to their activation, and what can be worked into their weights.

Dense layers and the three kinds of convolution are activation(L(x) + bias), with L linear: the channels of
what L reads may be scaled and shifted in its first kernel and the bias, those of its results in its last
kernel and the bias. A separable convolution has two kernels, the others one, which is both.
"""

from __future__ import annotations

from typing import TypeGuard

import numpy as np
from attrs import evolve

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.op import Op
from sensenet.ir.ops.convolution import Convolution2D, DepthwiseConvolution2D, SeparableConvolution2D
from sensenet.ir.ops.dense import Dense
from sensenet.ir.ops.windows import Padding, same_padding
from sensenet.ir.types import Array, Tensor, TensorType
from sensenet.passes.weights import Weights

Convolution = Convolution2D | DepthwiseConvolution2D | SeparableConvolution2D
LinearLayer = Dense | Convolution

CONVOLUTIONS = (Convolution2D, DepthwiseConvolution2D, SeparableConvolution2D)
LINEAR_LAYERS = (Dense, *CONVOLUTIONS)


def is_linear(op: Op) -> TypeGuard[LinearLayer]:
    """Whether an op is a layer without an activation."""
    return isinstance(op, LINEAR_LAYERS) and op.activation is ActivationFunction.LINEAR


def is_convolution(node: Node) -> bool:
    """Whether a node applies a convolution of any kind."""
    return isinstance(node.op, CONVOLUTIONS)


def reads_padding(layer: LinearLayer, x: TensorType) -> bool:
    """Whether a layer reads zeros beside the picture x; so it counts where the picture's size is unknown."""
    if isinstance(layer, Dense) or layer.padding is Padding.VALID:
        return False
    return any(
        length > 1 if size is None else any(same_padding(size, length, stride))
        for size, length, stride in zip(x.shape[1:3], layer.window, layer.strides, strict=True)
    )


def apply_layer(layer: LinearLayer | None, x: Value, name: str) -> Value | None:
    """The layer's results on x, or None without a layer."""
    return None if layer is None else apply(layer, x, name=name).value


def scale_results(layer: LinearLayer, scale: Weights, shift: Weights) -> LinearLayer | None:
    """The linear layer with y · scale + shift for its results y, channel by channel.

    None where a weight would not be finite in float32.
    """
    last = _last_kernel(layer).float64
    scaled = last * (scale.reshape(last.shape[2:]) if isinstance(layer, DepthwiseConvolution2D) else scale)
    bias = _bias(layer) * scale + shift
    if isinstance(layer, SeparableConvolution2D):
        return _with_weights(layer, bias, point_kernel=scaled)
    return _with_weights(layer, bias, kernel=scaled)


def scale_inputs(layer: LinearLayer, scale: Weights, shift: Weights) -> LinearLayer | None:
    """The layer that makes of x what `layer` makes of x · scale + shift, channel by channel.

    With a shift, it must not read padding: zeros would have to be shifted too. None where a weight would not
    be finite in float32.
    """
    scaled = _first_kernel(layer).float64 * scale[:, None]
    return _with_first_kernel(layer, _bias(layer) + _response(layer, shift), scaled)


def permute_inputs(layer: LinearLayer, order: Array) -> LinearLayer:
    """The layer that makes of x what `layer` makes of x[..., order]; order is a permutation."""
    first = _first_kernel(layer).array
    permuted = Tensor.owning(np.take(first, np.argsort(order), axis=first.ndim - 2))
    if isinstance(layer, SeparableConvolution2D):
        return evolve(layer, depth_kernel=permuted)
    return evolve(layer, kernel=permuted)


def _first_kernel(layer: LinearLayer) -> Tensor:
    """[..., in, out or multiplier]"""
    return layer.depth_kernel if isinstance(layer, SeparableConvolution2D) else layer.kernel


def _last_kernel(layer: LinearLayer) -> Tensor:
    """[..., out], or [h, w, in, multiplier] of a depthwise convolution"""
    return layer.point_kernel if isinstance(layer, SeparableConvolution2D) else layer.kernel


def _bias(layer: LinearLayer) -> Weights:
    if layer.bias is not None:
        return layer.bias.float64
    return np.zeros(layer.units if isinstance(layer, Dense) else layer.filters)


def _response(layer: LinearLayer, pixel: Weights) -> Weights:
    """What a layer makes, before the bias, of pictures in which every pixel is this one."""
    first = _first_kernel(layer).float64
    total = first.reshape(-1, *first.shape[-2:]).sum(axis=0)
    match layer:
        case Dense() | Convolution2D():
            return pixel @ total
        case DepthwiseConvolution2D():
            return (pixel[:, None] * total).ravel()
        case SeparableConvolution2D(point_kernel=point):
            return (pixel[:, None] * total).ravel() @ point.float64[0, 0]


def _with_first_kernel(layer: LinearLayer, bias: Weights, kernel: Weights) -> LinearLayer | None:
    if isinstance(layer, SeparableConvolution2D):
        return _with_weights(layer, bias, depth_kernel=kernel)
    return _with_weights(layer, bias, kernel=kernel)


def _with_weights(layer: LinearLayer, bias: Weights, **kernels: Weights) -> LinearLayer | None:
    ...
