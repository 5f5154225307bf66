"""Builds layers that apply to images, f32[b, h, w, c] (SPEC §4)."""

from __future__ import annotations

from typing import cast

import attrs

from sensenet.frontend.json.cursor import Cursor
from sensenet.frontend.layers.builder import Layer
from sensenet.ir.graph import Value
from sensenet.ir.ops.convolution import (
    Convolution2D,
    DepthwiseConvolution2D,
    Pad2D,
    SeparableConvolution2D,
    Upsample2D,
    UpsampleMethod,
)
from sensenet.ir.ops.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from sensenet.ir.ops.windows import Padding, Pair, same_padding


def build_convolution(layer: Layer) -> Value:
    """Return a convolution; `kernel` is [h, w, in, out]."""
    kernel = layer.weight("kernel", lambda: (*_window(layer), layer.channels, _filters(layer)))
    return layer.apply(
        Convolution2D(
            kernel=kernel,
            bias=layer.optional_weight("bias", kernel.shape[3]),
            strides=_pair(layer.cursor.require("strides")),
            padding=_padding(layer),
            activation=layer.activation(),
        )
    )


def build_depthwise_convolution(layer: Layer) -> Value:
    """Return a depthwise convolution; `kernel` is [h, w, in, multiplier]."""
    multiplier = _multiplier(layer)
    kernel = layer.weight("kernel", lambda: (*_window(layer), layer.channels, multiplier))
    _check_multiplier(layer, kernel.shape[3])
    convolution = DepthwiseConvolution2D(
        kernel=kernel,
        bias=layer.optional_weight("bias", kernel.shape[2] * kernel.shape[3]),
        strides=_pair(layer.cursor.require("strides")),
        padding=_padding(layer),
        activation=layer.activation(),
    )
    return _convolve_depthwise(layer, convolution, "kernel")


def build_separable_convolution(layer: Layer) -> Value:
    """Return a separable convolution.

    `depth_kernel` is [h, w, in, multiplier], `point_kernel` is [1, 1, in · multiplier, out].
    """
    multiplier = _multiplier(layer)
    depth = layer.weight("depth_kernel", lambda: (*_window(layer), layer.channels, multiplier))
    _check_multiplier(layer, depth.shape[3])
    point = layer.weight("point_kernel", lambda: (1, 1, layer.channels * multiplier, _filters(layer)))
    bias = layer.optional_weight("bias", point.shape[3])
    strides, padding = _pair(layer.cursor.require("strides")), _padding(layer)
    activation = layer.activation()
    if strides[0] != strides[1]:
        between = DepthwiseConvolution2D(kernel=depth, strides=strides, padding=padding)
        pointwise = Convolution2D(kernel=point, bias=bias, activation=activation)
        value = _convolve_depthwise(layer, between, "depth_kernel", suffix="_depthwise")
        return layer.apply(pointwise, value, keys={"kernel": "point_kernel", "bias": "bias"})
    return layer.apply(
        SeparableConvolution2D(
            depth_kernel=depth,
            point_kernel=point,
            bias=bias,
            strides=strides,
            padding=padding,
            activation=activation,
        )
    )


def _convolve_depthwise(
    layer: Layer, convolution: DepthwiseConvolution2D, kernel: str, suffix: str = ""
) -> Value:
    """Return a depthwise convolution; unequal strides become stride 1 and a selection of pixels.

    `kernel` is the layer's member with the kernel. For unequal strides, same padding becomes a node before
    the convolution, because its size depends on the strides.
    """
    strides = convolution.strides
    keys = {"kernel": kernel, "bias": "bias"}
    if strides[0] == strides[1]:
        return layer.apply(convolution, suffix=suffix, keys=keys)
    value = layer.input
    sizes = value.type.shape[1:3]
    if convolution.padding is Padding.SAME and value.type.rank == 4 and None not in sizes:
        rows, columns = map(same_padding, cast(Pair, sizes), convolution.window, strides)
        value = layer.apply(Pad2D(padding=(rows, columns)), value, suffix=f"{suffix}_padding")
    dense = attrs.evolve(convolution, strides=(1, 1), padding=Padding.VALID)
    value = layer.apply(dense, value, suffix=f"{suffix}_stride_1", keys=keys)
    return layer.apply(MaxPool2D(pool_size=(1, 1), strides=strides), value, suffix=suffix)


def build_max_pool(layer: Layer) -> Value:
    """Return the largest number of each window."""
    size, strides = _pool_windows(layer)
    return layer.apply(MaxPool2D(pool_size=size, strides=strides, padding=_padding(layer)))


def build_average_pool(layer: Layer) -> Value:
    """Return the mean of each window, over the pixels that are not padding."""
    size, strides = _pool_windows(layer)
    return layer.apply(AveragePool2D(pool_size=size, strides=strides, padding=_padding(layer)))


def build_global_average_pool(layer: Layer) -> Value:
    """Return the mean of each channel."""
    return layer.apply(GlobalAveragePool2D())


def build_global_max_pool(layer: Layer) -> Value:
    """Return the largest number of each channel."""
    return layer.apply(GlobalMaxPool2D())


def build_padding(layer: Layer) -> Value:
    """Return zero padding; `padding` is [[top, bottom], [left, right]]."""
    padding = layer.cursor.require("padding")
    sides = [[side.integer() for side in axis.items()] for axis in padding.items()]
    match sides:
        case [[top, bottom], [left, right]] if min(top, bottom, left, right) >= 0:
            return layer.apply(Pad2D(padding=((top, bottom), (left, right))))
    raise padding.expected("[[top, bottom], [left, right]], not negative")


def build_upsampling(layer: Layer) -> Value:
    """Return an enlarged image; every method but `bilinear` is nearest, as in the published package."""
    bilinear = layer.cursor["method"].value == UpsampleMethod.BILINEAR.value
    method = UpsampleMethod.BILINEAR if bilinear else UpsampleMethod.NEAREST
    return layer.apply(Upsample2D(size=_pair(layer.cursor.require("size")), method=method))


def _pair(cursor: Cursor) -> Pair:
    """Return (height, width) of a member, which is [height, width] or one number for both."""
    if not isinstance(cursor.value, list | tuple):
        size = cursor.positive()
        return size, size
    sizes = [entry.positive() for entry in cursor.items()]
    if len(sizes) != 2:
        raise cursor.expected("[height, width]")
    return sizes[0], sizes[1]


def _pool_windows(layer: Layer) -> tuple[Pair, Pair]:
    """Return the size of a pool's windows, and their strides; null strides are the size."""
    size = _pair(layer.cursor.require("pool_size"))
    strides = layer.cursor["strides"]
    return size, _pair(strides) if strides.present else size


def _padding(layer: Layer) -> Padding:
    return Padding(layer.cursor.require("padding").choice(*(padding.value for padding in Padding)))


def _window(layer: Layer) -> Pair:
    return _pair(layer.cursor.require("kernel_dimensions"))


def _filters(layer: Layer) -> int:
    return layer.cursor.require("number_of_filters").positive()


def _multiplier(layer: Layer) -> int:
    return layer.cursor.require("depth_multiplier").positive()


def _check_multiplier(layer: Layer, found: int) -> None:
    if found != _multiplier(layer):
        raise layer.cursor["depth_multiplier"].error(f"the kernel has a depth multiplier of {found}")
