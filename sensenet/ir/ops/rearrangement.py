"""Ops that join, cut, rearrange or look up entries, and compute nothing."""

from __future__ import annotations

import math

import numpy as np

from sensenet.ir.op import Op, require
from sensenet.ir.ops.arithmetic import require_same_dtype
from sensenet.ir.types import Array, DType, Tensor, TensorType, broadcast, matches
from sensenet.records import frozen


@frozen(kw_only=True)
class Concatenate(Op):
    """The inputs concatenated on an axis, by default the last; their other axes are equal."""

    axis: int = -1

    def infer(self, *xs: TensorType) -> TensorType:
        require(len(xs) >= 1, "concatenate takes one or more inputs")
        require_same_dtype(*xs)
        rank = xs[0].rank
        require(
            all(x.rank == rank for x in xs) and -rank <= self.axis < rank, "ranks differ, or no such axis"
        )
        axis = self.axis % rank
        shape: list[int | None] = []
        for position, sizes in enumerate(zip(*(x.shape for x in xs), strict=True)):
            known = {size for size in sizes if size is not None}
            if position == axis:
                shape.append(None if None in sizes else sum(size for size in sizes if size is not None))
            else:
                require(len(known) <= 1, f"shapes differ: {', '.join(map(str, xs))}")
                shape.append(known.pop() if known else None)
        return xs[0].with_shape(shape)

    def evaluate(self, *xs: Array) -> Array:
        return np.concatenate(xs, axis=self.axis)


@frozen(kw_only=True)
class Slice(Op):
    """x[..., start:stop] on an axis of known size; 0 <= start < stop <= size."""

    axis: int = -1
    start: int
    stop: int

    def infer(self, x: TensorType) -> TensorType:
        require(-x.rank <= self.axis < x.rank, f"no axis {self.axis} in {x}")
        axis = self.axis % x.rank
        size = x.shape[axis]
        require(
            0 <= self.start < self.stop and (size is None or self.stop <= size),
            f"slice [{self.start}, {self.stop}) outside axis {self.axis} of {x}",
        )
        return x.with_shape((*x.shape[:axis], self.stop - self.start, *x.shape[axis + 1 :]))

    def evaluate(self, x: Array) -> Array:
        index: list[slice] = [slice(None)] * x.ndim
        index[self.axis] = slice(self.start, self.stop)
        return x[tuple(index)]


@frozen(kw_only=True)
class Gather(Op):
    """The entries of x at constant positions on an axis; indices: i32[n], each in [0, size)."""

    axis: int = -1
    indices: Tensor

    def infer(self, x: TensorType) -> TensorType:
        require(-x.rank <= self.axis < x.rank, f"no axis {self.axis} in {x}")
        require(
            self.indices.type.dtype is DType.INT32 and len(self.indices.shape) == 1,
            f"indices are {self.indices.type}, expected i32[n]",
        )
        axis = self.axis % x.rank
        size, indices = x.shape[axis], self.indices.array
        in_bounds = indices.size == 0 or (indices.min() >= 0 and (size is None or indices.max() < size))
        require(bool(in_bounds), f"an index outside axis {self.axis} of {x}")
        return x.with_shape((*x.shape[:axis], self.indices.shape[0], *x.shape[axis + 1 :]))

    def evaluate(self, x: Array) -> Array:
        return np.take(x, self.indices.array, axis=self.axis)


@frozen(kw_only=True)
class Lookup(Op):
    """y = table[x]: a row of a constant table for each entry; x: i32[...], table: [n, ...]."""

    table: Tensor

    def infer(self, x: TensorType) -> TensorType:
        require(x.dtype is DType.INT32, f"expected i32, found {x}")
        require(len(self.table.shape) >= 1, "the table has rank 1 or more")
        return self.table.type.with_shape((*x.shape, *self.table.shape[1:]))

    def evaluate(self, x: Array) -> Array:
        return self.table.array[x]


@frozen(kw_only=True)
class TakeAlong(Op):
    """y[b, …] = x[b, positions[b, …]]: other entries for each row; x: [b, n, …], positions: i32[b, …].

    The result has the axes of positions, then those of x after its second.
    """

    def infer(self, x: TensorType, positions: TensorType) -> TensorType:
        require(x.rank >= 2 and positions.rank >= 1, f"expected rank 2, found {x} and {positions}")
        require(positions.dtype is DType.INT32, f"positions are {positions}, expected i32")
        batch = broadcast(x.shape[:1], positions.shape[:1])
        require(batch is not None and matches(x.shape[:1], positions.shape[:1]), "the batches differ")
        assert batch is not None
        return x.with_shape((*batch, *positions.shape[1:], *x.shape[2:]))

    def evaluate(self, x: Array, positions: Array) -> Array:
        rows = np.arange(len(x)).reshape(-1, *[1] * (positions.ndim - 1))
        taken: Array = x[rows, positions]
        return taken


@frozen(kw_only=True)
class Reshape(Op):
    """The same entries in another shape; at most one size is None and follows from the others."""

    shape: tuple[int | None, ...]

    def infer(self, x: TensorType) -> TensorType:
        require(self.shape.count(None) <= 1, "at most one unknown size")
        known = math.prod(size for size in self.shape if size is not None)
        if None not in x.shape:
            total = math.prod(size for size in x.shape if size is not None)
            fits = total % known == 0 if None in self.shape and known else total == known
            require(fits, f"{x} has no shape {self.shape}")
            if None in self.shape and known:
                return x.with_shape(total // known if size is None else size for size in self.shape)
        return x.with_shape(self.shape)

    def evaluate(self, x: Array) -> Array:
        shape = [-1 if size is None else size for size in self.shape]
        if -1 in shape and x.size == 0:  # NumPy cannot infer a size from nothing
            shape[shape.index(-1)] = 0
        return x.reshape(shape)


@frozen(kw_only=True)
class Flatten(Op):
    """[b, ...] → [b, n]: all axes but the first joined to one, in row-major order."""

    def infer(self, x: TensorType) -> TensorType:
        require(x.rank >= 2, f"expected rank 2 or more, found {x}")
        sizes = x.shape[1:]
        known = None if None in sizes else math.prod(size for size in sizes if size is not None)
        return x.with_shape((x.shape[0], known))

    def evaluate(self, x: Array) -> Array:
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


@frozen(kw_only=True)
class Transpose(Op):
    """Axis i of the result is axis permutation[i] of x."""

    permutation: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        require(sorted(self.permutation) == list(range(x.rank)), f"not a permutation of the axes of {x}")
        return x.with_shape(x.shape[axis] for axis in self.permutation)

    def evaluate(self, x: Array) -> Array:
        return x.transpose(self.permutation)
