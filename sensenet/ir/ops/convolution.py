"""Ops of convolutional networks; images are f32[b, h, w, c], and h and w may be unknown.

Windows and padding are those of `sensenet.ir.ops.windows`. Strides, sizes and paddings are in the order
height, width.
"""

from __future__ import annotations

import enum

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.op import INTERPOLATED_COPIES, Op, require
from sensenet.ir.ops.dense import require_channels, require_float
from sensenet.ir.ops.windows import (
    Padding,
    Pair,
    convolve,
    convolve_depthwise,
    enlarge,
    infer_windows,
)
from sensenet.ir.types import Array, DType, Tensor, TensorType, f32
from sensenet.records import frozen


def require_image(x: TensorType) -> None:
    """Raise VerifyError unless x is a batch of images."""
    require_float(x)
    require(x.rank == 4, f"expected f32[b,h,w,c], found {x}")


def _require_kernel(x: TensorType, kernel: Tensor, what: str) -> None:
    require_image(x)
    require_float(kernel.type)
    require(len(kernel.shape) == 4, f"{what} is {kernel.type}, expected f32[h,w,in,out]")
    require_channels(x, kernel.shape[2], what)


def _require_bias(bias: Tensor | None, filters: int) -> None:
    require(bias is None or bias.type == f32(filters), f"bias {bias and bias.type} for {filters} filters")


def _require_equal(strides: Pair) -> None:
    require(strides[0] == strides[1], f"the strides {strides} of a depthwise convolution differ")


def _finish(y: Array, bias: Tensor | None, activation: ActivationFunction) -> Array:
    """Return activation(y + bias); y is overwritten."""
    if bias is not None:
        y += bias.array
    return activation(y)


@frozen(kw_only=True)
class Convolution2D(Op):
    """y[b, i, j, o] = activation(Σ x[b, i·s + k, j·s + l, c] · kernel[k, l, c, o] + bias[o]).

    kernel: f32[h, w, in, out], bias: f32[out] or none → f32[b, h', w', out].
    """

    trainable = True

    kernel: Tensor
    bias: Tensor | None = None
    strides: Pair = (1, 1)
    padding: Padding = Padding.VALID
    activation: ActivationFunction = ActivationFunction.LINEAR

    @property
    def filters(self) -> int:
        return self.kernel.shape[3]

    @property
    def window(self) -> Pair:
        return self.kernel.shape[0], self.kernel.shape[1]

    def infer(self, x: TensorType) -> TensorType:
        _require_kernel(x, self.kernel, "the kernel")
        _require_bias(self.bias, self.filters)
        return infer_windows(x, self.window, self.strides, self.padding, self.filters)

    def evaluate(self, x: Array) -> Array:
        y = convolve(x, self.kernel.array, self.strides, self.padding)
        return _finish(y, self.bias, self.activation)


@frozen(kw_only=True)
class DepthwiseConvolution2D(Op):
    """y[b, i, j, c·m + n] = activation(Σ x[b, i·s + k, j·s + l, c] · kernel[k, l, c, n] + bias[c·m + n]).

    kernel: f32[h, w, in, m] (m is the depth multiplier), bias: f32[in·m] or none → f32[b, h', w', in·m].
    Both strides are equal, as TensorFlow requires.
    """

    trainable = True

    kernel: Tensor
    bias: Tensor | None = None
    strides: Pair = (1, 1)
    padding: Padding = Padding.VALID
    activation: ActivationFunction = ActivationFunction.LINEAR

    @property
    def filters(self) -> int:
        return self.kernel.shape[2] * self.kernel.shape[3]

    @property
    def window(self) -> Pair:
        return self.kernel.shape[0], self.kernel.shape[1]

    def infer(self, x: TensorType) -> TensorType:
        _require_kernel(x, self.kernel, "the kernel")
        _require_bias(self.bias, self.filters)
        _require_equal(self.strides)
        return infer_windows(x, self.window, self.strides, self.padding, self.filters)

    def evaluate(self, x: Array) -> Array:
        y = convolve_depthwise(x, self.kernel.array, self.strides, self.padding)
        return _finish(y, self.bias, self.activation)


@frozen(kw_only=True)
class SeparableConvolution2D(Op):
    """y = activation(depthwise(x) @ point_kernel + bias): a depthwise convolution, then a 1 by 1 convolution.

    depth_kernel: f32[h, w, in, m], point_kernel: f32[1, 1, in·m, out], bias: f32[out] or none →
    f32[b, h', w', out]. Strides (equal) and padding are the depthwise convolution's.
    """

    trainable = True

    depth_kernel: Tensor
    point_kernel: Tensor
    bias: Tensor | None = None
    strides: Pair = (1, 1)
    padding: Padding = Padding.VALID
    activation: ActivationFunction = ActivationFunction.LINEAR

    @property
    def filters(self) -> int:
        return self.point_kernel.shape[3]

    @property
    def window(self) -> Pair:
        return self.depth_kernel.shape[0], self.depth_kernel.shape[1]

    def infer(self, x: TensorType) -> TensorType:
        _require_kernel(x, self.depth_kernel, "the depth kernel")
        inner = self.depth_kernel.shape[2] * self.depth_kernel.shape[3]
        require(
            len(self.point_kernel.shape) == 4
            and self.point_kernel.shape[:3] == (1, 1, inner)
            and self.point_kernel.type.dtype is DType.FLOAT32,
            f"the point kernel is {self.point_kernel.type}, expected f32[1,1,{inner},out]",
        )
        _require_bias(self.bias, self.filters)
        _require_equal(self.strides)
        return infer_windows(x, self.window, self.strides, self.padding, self.filters)

    def evaluate(self, x: Array) -> Array:
        between = convolve_depthwise(x, self.depth_kernel.array, self.strides, self.padding)
        y = convolve(between, self.point_kernel.array, (1, 1), Padding.VALID)
        return _finish(y, self.bias, self.activation)


@frozen(kw_only=True)
class Pad2D(Op):
    """Zeros around the image; padding is ((top, bottom), (left, right)), in pixels."""

    padding: tuple[Pair, Pair]

    def infer(self, x: TensorType) -> TensorType:
        require_image(x)
        require(min(map(min, self.padding)) >= 0, f"the padding {self.padding} is negative")
        added = (0, *map(sum, self.padding), 0)
        return x.with_shape(n if n is None else n + more for n, more in zip(x.shape, added, strict=True))

    def evaluate(self, x: Array) -> Array:
        rows, columns = self.padding
        return enlarge(x, rows, columns)


class UpsampleMethod(enum.Enum):
    """How the pixels of an enlarged image are computed."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


@frozen(kw_only=True)
class Upsample2D(Op):
    """The image enlarged by whole factors; f32[b, h, w, c] → f32[b, h·size[0], w·size[1], c].

    Nearest repeats every pixel. Bilinear interpolates pixel k at (k + 0.5) / size - 0.5 (half-pixel centers)
    between the two adjacent pixels, with the last pixel repeated beyond the edge; first along the rows.
    """

    copies = INTERPOLATED_COPIES

    size: Pair
    method: UpsampleMethod = UpsampleMethod.NEAREST

    def infer(self, x: TensorType) -> TensorType:
        require_image(x)
        require(min(self.size) > 0, f"the size {self.size} is not positive")
        factors = (1, *self.size, 1)
        return x.with_shape(
            n if n is None else n * factor for n, factor in zip(x.shape, factors, strict=True)
        )

    def evaluate(self, x: Array) -> Array:
        if self.method is UpsampleMethod.NEAREST:
            result: Array = x.repeat(self.size[0], axis=1).repeat(self.size[1], axis=2)
            return result
        height, width = x.shape[1] * self.size[0], x.shape[2] * self.size[1]
        return interpolate(interpolate(x, 2, width), 1, height)


def interpolate(x: Array, axis: int, target: int) -> Array:
    """Return x with an axis resized, interpolated between adjacent entries (half-pixel centers)."""
    size = x.shape[axis]
    scale = np.float32(size) / np.float32(target)
    half = np.float32(0.5)
    source = (np.arange(target, dtype=np.float32) + half) * scale - half
    floor = np.floor(source)
    before = np.take(x, np.maximum(floor, 0).astype(np.int32), axis=axis)
    after = np.take(x, np.minimum(np.ceil(source), size - 1).astype(np.int32), axis=axis)
    weight = (source - floor).reshape(-1, *[1] * (x.ndim - 1 - axis))
    result: Array = before + (after - before) * weight
    return result
