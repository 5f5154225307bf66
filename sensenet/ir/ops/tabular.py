"""Ops on the columns of a row: standardizing, encoding of categories, and forests of decision trees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sensenet.forks import cached_property
from sensenet.ir.op import Op, require
from sensenet.ir.ops.dense import require_float
from sensenet.ir.types import FLOAT32_TINY, Array, DType, Tensor, TensorType, broadcast, f32, matches
from sensenet.records import frozen

LARGEST_BLOCK = 1 << 16
"""The numbers that `EmbeddingSum` looks up at a time, so that they fit the processor's cache."""


@frozen(kw_only=True)
class Standardize(Op):
    """y = (x - mean) / stdev, in float32; x: f32[..., n], mean and stdev broadcast to x.

    No stdev is 0 or subnormal, because TensorFlow and LiteRT treat subnormal numbers as 0, and would return
    NaN. The code that creates the op replaces such a stdev by 1.
    """

    mean: Tensor
    stdev: Tensor

    def infer(self, x: TensorType) -> TensorType:
        require_float(x, self.mean.type, self.stdev.type)
        shape = broadcast(x.shape, self.mean.shape, self.stdev.shape)
        require(
            shape is not None and matches(x.shape, shape),
            f"parameters {self.mean.type} and {self.stdev.type} do not broadcast to {x}",
        )
        assert shape is not None
        size = np.abs(self.stdev.array)
        require(
            not np.any((size > 0) & (size < FLOAT32_TINY)),
            "a stdev is less than 1.2e-38, which some targets treat as 0",
        )
        return x.with_shape(shape)

    def evaluate(self, x: Array) -> Array:
        result: Array = (x - self.mean.array) / self.stdev.array
        return result


@frozen(kw_only=True)
class Destandardize(Op):
    """y = x · stdev + mean, in float32: a regression's result in the objective's units."""

    mean: Tensor
    stdev: Tensor

    def infer(self, x: TensorType) -> TensorType:
        require_float(x, self.mean.type, self.stdev.type)
        require(self.mean.shape == self.stdev.shape == (), "mean and stdev are numbers, of shape []")
        return x

    def evaluate(self, x: Array) -> Array:
        result: Array = x * self.stdev.array + self.mean.array
        return result


@frozen(kw_only=True, slots=False)
class OneHot(Op):
    """One group of columns for each column of category codes; x: f32[b, k] → f32[b, Σ depths].

    Column j of group i is 1 if x[:, i] == j, else 0; a code outside [0, depth) has only zeros.
    """

    depths: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        require(
            x.dtype is DType.FLOAT32 and x.rank == 2 and x.shape[1] == len(self.depths),
            f"expected f32[?,{len(self.depths)}], found {x}",
        )
        require(min(self.depths, default=0) >= 0, f"a depth of {self.depths} is negative")
        return x.with_last(sum(self.depths))

    def evaluate(self, x: Array) -> Array:
        return np.equal(x[:, self.groups], self.codes).astype(np.float32)

    @cached_property
    def groups(self) -> Array:
        """The input column that each output column tests, int32[Σ depths]."""
        return np.repeat(np.arange(len(self.depths), dtype=np.int32), self.depths)

    @cached_property
    def codes(self) -> Array:
        """The code of each output column, float32[Σ depths]."""
        ranges = [np.arange(depth, dtype=np.float32) for depth in self.depths]
        return np.concatenate([np.zeros(0, np.float32), *ranges])


@frozen(kw_only=True, slots=False)
class EmbeddingSum(Op):
    """The sum of one row of a table for each category code; x: f32[b, k] → f32[b, units].

    The table, f32[Σ depths, units], has one group of rows for each column of codes, one after another: y =
    Σ_i table[start_i + x[:, i]], where start_i is the first row of group i. A code outside [0, depth_i), or
    that is not an integer, adds nothing. So y = one_hot(x) @ table, for a table without NaN and infinities.
    """

    table: Tensor
    depths: tuple[int, ...]

    @property
    def units(self) -> int:
        return self.table.shape[1]

    @cached_property
    def starts(self) -> Array:
        """The first row of each group, int64[k]."""
        return np.cumsum((0, *self.depths[:-1]))

    @cached_property
    def limits(self) -> Array:
        """The depths, float32[k]: codes are less than these."""
        return np.asarray(self.depths, np.float32)

    def infer(self, x: TensorType) -> TensorType:
        require(
            x.dtype is DType.FLOAT32 and x.rank == 2 and x.shape[1] == len(self.depths),
            f"expected f32[?,{len(self.depths)}], found {x}",
        )
        require(min(self.depths, default=0) >= 1, f"depths are {self.depths}, expected positive ones")
        require_float(self.table.type)
        rows = sum(self.depths)
        require(
            len(self.table.shape) == 2 and self.table.shape[0] == rows,
            f"the table is {self.table.type}, expected f32[{rows},units]",
        )
        return x.with_last(self.units)

    def evaluate(self, x: Array) -> Array:
        known = (x >= 0) & (x < self.limits) & (np.floor(x) == x)
        rows = np.where(known, x, 0).astype(np.intp) + self.starts
        factors = known.astype(np.float32)[:, None, :]
        step = max(1, LARGEST_BLOCK // max(1, len(self.depths) * self.units))
        if len(x) <= step:
            sums: Array = np.matmul(factors, self.table.array.take(rows, axis=0))
            return sums.reshape(len(x), self.units)
        y = np.empty((len(x), 1, self.units), np.float32)
        for start in range(0, len(x), step):
            block = slice(start, start + step)
            np.matmul(factors[block], self.table.array.take(rows[block], axis=0), out=y[block])
        return y.reshape(len(x), self.units)


@frozen(kw_only=True)
class Forest(Op):
    """Forests of binary decision trees; x: f32[b, n] → f32[b, forests · outputs] (SPEC §3).

    The nodes of all trees are in flat arrays of one length. At node i, a row goes to `left[i]` if
    `x[:, feature[i]] <= threshold[i]`, else (also for NaN) to `right[i]`; both are after i. A leaf is its own
    left and right child. `roots` (i32[trees]) are the trees' first nodes, `values` (f32[nodes, outputs]) the
    values of the leaves; feature, left and right are i32, threshold is f32. The first `sizes[0]` trees are
    forest 0, the next `sizes[1]` forest 1, and so on. The output of a forest is the mean of its trees' leaf
    values (summed in the order of the trees, then divided); the outputs are concatenated in order.
    """

    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    values: Tensor
    roots: Tensor
    sizes: tuple[int, ...]

    @property
    def outputs(self) -> int:
        """The number of values in a leaf."""
        return self.values.shape[1]

    def infer(self, x: TensorType) -> TensorType:
        require_float(x)
        require(x.rank == 2, f"expected f32[?,n], found {x}")
        self._check_parameters()
        used, width = self.feature.array[~self.leaves], x.shape[1]
        in_bounds = used.size == 0 or (used.min() >= 0 and (width is None or used.max() < width))
        require(bool(in_bounds), f"a tree reads a feature outside {x}")
        return f32(x.shape[0], len(self.sizes) * self.outputs)

    def _check_parameters(self) -> None:
        """Raise VerifyError unless the parameters are trees, so that every walk ends at a leaf."""
        require_float(self.threshold.type, self.values.type)
        require(len(self.values.shape) == 2, f"values are {self.values.type}, expected f32[nodes,outputs]")
        nodes = self.values.shape[0]
        require(self.threshold.shape == (nodes,), f"threshold is {self.threshold.type} for {nodes} nodes")
        for name, links in (("feature", self.feature), ("left", self.left), ("right", self.right)):
            expected = TensorType(DType.INT32, (nodes,))
            require(links.type == expected, f"{name} is {links.type}, expected {expected}")
        left, right, own = self.left.array, self.right.array, np.arange(nodes)
        ends, goes_on = (left == own) & (right == own), (left > own) & (right > own)
        require(bool(np.all(ends | goes_on)), "a node is not a leaf, but its children are not after it")
        require(bool(np.all(np.maximum(left, right) < nodes)), "left or right out of bounds")
        parents = np.bincount(np.concatenate([left[goes_on], right[goes_on]]), minlength=1)
        require(int(parents.max()) <= 1, "a node is the child of two nodes")
        roots = self.roots.array
        require(
            len(self.sizes) > 0
            and min(self.sizes) > 0
            and self.roots.type == TensorType(DType.INT32, (sum(self.sizes),)),
            f"sizes do not divide the roots {self.roots.type} into forests of at least one tree",
        )
        require(bool(np.all((roots >= 0) & (roots < nodes))), "roots out of bounds")

    @property
    def leaves(self) -> Array:
        """Whether each node is a leaf, bool[nodes]."""
        return np.equal(self.left.array, np.arange(len(self.left.array)))

    def evaluate(self, x: Array) -> Array:
        return self.walk(x, range(len(self.sizes))).reshape(len(x), len(self.sizes) * self.outputs)

    def walk(self, x: Array, forests: Sequence[int]) -> Array:
        """Return f32[b, len(forests), outputs]: the results of these forests, by walking their trees."""
        bounds = np.cumsum([0, *self.sizes])
        roots = np.concatenate([self.roots.array[bounds[each] : bounds[each + 1]] for each in forests])
        values = self.values.array[self.find_leaves(x, roots)]
        sizes = np.array([self.sizes[each] for each in forests])
        starts = np.cumsum(sizes) - sizes
        total = values[:, starts]
        for tree in range(1, max(sizes)):  # np.add.reduce may add in another order
            longer = np.flatnonzero(sizes > tree)
            total[:, longer] += values[:, starts[longer] + tree]
        means: Array = total / sizes.astype(np.float32)[:, None]
        return means

    def find_leaves(self, x: Array, roots: Array) -> Array:
        """Return int[b, trees]: the leaf that each row reaches in the tree at each root.

        Each step moves all pairs of a row and a tree that have not reached a leaf.
        """
        trees = len(roots)
        nodes = np.tile(roots, len(x))
        rows = np.repeat(np.arange(len(x)), trees)
        active = np.flatnonzero(self.left.array[nodes] != nodes)
        while active.size:
            current = nodes[active]
            goes_left = x[rows[active], self.feature.array[current]] <= self.threshold.array[current]
            following = np.where(goes_left, self.left.array[current], self.right.array[current])
            nodes[active] = following
            active = active[self.left.array[following] != following]
        return nodes.reshape(len(x), trees)
