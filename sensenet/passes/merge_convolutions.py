"""merge-convolutions: merge a linear convolution and a 1x1 convolution before or after it.

    %1 = convolution_2d(%0) {kernel=#…:f32[3,3,16,64], activation=linear, …} : f32[?,8,8,64]
    %2 = convolution_2d(%1) {kernel=#…:f32[1,1,64,8], activation=relu, …} : f32[?,8,8,8]
becomes
    %2 = convolution_2d(%0) {kernel=#…:f32[3,3,16,8], activation=relu, …} : f32[?,8,8,8]

Valid, up to rounding, because a 1x1 convolution at stride 1 multiplies each pixel by one matrix, by which the
other's kernel can be multiplied. If it comes second, the first may be separable: its point kernel is
multiplied. If it comes first and has a bias, the other must not read padding: the padding would contain the
bias instead of zeros. Must not fire if the first has an activation or another reader, nor if the product has
more weights than the two kernels: it would cost more, as at a bottleneck.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import evolve

from sensenet.ir.graph import Node, Value
from sensenet.ir.ops.convolution import Convolution2D, SeparableConvolution2D
from sensenet.ir.types import Tensor
from sensenet.passes.analysis.linear_layers import apply_layer, bias_of, is_linear, reads_padding, response
from sensenet.passes.analysis.sums import Weights, as_sums
from sensenet.passes.analysis.weights import with_weights
from sensenet.passes.infrastructure.rules import Declined, Uses, also_read, rounding_pass


def multiply_results(node: Node, uses: Uses) -> Value | Declined | None:
    """Return the layer below, with its results multiplied by this layer's matrix."""
    layer = node.op
    if not isinstance(layer, Convolution2D) or not _is_matrix(layer):
        return None
    (x,) = node.inputs
    if not is_linear(x.op):
        return None
    if not uses.only(x):
        return also_read(x)
    match x.op:
        case Convolution2D(kernel=kernel) as first:
            name = "kernel"
        case SeparableConvolution2D(point_kernel=kernel) as first:
            name = "point_kernel"
        case _:
            return None
    if not _pays((*kernel.shape[:3], layer.filters), kernel, layer.kernel):
        return _costs_more(x)
    with np.errstate(all="ignore"):
        product = as_sums(kernel.float64) @ _matrix(layer)
        bias = (as_sums(bias_of(first)) @ _matrix(layer)).moved() + bias_of(layer)
    merged = with_weights(evolve(first, activation=layer.activation), {name: product}, bias)
    return apply_layer(merged, x.node.inputs[0], node.name)


def multiply_inputs(node: Node, uses: Uses) -> Value | Declined | None:
    """Return this layer on the input of the layer below, with its kernel multiplied by that one's matrix."""
    layer = node.op
    if not isinstance(layer, Convolution2D):
        return None
    (x,) = node.inputs
    first = x.op
    if not is_linear(first) or not isinstance(first, Convolution2D) or not _is_matrix(first):
        return None
    if not uses.only(x):
        return also_read(x)
    if np.any(bias_of(first)) and reads_padding(layer, x.type):
        return Declined(f"{node.name!r} pads with zeros, which the bias of {x.node.name!r} does not reach")
    if not _pays((*layer.window, first.kernel.shape[2], layer.filters), first.kernel, layer.kernel):
        return _costs_more(x)
    with np.errstate(all="ignore"):
        product = as_sums(_matrix(first)) @ layer.kernel.float64
        bias = bias_of(layer) + response(layer, bias_of(first)).moved()
    return apply_layer(with_weights(layer, {"kernel": product}, bias), x.node.inputs[0], node.name)


def _is_matrix(layer: Convolution2D) -> bool:
    """Return whether a convolution is 1x1 with stride 1."""
    return layer.window == layer.strides == (1, 1)


def _matrix(layer: Convolution2D) -> Weights:
    """Return the matrix float64[in, out] of a 1x1 convolution."""
    return layer.kernel.float64.reshape(layer.kernel.shape[2:])


def _costs_more(x: Value) -> Declined:
    return Declined(f"the product with {x.node.name!r} would have more weights than the two kernels")


def _pays(product: tuple[int, ...], *kernels: Tensor) -> bool:
    """Return whether a kernel of that shape has at most as many weights as those that it replaces."""
    return math.prod(product) <= sum(kernel.array.size for kernel in kernels)


PASS = rounding_pass("merge-convolutions", multiply_results, multiply_inputs)
