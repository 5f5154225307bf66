"""Recorded operators that rearrange, join, choose or reduce, under TensorFlow's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sensenet.backends.tflite.elementwise import FLOAT32, INT32, Elementwise
from sensenet.backends.tflite.operators import Value
from sensenet.backends.tflite.tensors import Tensor
from sensenet.ir.types import Array, Shape


class Arrays(Elementwise):
    """Operators on the axes of tensors. Those of constants and known sizes are computed at once."""

    def shape(self, x: Any) -> Tensor:
        """The sizes of a tensor's axes: a constant where all are known."""
        given = self.constant(x).value
        if None not in given.shape:
            return self.constant(given.shape, INT32)
        return self._tensor("SHAPE", [given], INT32, (given.rank,), sizes=given.shape, outType="INT32")

    def reshape(self, x: Any, shape: Any) -> Tensor:
        """The entries in another shape, of numbers and tensors; one of -1 follows from the others."""
        given, sizes = self.constant(x).value, self._sizes(shape)
        result = _inferred(given.shape, sizes)
        if given.constant is not None and None not in sizes:
            return self.constant(given.constant.reshape([size for size in sizes if size is not None]))
        if result == given.shape and result.count(None) <= 1 and None not in sizes:
            return Tensor(self, given)
        before = self.tape.producer(given)
        if before is not None and before.kind == "RESHAPE":
            given = before.inputs[0] or given
        if None in sizes:
            target = self.stack(list(shape)).value
        else:
            target = self.constant([-1 if size is None else size for size in result], INT32).value
        return self._tensor("RESHAPE", [given, target], given.dtype, result)

    def transpose(self, x: Any, permutation: Sequence[int]) -> Tensor:
        given, order = self.constant(x).value, tuple(int(axis) for axis in permutation)
        if order == tuple(range(given.rank)):
            return Tensor(self, given)
        if given.constant is not None:
            return self.constant(given.constant.transpose(order))
        shape = tuple(given.shape[axis] for axis in order)
        return self._tensor("TRANSPOSE", [given, self.constant(order, INT32).value], given.dtype, shape)

    def gather(self, x: Any, indices: Any, axis: int = 0, batch_dims: int = 0) -> Tensor:
        given, places = self.constant(x).value, self.constant(indices).value
        axis %= given.rank
        shape = (*given.shape[:axis], *places.shape[batch_dims:], *given.shape[axis + 1 :])
        return self._tensor("GATHER", [given, places], given.dtype, shape, axis=axis, batchDims=batch_dims)

    def concat(self, values: Sequence[Any], axis: int) -> Tensor:
        given = [self.constant(value).value for value in values]
        axis %= given[0].rank
        if len(given) == 1:
            return Tensor(self, given[0])
        known = [value.constant for value in given if value.constant is not None]
        if len(known) == len(given):
            return self.constant(np.concatenate(known, axis))
        joined = [value.shape[axis] for value in given]
        total = None if None in joined else sum(size for size in joined if size is not None)
        columns = zip(*(value.shape for value in given), strict=True)
        shape = [next((size for size in sizes if size is not None), None) for sizes in columns]
        shape[axis] = total
        return self._tensor(
            "CONCATENATION", given, given[0].dtype, tuple(shape), axis=axis, fusedActivationFunction="NONE"
        )

    def stack(self, values: Sequence[Any], axis: int = 0) -> Tensor:
        given = [self.constant(value).value for value in values]
        known = [value.constant for value in given if value.constant is not None]
        if len(known) == len(given):
            return self.constant(np.stack(known, axis))
        axis %= given[0].rank + 1
        shape = (*given[0].shape[:axis], len(given), *given[0].shape[axis:])
        return self._tensor("PACK", given, given[0].dtype, shape, valuesCount=len(given), axis=axis)

    def pad(self, x: Any, paddings: Any) -> Tensor:
        given, around = self.constant(x).value, np.asarray(paddings, np.int32)
        shape = tuple(
            None if size is None else size + int(more)
            for size, more in zip(given.shape, around.sum(1), strict=True)
        )
        return self._tensor("PAD", [given, self.constant(around).value], given.dtype, shape)

    def range(self, stop: Any) -> Tensor:
        """The numbers from 0 up to one."""
        limit = self.constant(stop, INT32).value
        if limit.constant is not None:
            return self.constant(np.arange(limit.constant, dtype=np.int32))
        bounds = [self.constant(0, INT32).value, limit, self.constant(1, INT32).value]
        return self._tensor("RANGE", bounds, INT32, (None,))

    def zeros(self, shape: Sequence[Any], dtype: npt.DTypeLike) -> Tensor:
        sizes, target = self._sizes(shape), self.stack(shape).value
        if target.constant is not None:
            return self.constant(np.zeros(target.constant, dtype))
        zero = self.constant(0, dtype).value
        return self._tensor("FILL", [target, zero], zero.dtype, sizes)

    def reduce_mean(self, x: Any, axis: Any = None) -> Tensor:
        return self._reduce("MEAN", x, axis)

    def reduce_sum(self, x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        return self._reduce("SUM", x, axis, keepdims=keepdims)

    def reduce_max(self, x: Any, axis: Any = None) -> Tensor:
        return self._reduce("REDUCE_MAX", x, axis, np.max)

    def reduce_min(self, x: Any, axis: Any = None) -> Tensor:
        return self._reduce("REDUCE_MIN", x, axis, np.min)

    def reduce_any(self, x: Any, axis: Any = None) -> Tensor:
        return self._reduce("REDUCE_ANY", x, axis)

    def argmax(self, x: Any, axis: int, output_type: npt.DTypeLike) -> Tensor:
        given = self.constant(x).value
        axis %= given.rank
        inputs = [given, self.constant(axis, INT32).value]
        shape = (*given.shape[:axis], *given.shape[axis + 1 :])
        return self._tensor("ARG_MAX", inputs, np.dtype(output_type), shape, outputType="INT32")

    def resize(self, x: Any, size: Any, method: str) -> Tensor:
        """Pictures in another size, by the pixels' centres."""
        given, target = self.constant(x).value, self.constant(size).value
        kind = {"nearest": "RESIZE_NEAREST_NEIGHBOR", "bilinear": "RESIZE_BILINEAR"}[method]
        known = (None, None) if target.constant is None else tuple(int(each) for each in target.constant)
        shape = (given.shape[0], *known, given.shape[3])
        return self._tensor(kind, [given, target], FLOAT32, shape, halfPixelCenters=True)

    def take(self, x: Any, index: tuple[Any, ...]) -> Tensor:
        """What x[index] is: numbers, slices, `...` and None."""
        given = self.constant(x).value
        full = _without_ellipsis(index, given.rank)
        if given.constant is not None:
            return self.constant(given.constant[full])
        kept = self._slice(given, [each for each in full if each is not None])
        places = [each for each in full if not isinstance(each, int)]
        for axis, each in enumerate(places):
            if each is None:
                kept = self._expand(kept, axis)
        return kept

    def _slice(self, given: Value, index: Sequence[int | slice]) -> Tensor:
        bounds = [_bounds(each, size) for each, size in zip(index, given.shape, strict=True)]
        whole = slice(None)
        if all(each == whole for each in index):
            return Tensor(self, given)
        shape = tuple(
            size for each, (_, _, size) in zip(index, bounds, strict=True) if isinstance(each, slice)
        )
        sizes = None
        if given.sizes is not None:
            found = given.sizes[index[0]]
            sizes = found if isinstance(found, tuple) else (found,)
            if None not in sizes:
                return self.constant(found, INT32)
        inputs = [given, *(self.constant(each, INT32).value for each in _corners(bounds))]
        return self._tensor(
            "STRIDED_SLICE",
            inputs,
            given.dtype,
            shape,
            sizes=sizes,
            beginMask=_mask(isinstance(each, slice) and each.start is None for each in index),
            endMask=_mask(isinstance(each, slice) and each.stop is None for each in index),
            shrinkAxisMask=_mask(isinstance(each, int) for each in index),
        )

    def _expand(self, x: Tensor, axis: int) -> Tensor:
        """The tensor with one more axis, of size 1."""
        shape = (*x.shape[:axis], 1, *x.shape[axis:])
        if shape.count(None) <= 1:
            return self.reshape(x, [-1 if size is None else size for size in shape])
        return self._tensor("EXPAND_DIMS", [x.value, self.constant(axis, INT32).value], x.dtype, shape)

    def _reduce(
        self,
        kind: str,
        x: Any,
        axis: Any,
        function: Callable[[Array, Any], Array] | None = None,
        keepdims: bool = False,
    ) -> Tensor:
        given = self.constant(x).value
        axes = tuple(range(given.rank)) if axis is None else (axis,) if isinstance(axis, int) else axis
        axes = tuple(each % given.rank for each in axes)
        if given.constant is not None and function is not None:
            return self.constant(function(given.constant, axes))
        sizes = ((1 if axis in axes else size, axis in axes) for axis, size in enumerate(given.shape))
        shape = tuple(size for size, reduced in sizes if keepdims or not reduced)
        inputs = [given, self.constant(axes, INT32).value]
        return self._tensor(kind, inputs, given.dtype, shape, keepDims=keepdims)

    def _sizes(self, shape: Any) -> Shape:
        """The entries of a shape, None where it is a tensor."""
        values = [self.constant(size).value.constant for size in shape]
        return tuple(None if value is None else int(value) for value in values)


def _inferred(before: Shape, sizes: Shape) -> Shape:
    """The shape that entries of some shape take: what -1 stands for is worked out where all is known."""
    known = [size for size in sizes if size not in (None, -1)]
    if None not in sizes and None not in before and -1 in sizes:
        total, rest = (int(np.prod([size or 0 for size in each])) for each in (before, known))
        return tuple(total // max(rest, 1) if size == -1 else size for size in sizes)
    return tuple(None if size == -1 else size for size in sizes)


def _without_ellipsis(index: tuple[Any, ...], rank: int) -> tuple[Any, ...]:
    """An index with an entry for every axis."""
    place = next((number for number, each in enumerate(index) if each is Ellipsis), len(index))
    entries = sum(1 for each in index if each is not None and each is not Ellipsis)
    return (*index[:place], *[slice(None)] * (rank - entries), *index[place + 1 :])


def _bounds(each: int | slice, size: int | None) -> tuple[int, int, int | None]:
    """Where a slice begins and ends as the operator has it, and how many entries it keeps."""
    if isinstance(each, int):
        return each, each + 1, 1
    kept = None if size is None else len(range(*each.indices(size)))
    return each.start or 0, each.stop or 0, kept


def _corners(bounds: Sequence[tuple[int, int, int | None]]) -> tuple[list[int], list[int], list[int]]:
    """The beginnings, the ends and the steps."""
    return [begin for begin, _, _ in bounds], [end for _, end, _ in bounds], [1] * len(bounds)


def _mask(flags: Any) -> int:
    return sum(1 << place for place, flag in enumerate(flags) if flag)
