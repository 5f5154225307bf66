"""Tensor ops that reduce axes, which may be negative to count from the last.

The reductions of images are in `pooling`.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.op import Op, require
from sensenet.ir.types import Array, DType, TensorType
from sensenet.records import frozen


def _positive(axes: tuple[int, ...], x: TensorType) -> set[int]:
    """Return the non-negative axes; raise VerifyError unless x has all of them, each named once."""
    require(all(-x.rank <= axis < x.rank for axis in axes), f"no axes {axes} in {x}")
    found = {axis % x.rank for axis in axes}
    require(len(found) == len(axes), f"an axis of {axes} is named twice")
    return found


class Reduction(Op):
    """The base of reductions along `axes`, which are dropped, or have size 1 with `keep_dimensions`."""

    axes: tuple[int, ...]
    keep_dimensions: bool
    dtypes: tuple[DType, ...] = (DType.FLOAT32,)

    def infer(self, x: TensorType) -> TensorType:
        require(x.dtype in self.dtypes, f"expected {' or '.join(d.value for d in self.dtypes)}, found {x}")
        axes = _positive(self.axes, x)
        if self.keep_dimensions:
            return x.with_shape(1 if axis in axes else size for axis, size in enumerate(x.shape))
        return x.with_shape(size for axis, size in enumerate(x.shape) if axis not in axes)


@frozen(kw_only=True)
class ReduceSum(Reduction):
    """y = Σ x along the axes, f32, in undefined order; 0 for no entries."""

    axes: tuple[int, ...]
    keep_dimensions: bool = False

    def evaluate(self, x: Array) -> Array:
        return np.asarray(np.add.reduce(x, axis=self.axes, keepdims=self.keep_dimensions))


@frozen(kw_only=True)
class ReduceMax(Reduction):
    """The largest number along the axes, f32 or i32; NaN if one is NaN."""

    axes: tuple[int, ...]
    keep_dimensions: bool = False
    dtypes = (DType.FLOAT32, DType.INT32)

    def evaluate(self, x: Array) -> Array:
        return np.asarray(np.maximum.reduce(x, axis=self.axes, keepdims=self.keep_dimensions))


@frozen(kw_only=True)
class ReduceMin(Reduction):
    """The least number along the axes, f32 or i32; NaN if one is NaN."""

    axes: tuple[int, ...]
    keep_dimensions: bool = False
    dtypes = (DType.FLOAT32, DType.INT32)

    def evaluate(self, x: Array) -> Array:
        return np.asarray(np.minimum.reduce(x, axis=self.axes, keepdims=self.keep_dimensions))


@frozen(kw_only=True)
class ReduceAny(Reduction):
    """Whether any entry along the axes is true; bool."""

    axes: tuple[int, ...]
    keep_dimensions: bool = False
    dtypes = (DType.BOOL,)

    def evaluate(self, x: Array) -> Array:
        return np.asarray(np.logical_or.reduce(x, axis=self.axes, keepdims=self.keep_dimensions))


@frozen(kw_only=True)
class ArgMax(Op):
    """The position of the largest number along an axis, which is dropped: the first of equals; f32 → i32."""

    axis: int

    def infer(self, x: TensorType) -> TensorType:
        require(x.dtype is DType.FLOAT32, f"expected f32, found {x}")
        (axis,) = _positive((self.axis,), x)
        require(x.shape[axis] != 0, f"axis {self.axis} of {x} is empty")
        return x.with_shape((*x.shape[:axis], *x.shape[axis + 1 :])).with_dtype(DType.INT32)

    def evaluate(self, x: Array) -> Array:
        return np.asarray(x.argmax(axis=self.axis), np.int32)


@frozen(kw_only=True)
class Mean(Op):
    """The mean along an axis of known size, which is dropped; summed from the first entry.

    It equals the `Average` of the entries on that axis. `axis` is not negative.
    """

    axis: int

    def infer(self, x: TensorType) -> TensorType:
        require(x.dtype is DType.FLOAT32, f"expected f32, found {x}")
        require(0 <= self.axis < x.rank and bool(x.shape[self.axis]), f"no known axis {self.axis} in {x}")
        return x.with_shape((*x.shape[: self.axis], *x.shape[self.axis + 1 :]))

    def evaluate(self, x: Array) -> Array:
        # in order, which NumPy's reductions do not guarantee
        total = np.add.accumulate(x, axis=self.axis).take(-1, axis=self.axis)
        result: Array = total / np.float32(x.shape[self.axis])
        return result
