"""Tensor ops on sizes that are unknown until run time, and ops that take computed sizes and positions."""

from __future__ import annotations

import math

import numpy as np

from sensenet.ir.op import INTERPOLATED_COPIES, Op, require
from sensenet.ir.ops.convolution import UpsampleMethod, interpolate
from sensenet.ir.ops.dense import require_float
from sensenet.ir.types import Array, DType, Shape, Tensor, TensorType
from sensenet.limits import require_memory
from sensenet.records import frozen


def _require_sizes(sizes: TensorType, count: int) -> None:
    expected = TensorType(DType.INT32, (count,))
    require(sizes == expected, f"the sizes are {sizes}, expected {expected}")


@frozen(kw_only=True)
class ShapeOf(Op):
    """The sizes of x's axes: any → i32[rank]."""

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(DType.INT32, (x.rank,))

    def evaluate(self, x: Array) -> Array:
        return np.asarray(x.shape, np.int32)


@frozen(kw_only=True)
class Range(Op):
    """0, 1, … below a limit: i32[] → i32[?]."""

    def infer(self, limit: TensorType) -> TensorType:
        expected = TensorType(DType.INT32, ())
        require(limit == expected, f"the limit is {limit}, expected {expected}")
        return TensorType(DType.INT32, (None,))

    def evaluate(self, limit: Array) -> Array:
        require_memory(4 * int(limit), "a range")
        return np.arange(int(limit), dtype=np.int32)


@frozen(kw_only=True)
class Fill(Op):
    """A tensor of a computed shape filled with a number: i32[rank] → the dtype of `value`, and `shape`.

    `shape` has the sizes that are known; `value` has shape [].
    """

    value: Tensor
    shape: tuple[int | None, ...]

    def infer(self, sizes: TensorType) -> TensorType:
        _require_sizes(sizes, len(self.shape))
        require(self.value.shape == (), f"the value is {self.value.type}, expected a number, of shape []")
        return self.value.type.with_shape(self.shape)

    def evaluate(self, sizes: Array) -> Array:
        found = _checked(sizes, self.shape)
        require_memory(self.value.array.itemsize * math.prod(found), "a tensor that is filled")
        return np.full(found, self.value.array)


@frozen(kw_only=True)
class DynamicReshape(Op):
    """The entries of x in a computed shape: x, i32[rank] → x's dtype, and `shape`.

    `shape` has the sizes that are known. One of the computed sizes may be -1: it follows from the others.
    """

    shape: tuple[int | None, ...]

    def infer(self, x: TensorType, sizes: TensorType) -> TensorType:
        _require_sizes(sizes, len(self.shape))
        return x.with_shape(self.shape)

    def evaluate(self, x: Array, sizes: Array) -> Array:
        wanted = [int(size) for size in sizes]
        if -1 in wanted and x.size == 0:  # NumPy cannot infer a size from nothing
            wanted[wanted.index(-1)] = 0
        result = x.reshape(wanted)
        _checked(np.asarray(result.shape), self.shape)
        return result


def _checked(sizes: Array, declared: Shape) -> list[int]:
    """Return the sizes; raises ValueError unless they match the declared shape."""
    found = [int(size) for size in sizes]
    if any(known not in (None, size) for known, size in zip(declared, found, strict=True)):
        raise ValueError(f"the computed shape is {found}, declared {list(declared)}")
    return found


@frozen(kw_only=True)
class Take(Op):
    """The entries of x at computed positions on an axis, each in [0, size).

    x, positions i32[…] → the shape of x with the axes of the positions instead of that axis.
    """

    axis: int

    def infer(self, x: TensorType, positions: TensorType) -> TensorType:
        require(0 <= self.axis < x.rank, f"no axis {self.axis} in {x}")
        require(positions.dtype is DType.INT32, f"positions are {positions}, expected i32")
        return x.with_shape((*x.shape[: self.axis], *positions.shape, *x.shape[self.axis + 1 :]))

    def evaluate(self, x: Array, positions: Array) -> Array:
        return np.take(x, positions, axis=self.axis)


@frozen(kw_only=True)
class Stack(Op):
    """The inputs, all of one type, stacked on a new axis; `axis` is not negative."""

    axis: int

    def infer(self, *xs: TensorType) -> TensorType:
        require(len(xs) >= 1, "stack takes one or more inputs")
        require(len(set(xs)) == 1, f"types differ: {', '.join(map(str, xs))}")
        require(0 <= self.axis <= xs[0].rank, f"axis {self.axis} is outside of {xs[0]}")
        return xs[0].with_shape((*xs[0].shape[: self.axis], len(xs), *xs[0].shape[self.axis :]))

    def evaluate(self, *xs: Array) -> Array:
        return np.stack(xs, axis=self.axis)


@frozen(kw_only=True)
class Resize2D(Op):
    """Images resized to a computed size: f32[b, h, w, c], i32[2] (height, width) → f32[b, ?, ?, c].

    Pixel k of an axis resized from n to m pixels is taken at (k + 0.5) · (n / m) - 0.5 (half-pixel centers):
    nearest takes the pixel that contains that position, bilinear interpolates between the two adjacent
    pixels, as in `Upsample2D`.
    """

    copies = INTERPOLATED_COPIES

    method: UpsampleMethod

    def infer(self, x: TensorType, size: TensorType) -> TensorType:
        require_float(x)
        require(x.rank == 4, f"expected f32[b,h,w,c], found {x}")
        _require_sizes(size, 2)
        return x.with_shape((x.shape[0], None, None, x.shape[3]))

    def evaluate(self, x: Array, size: Array) -> Array:
        height, width = (int(each) for each in size)
        require_memory(4 * x.shape[0] * height * width * x.shape[3], "an image that is resized")
        if self.method is UpsampleMethod.BILINEAR:
            return interpolate(interpolate(x, 2, width), 1, height)
        rows, columns = nearest(x.shape[1], height), nearest(x.shape[2], width)
        return x.take(rows, axis=1).take(columns, axis=2)


def nearest(source: int, target: int) -> Array:
    """Return int64[target]: the source pixel of each pixel of an axis resized from `source` to `target`."""
    centers = np.arange(target, dtype=np.float32) + np.float32(0.5)
    positions = np.floor(centers * (np.float32(source) / np.float32(max(target, 1)))).astype(np.int64)
    result: Array = np.minimum(positions, source - 1)
    return result
