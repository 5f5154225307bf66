"""Helpers of lowering rules: applying ops to values and numbers, and computing sizes that may be unknown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import attrs
import numpy as np
import numpy.typing as npt
from attrs import field

from sensenet.ir.graph import Value, apply, constant
from sensenet.ir.op import Op
from sensenet.ir.ops.arithmetic import Cast
from sensenet.ir.ops.image import Index
from sensenet.ir.ops.rearrangement import Reshape, Slice
from sensenet.ir.ops.shape import DynamicReshape, Range, ShapeOf, Stack
from sensenet.ir.types import DType, Shape, Tensor
from sensenet.records import frozen


@frozen
class NodeBuilder:
    """Applies ops; the nodes are named after the one that they replace, `mish.1`, `mish.2`, ….

    An operand may be numbers: they become a constant of the dtype of the first operand that is a value.
    """

    name: str
    _numbers: Iterator[int] = field(factory=lambda: itertools.count(1), init=False)

    def _next_name(self) -> str:
        return f"{self.name}.{next(self._numbers)}"

    def __call__(self, op: Op, *operands: Value | npt.ArrayLike) -> Value:
        """Return the only result of an op."""
        dtype = next((each.type.dtype for each in operands if isinstance(each, Value)), DType.FLOAT32)
        values = (each if isinstance(each, Value) else self.constant(each, dtype) for each in operands)
        return apply(op, *values, name=self._next_name()).value

    def constant(self, numbers: npt.ArrayLike, dtype: DType) -> Value:
        """Return numbers as a value."""
        return constant(Tensor(np.asarray(numbers, dtype.numpy)), self._next_name())

    def sizes(self, x: Value, start: int, stop: int) -> Value:
        """Return i32[stop - start]: the sizes of some of x's axes, a constant if all of them are known."""
        known = x.type.shape[start:stop]
        if None not in known:
            return self.constant([size or 0 for size in known], DType.INT32)
        return self(Slice(axis=0, start=start, stop=stop), self(ShapeOf(), x))

    def float_sizes(self, x: Value, start: int, stop: int) -> Value:
        """Return the sizes as f32[stop - start]."""
        return self(Cast(dtype=DType.FLOAT32), self.sizes(x, start, stop))

    def size(self, x: Value, axis: int) -> Value:
        """Return i32[]: the size of an axis."""
        known = x.type.shape[axis]
        if known is not None:
            return self.constant(known, DType.INT32)
        return self(Index(axis=0, index=axis), self(ShapeOf(), x))

    def shape(self, *sizes: int | Value) -> Value:
        """Return i32[n] of numbers and values i32[]."""
        parts = (self.constant(size, DType.INT32) if isinstance(size, int) else size for size in sizes)
        return self(Stack(axis=0), *parts)

    def count(self, x: Value, axis: int) -> Value:
        """Return i32[n]: 0, 1, … for an axis of n entries."""
        size = x.type.shape[axis]
        if size is not None:
            return self.constant(np.arange(size), DType.INT32)
        return self(Range(), self.size(x, axis))

    def reshape(self, x: Value, sizes: Sequence[int | Value], shape: Shape) -> Value:
        """Return x reshaped to numbers and values i32[], one of them -1; `shape` has the known sizes."""
        numbers = [size for size in sizes if isinstance(size, int)]
        if len(numbers) == len(sizes) and 0 not in numbers:
            return self(Reshape(shape=tuple(None if size == -1 else size for size in numbers)), x)
        return self(DynamicReshape(shape=shape), x, self.shape(*sizes))


def named(value: Value, name: str) -> Value:
    """Return a value made by a rule, under the name of the node that it replaces."""
    return Value(attrs.evolve(value.node, name=name), value.index)
