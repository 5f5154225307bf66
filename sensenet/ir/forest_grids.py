"""Converts forests to tables, which kernels and lowering rules use instead of walking trees.

Few trees of few levels split each feature at few thresholds. Between the thresholds, the forest is constant:
a function of the cell of a grid. So a row's result is found without walking the trees: find its bucket on
each axis, then the number of the cell, then that entry of a table, which was computed by walking each cell
once.

A forest with a small grid (at most `LARGEST_GRID`) becomes one table of its mean. In other forests, each tree
becomes a table, and the results are summed in the order of the trees. Both equal the result of walking, to
the last bit.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from attrs import evolve

from sensenet.ir.types import Array
from sensenet.records import frozen

if TYPE_CHECKING:
    from sensenet.ir.ops.tabular import Forest

LARGEST_GRID = 2**18
"""The most numbers in a table: 1 MiB, which fits the processor's cache."""

LARGEST_TREE_GRID = 2**12
"""The most numbers in the table of one tree, if the forest's table is too large."""

MOST_COMPARISONS = 128
"""The most thresholds for which comparing with each is faster than a binary search.

At this number, it takes 0.86 ms instead of 2.8 ms for 65,536 rows.
"""

MOST_SPLITS = 64
"""The most splits of a tree with a small grid."""


@frozen(kw_only=True)
class Axis:
    """A feature and its thresholds t, ascending: bucket i contains the numbers t[i-1] < x <= t[i].

    The last bucket contains the numbers above all thresholds, and NaN.
    """

    feature: int
    thresholds: Array

    @property
    def buckets(self) -> int:
        return len(self.thresholds) + 1

    @property
    def representatives(self) -> Array:
        """A number in each bucket, f32[buckets]."""
        return np.append(self.thresholds, np.float32(np.nan))

    def find(self, x: Array) -> Array:
        """Return int[b]: the bucket of each number of f32[b]."""
        if len(self.thresholds) > MOST_COMPARISONS:
            found: Array = np.searchsorted(self.thresholds, x)  # NaN is sorted last
            return found
        above = np.full(len(x), len(self.thresholds), np.uint8)
        for threshold in self.thresholds:
            above -= (x <= threshold).view(np.uint8)
        return above


@frozen(kw_only=True)
class Grid:
    """A function that is constant on the cells of a grid; the last axis changes fastest.

    `table` is f32[cells, outputs].
    """

    axes: tuple[Axis, ...]
    table: Array

    @property
    def strides(self) -> Sequence[int]:
        """The number of cells from one bucket of each axis to the next bucket."""
        return [count_cells(self.axes[position + 1 :]) for position in range(len(self.axes))]

    def find(self, columns: Array) -> Array:
        """Return int32[b]: each row's cell; columns: f32[n, b]."""
        cells = np.zeros(columns.shape[1], np.int32)
        for axis, stride in zip(self.axes, self.strides, strict=True):
            cells += axis.find(columns[axis.feature]) * np.int32(stride)
        return cells

    def __call__(self, columns: Array) -> Array:
        """Return f32[b, outputs]; columns: f32[n, b]."""
        answers: Array = self.table.take(self.find(columns), axis=0)
        return answers


@frozen(kw_only=True)
class ForestGrids:
    """The grids of one forest, whose results are summed in order and divided by `divisor`."""

    grids: tuple[Grid, ...]
    divisor: np.float32

    def __call__(self, columns: Array) -> Array:
        """Return f32[b, outputs]; columns: f32[n, b]."""
        total = self.grids[0](columns)
        for grid in self.grids[1:]:
            total += grid(columns)
        return total / self.divisor if self.divisor != 1 else total


def forest_grids(forest: Forest) -> tuple[ForestGrids | None, ...]:
    """Return the grids of each forest of an op; None for a forest whose tables would be too large."""
    bounds = np.cumsum([0, *forest.sizes]).tolist()
    leaves = forest.leaves
    return tuple(_grids(forest, leaves, forest.roots.array[start:stop]) for start, stop in pairwise(bounds))


def _grids(forest: Forest, leaves: Array, roots: Array) -> ForestGrids | None:
    trees: list[tuple[int, Array, tuple[Axis, ...]]] = []
    for root in roots.tolist():
        found = _splits(forest, leaves, root)
        if found is None:
            return None
        axes = axes_of(forest, [found])
        if count_cells(axes) * forest.outputs > LARGEST_TREE_GRID:
            return None
        trees.append((root, found, axes))
    grids = tuple(_grid_of_tree(forest, *tree) for tree in trees)
    divisor = np.float32(len(grids))
    axes = axes_of(forest, [splits for _, splits, _ in trees])
    if count_cells(axes) * forest.outputs > LARGEST_GRID:
        return ForestGrids(grids=grids, divisor=divisor)
    total = join_grids(grids, axes)
    return ForestGrids(grids=(evolve(total, table=total.table / divisor),), divisor=np.float32(1))


def _splits(forest: Forest, leaves: Array, root: int) -> Array | None:
    """Return int[splits]: the splits of the tree at a root; None if there are more than `MOST_SPLITS`.

    `leaves` is `Forest.leaves`, bool[nodes], which that property computes anew at each use.
    """
    found: list[Array] = []
    nodes = np.array([root])
    while len(nodes := nodes[~leaves[nodes]]):
        found.append(nodes)
        if sum(map(len, found)) > MOST_SPLITS:
            return None
        nodes = np.concatenate([forest.left.array[nodes], forest.right.array[nodes]])
    splits: Array = np.concatenate([*found, np.zeros(0, np.intp)]).astype(np.intp)
    return splits


def axes_of(forest: Forest, trees: Sequence[Array]) -> tuple[Axis, ...]:
    """Return the axes of a grid on whose cells the trees with these splits are constant.

    A threshold of NaN is ignored, because all numbers go the same way there.
    """
    splits = np.concatenate(trees)
    features, thresholds = forest.feature.array[splits], forest.threshold.array[splits]
    kept = ~np.isnan(thresholds)
    return tuple(
        Axis(feature=feature, thresholds=np.unique(thresholds[kept & (features == feature)]))
        for feature in np.unique(features[kept]).tolist()
    )


def count_cells(axes: Sequence[Axis]) -> int:
    """Return the number of cells, as a Python int, because it may exceed the size of any array."""
    return math.prod(axis.buckets for axis in axes)


def _grid_of_tree(forest: Forest, root: int, splits: Array, axes: tuple[Axis, ...]) -> Grid:
    """Return the grid of a tree with these splits, computed by walking the tree once for each cell."""
    width = int(forest.feature.array[splits].max(initial=0)) + 1
    points = np.full((count_cells(axes), width), np.nan, np.float32)
    corners = np.meshgrid(*(axis.representatives for axis in axes), indexing="ij")
    for axis, coordinates in zip(axes, corners, strict=True):
        points[:, axis.feature] = coordinates.ravel()
    leaves = forest.find_leaves(points, np.array([root]))[:, 0]
    return Grid(axes=axes, table=forest.values.array[leaves])


def join_grids(grids: Sequence[Grid], axes: tuple[Axis, ...]) -> Grid:
    """Return the sum of grids, in order, as one grid; `axes` have the thresholds of all of them."""
    parts = (grid.table[_project(grid, axes)] for grid in grids)
    return Grid(axes=axes, table=functools.reduce(np.add, parts))


def _project(grid: Grid, axes: Sequence[Axis]) -> Array:
    """Return int[cells of the axes]: the cell of `grid` that contains each cell of the finer axes."""
    own = {axis.feature: (axis, stride) for axis, stride in zip(grid.axes, grid.strides, strict=True)}
    cells = np.zeros((), np.intp)
    for axis in axes:
        steps = np.zeros(axis.buckets, np.intp)
        if axis.feature in own:
            coarse, stride = own[axis.feature]
            steps = np.searchsorted(coarse.thresholds, axis.representatives) * stride
        cells = cells[..., None] + steps
    found: Array = cells.ravel()
    return found
