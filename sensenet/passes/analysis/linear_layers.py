"""Layers that are linear up to their activation, and the rewrites that change only their weights.

Dense layers and the three kinds of convolution are activation(L(x) + bias), with L linear: the channels of
its input may be scaled and shifted in its first kernel and the bias, those of its results in its last kernel
and the bias. A separable convolution has two kernels; the others have one, which is both.
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
from sensenet.passes.analysis.sums import Sums, Weights, as_sums
from sensenet.passes.analysis.weights import with_weights
from sensenet.passes.infrastructure.rules import Declined

Convolution = Convolution2D | DepthwiseConvolution2D | SeparableConvolution2D
Mixing = Convolution2D | SeparableConvolution2D
"""The convolutions each of whose results depends on all channels."""

LinearLayer = Dense | Convolution

CONVOLUTIONS = (Convolution2D, DepthwiseConvolution2D, SeparableConvolution2D)
LINEAR_LAYERS = (Dense, *CONVOLUTIONS)


def is_linear(op: Op) -> TypeGuard[LinearLayer]:
    """Return whether an op is a layer without an activation."""
    return isinstance(op, LINEAR_LAYERS) and op.activation is ActivationFunction.LINEAR


def is_convolution(node: Node) -> bool:
    """Return whether a node applies a convolution of any kind."""
    return isinstance(node.op, CONVOLUTIONS)


def reads_padding(layer: LinearLayer, x: TensorType) -> bool:
    """Return whether a layer reads zeros around the images x; true if their size is unknown."""
    if isinstance(layer, Dense) or layer.padding is Padding.VALID:
        return False
    return any(
        length > 1 if size is None else any(same_padding(size, length, stride))
        for size, length, stride in zip(x.shape[1:3], layer.window, layer.strides, strict=True)
    )


def bias_of(layer: LinearLayer) -> Weights:
    """Return float64[out]: the bias, zeros if the layer has none."""
    if layer.bias is not None:
        return layer.bias.float64
    return np.zeros(layer.units if isinstance(layer, Dense) else layer.filters)


def response(layer: LinearLayer, pixel: Weights) -> Sums:
    """Return the layer's result, before its bias, on images in which every pixel equals `pixel`."""
    kernel = as_sums(_kernel(layer, _first_kernel(layer)).float64)
    total = kernel.map(lambda taps: taps.sum(axis=tuple(range(taps.ndim - 2))))
    mixes = isinstance(layer, Dense | Convolution2D)
    result = pixel @ total if mixes else (pixel[:, None] * total).map(np.ravel)
    if isinstance(layer, SeparableConvolution2D):
        result = result @ layer.point_kernel.float64[0, 0]
    return result


def apply_layer(layer: LinearLayer | Declined, x: Value, name: str) -> Value | Declined:
    """Return the layer's results on x, unless its weights were declined."""
    return layer if isinstance(layer, Declined) else apply(layer, x, name=name).value


def scale_results(layer: LinearLayer, scale: Weights, shift: Weights) -> LinearLayer | Declined:
    """Return the linear layer with results y · scale + shift, by channel, for results y of `layer`.

    Declines beyond the limits of `weights`.
    """
    name = "point_kernel" if isinstance(layer, SeparableConvolution2D) else "kernel"
    kernel = _kernel(layer, name).array
    by_channel = scale.reshape(kernel.shape[2:]) if isinstance(layer, DepthwiseConvolution2D) else scale
    with np.errstate(all="ignore"):
        scaled = Sums(_rounded_product(kernel, by_channel))
        return with_weights(layer, {name: scaled}, as_sums(bias_of(layer)) * scale + shift)


def scale_inputs(layer: LinearLayer, scale: Weights, shift: Weights) -> LinearLayer | Declined:
    """Return the layer whose result on x is that of `layer` on x · scale + shift, by channel.

    With a shift, the layer must not read padding: the zeros would have to be shifted too. Declines
    beyond the limits of `weights`.
    """
    name = _first_kernel(layer)
    with np.errstate(all="ignore"):
        scaled = Sums(_rounded_product(_kernel(layer, name).array, scale[:, None]))
        return with_weights(layer, {name: scaled}, bias_of(layer) + response(layer, shift).moved())


def _rounded_product(kernel: Array, factors: Weights) -> Array:
    """Return f32 of the kernel's shape: its product with float64 factors, computed in float64, rounded once.

    NumPy converts some thousand numbers at a time, which takes less memory than all products in float64.
    """
    product: Array = np.empty(kernel.shape, np.float32)
    np.multiply(kernel, factors, out=product, dtype=np.float64, casting="same_kind")
    product.flags.writeable = False
    return product


def permute_inputs(layer: Mixing, order: Array) -> Mixing:
    """Return the layer whose result on x is that of `layer` on x[..., order]; order is a permutation."""
    inverse = np.argsort(order)
    if isinstance(layer, Convolution2D):
        return evolve(layer, kernel=Tensor.owning(layer.kernel.array[:, :, inverse]))
    depth, point = layer.depth_kernel.array, layer.point_kernel.array
    by_channel = point.reshape(*depth.shape[2:], layer.filters)
    return evolve(
        layer,
        depth_kernel=Tensor.owning(depth[:, :, inverse]),
        point_kernel=Tensor.owning(by_channel[inverse].reshape(point.shape)),
    )


def _first_kernel(layer: LinearLayer) -> str:
    """Return the attribute of the kernel [..., in, out or multiplier] that takes the input."""
    return "depth_kernel" if isinstance(layer, SeparableConvolution2D) else "kernel"


def _kernel(layer: LinearLayer, name: str) -> Tensor:
    """Return a kernel of the layer."""
    kernel: Tensor = getattr(layer, name)
    return kernel
