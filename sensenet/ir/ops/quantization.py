"""Ops between numbers and their steps: what a layer of whole numbers reads and gives.

A number is taken as (q - zero_point) · scale, with a whole number q of a few bits. The IR keeps q as i32; a
target that has a smaller type stores it in that. There is one scale for the whole tensor, or one for each
position of an axis.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.op import Op, require
from sensenet.ir.types import FLOAT32_TINY, Array, DType, Shape, Tensor, TensorType
from sensenet.records import frozen

BITS = (8, 16, 32)
LARGEST_FLOAT_BELOW = 2**31 - 2**7
"""The largest float32 that is an i32."""


class QuantizationOp(Op):
    """Base of both ops: scale f32[] or f32[n], zero_point i32 of the same shape; n along `axis`."""

    scale: Tensor
    zero_point: Tensor
    axis: int | None

    def shape_for(self, x: TensorType) -> Shape:
        """Return the shape of x, whose axis has as many positions as there are scales.

        Raises VerifyError for parameters that are invalid, or not for tensors of this type.
        """
        require(self.scale.type.dtype is DType.FLOAT32, f"the scale is {self.scale.type}, expected f32")
        require(
            self.zero_point.type == self.scale.type.with_dtype(DType.INT32),
            f"the zero point is {self.zero_point.type} for a scale {self.scale.type}",
        )
        usable = self.scale.finite and bool(np.all(self.scale.array >= FLOAT32_TINY))
        require(usable, f"a scale is not a number from {FLOAT32_TINY:.2g}")
        if self.axis is None:
            require(self.scale.shape == (), f"the scale is {self.scale.type} without an axis")
            return x.shape
        require(-x.rank <= self.axis < x.rank, f"there is no axis {self.axis} in {x}")
        size = x.shape[self.axis]
        require(
            len(self.scale.shape) == 1 and size in (None, *self.scale.shape),
            f"the scale is {self.scale.type} for the axis {self.axis} of {x}",
        )
        axis = self.axis % x.rank
        return (*x.shape[:axis], *self.scale.shape, *x.shape[axis + 1 :])

    def along_axis(self, numbers: Array, rank: int) -> Array:
        """Return scale or zero point as f32, so that it broadcasts to a tensor of this rank."""
        numbers = numbers.astype(np.float32)
        return numbers if self.axis is None else numbers.reshape(-1, *[1] * (rank - 1 - self.axis % rank))


@frozen(kw_only=True)
class Quantize(QuantizationOp):
    """q = clip(round(x / scale) + zero_point), i32 of the shape of x: a whole number of `bits` bits.

    Halves go to the even one. What is beyond -2^(bits - 1) or 2^(bits - 1) - 1 becomes that; NaN counts as 0.
    """

    scale: Tensor
    zero_point: Tensor
    axis: int | None = None
    bits: int = 8

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the largest result; for 32 bits, those that are float32."""
        half = 1 << (self.bits - 1)
        return -half, min(half - 1, LARGEST_FLOAT_BELOW)

    def infer(self, x: TensorType) -> TensorType:
        require(x.dtype is DType.FLOAT32, f"expected f32, found {x}")
        require(self.bits in BITS, f"{self.bits} bits, expected one of {', '.join(map(str, BITS))}")
        shape = self.shape_for(x)
        low, high = self.bounds
        points = self.zero_point.array
        require(bool(np.all((points >= low) & (points <= high))), f"a zero point has over {self.bits} bits")
        return TensorType(DType.INT32, shape)

    def evaluate(self, x: Array) -> Array:
        number = np.where(np.isnan(x), np.float32(0), x) / self.along_axis(self.scale.array, x.ndim)
        moved = np.rint(number) + self.along_axis(self.zero_point.array, x.ndim)
        low, high = map(np.float32, self.bounds)
        steps: Array = np.minimum(np.maximum(moved, low), high).astype(np.int32)
        return steps


@frozen(kw_only=True)
class Dequantize(QuantizationOp):
    """y = (q - zero_point) · scale, f32 of the shape of q, which is i32."""

    scale: Tensor
    zero_point: Tensor
    axis: int | None = None

    def infer(self, q: TensorType) -> TensorType:
        require(q.dtype is DType.INT32, f"expected i32, found {q}")
        return TensorType(DType.FLOAT32, self.shape_for(q))

    def evaluate(self, q: Array) -> Array:
        moved = q.astype(np.float32) - self.along_axis(self.zero_point.array, q.ndim)
        result: Array = moved * self.along_axis(self.scale.array, q.ndim)
        return result
