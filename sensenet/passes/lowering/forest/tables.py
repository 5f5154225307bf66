"""The strategies tables and joined tables: compute a row's position in a table from its comparisons.

A tree of few splits is constant on the cells of a grid (see `ir/forest_grids`), and so is the sum of a few
trees: joined tables share one table among several trees. For G forests of at most q tables on x: f32[b, n],
padded to q · G tables, of which each has at most p different thresholds:

    held   f32[p, q · G, b]  1 where x[:, feature] <= threshold (0 for NaN)
    cell   i32[q · G, b]     last cell of each table - Σ over p of held · stride
    share  f32[q, G, b, C]   what the tables hold there: shares of the mean
    y      f32[b, G · C]     the mean of q · share over q

Rows come last, so that all steps but the lookup run over contiguous rows: picking a feature copies the whole
column; picking features row by row takes longer than all the rest. The first axis is summed for the same
reason. The sum of cells is a mean of p times their numbers; rounding errors are far less than the half that
is added before truncation. A product, as in joined tables, would be exact, but is slower in LiteRT. A table
that only pads its forest holds a zero.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from attrs import evolve

from sensenet.errors import UnsupportedOpError
from sensenet.ir.forest_grids import Grid, forest_grids
from sensenet.ir.graph import Value, apply, constant
from sensenet.ir.ops.arithmetic import Cast, LessEqual, Multiply, Subtract
from sensenet.ir.ops.dense import MatMul
from sensenet.ir.ops.rearrangement import Gather, Lookup, Reshape, Transpose
from sensenet.ir.ops.reduction import Mean
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array, DType, Tensor
from sensenet.passes.lowering.forest.trees import tree_ranges
from sensenet.records import frozen

LARGEST_TABLES = 2**21
"""Numbers in the tables of one op: 8 MiB. For that many cells, float32 represents every half exactly."""

LARGEST_TABLE = 2**12
"""Numbers in a table up to which trees share it: 16 KiB. Larger ones hardly save time."""

EMPTY = Grid(axes=(), table=np.zeros((1, 1), np.float32))


@frozen(kw_only=True)
class Steps:
    """The constants, with axes threshold, table in this order: a true comparison moves back `stride`
    cells."""

    feature: Array
    threshold: Array
    stride: Array


Count = Callable[[Steps, Value, str], Value]
"""Returns f32[q · G, b] for the steps, x: f32[b, n] and a name: each cell's distance from its grid's last
cell."""


def tree_grids(forest: Forest) -> Sequence[Grid | None]:
    """Return the grid of each tree of an op; None if it is too large."""
    trees = forest_grids(evolve(forest, sizes=(1,) * len(forest.roots.array)))
    return [None if tree is None else tree.grids[0] for tree in trees]


def lower_tables(forest: Forest, x: Value, name: str) -> Value:
    """Return the forests' outputs, f32[b, G · C]; raise UnsupportedOpError if tables would be too large."""
    _require_grids(forest, name)
    return _lower(forest, 1, _count_by_mean, x, name)


def lower_joined_tables(forest: Forest, x: Value, name: str) -> Value:
    """Return the same as `lower_tables`, with fewer, larger tables and the sum that is fastest in
    TensorFlow."""
    grids = _require_grids(forest, name)
    return _lower(forest, _count_sharing(forest, grids), _count_by_product, x, name)


def _require_grids(forest: Forest, name: str) -> Sequence[Grid]:
    found = [grid for grid in tree_grids(forest) if grid is not None]
    numbers = sum(len(grid.table) for grid in found) * forest.outputs
    if len(found) < len(forest.roots.array) or numbers > LARGEST_TABLES:
        raise UnsupportedOpError(f"the forest {name!r} has trees too large for tables")
    return found


def _count_sharing(forest: Forest, grids: Sequence[Grid]) -> int:
    """Return how many trees share a table: halved until all tables are small."""
    trees = max(forest.sizes)
    while trees > 1 and any(
        _count_shared_cells(grids[group.start : group.stop]) * forest.outputs > LARGEST_TABLE
        for group in _divide(forest, trees)
    ):
        trees = math.ceil(trees / 2)
    return trees


def _count_shared_cells(grids: Sequence[Grid]) -> int:
    """Return the number of cells of the grid with the thresholds of all trees."""
    shared: dict[int, set[float]] = defaultdict(set)
    for grid in grids:
        for axis in grid.axes:
            shared[axis.feature].update(axis.thresholds.tolist())
    return math.prod(len(thresholds) + 1 for thresholds in shared.values())


def _divide(forest: Forest, trees: int) -> list[range]:
    """Return the groups that share a table: `trees` trees each, or the rest of a forest."""
    return [
        every[start : start + trees] for every in tree_ranges(forest) for start in range(0, len(every), trees)
    ]


def _lower(forest: Forest, trees: int, count: Count, x: Value, name: str) -> Value:
    """Return the forests' outputs, with groups of trees that share a table."""
    groups = evolve(forest, sizes=tuple(map(len, _divide(forest, trees))))
    grids = iter([found.grids[0] for found in forest_grids(groups) if found is not None])
    forests = [
        [(next(grids), min(trees, size - start) / size) for start in range(0, size, trees)]
        for size in forest.sizes
    ]
    return _look_up(forests, forest.outputs, count, x, name)


def _look_up(
    forests: Sequence[Sequence[tuple[Grid, float]]], outputs: int, count: Count, x: Value, name: str
) -> Value:
    """Return f32[b, G · C]: the sums of each forest's grids by their shares."""
    most = max(map(len, forests))
    padded = [
        forest[place] if place < len(forest) else (EMPTY, 0.0) for place in range(most) for forest in forests
    ]
    grids = [grid for grid, _ in padded]
    tables = [
        np.broadcast_to(grid.table.astype(np.float64) * (share * most), (len(grid.table), outputs))
        for grid, share in padded
    ]
    cells = _find_cells(grids, np.cumsum([len(table) for table in tables]) - 1, count, x, name)
    table = Tensor.float32(np.concatenate(tables))
    answers = apply(Lookup(table=table), cells, name=f"{name}_shares").value
    shape = (most, len(forests), None, outputs)
    apart = apply(Reshape(shape=shape), answers, name=f"{name}_apart").value
    means = apply(Mean(axis=0), apart, name=f"{name}_means").value
    by_row = apply(Transpose(permutation=(1, 0, 2)), means, name=f"{name}_rows").value
    return apply(Reshape(shape=(None, len(forests) * outputs)), by_row, name=f"{name}_joined").value


def _find_cells(grids: Sequence[Grid], last: Array, count: Count, x: Value, name: str) -> Value:
    """Return i32[q · G, b]: the position of each grid's cell in all tables; `last` has the last cells."""
    before = count(_steps(grids), x, name)
    ends = constant(Tensor.float32(last[:, None] + 0.5), f"{name}_last_cells")
    place = apply(Subtract(), ends, before, name=f"{name}_places").value
    return apply(Cast(dtype=DType.INT32), place, name=f"{name}_cells").value


def _count_by_mean(steps: Steps, x: Value, name: str) -> Value:
    """Return f32[q · G, b]: each cell's distance from its grid's last, as the mean of p times the strides."""
    most, tables = steps.stride.shape
    held = _compare(steps.feature, steps.threshold, x, name)
    strides = constant(Tensor.float32((steps.stride * most).reshape(-1, 1)), f"{name}_strides")
    back = apply(Multiply(), held, strides, name=f"{name}_steps").value
    by_threshold = apply(Reshape(shape=(most, tables, None)), back, name=f"{name}_by_threshold").value
    return apply(Mean(axis=0), by_threshold, name=f"{name}_before").value


def _count_by_product(steps: Steps, x: Value, name: str) -> Value:
    """Return the distances as a product with the strides."""
    most, tables = steps.stride.shape
    held = _compare(steps.feature.T, steps.threshold.T, x, name)
    by_table = apply(Reshape(shape=(tables, most, None)), held, name=f"{name}_by_table").value
    strides = constant(Tensor.float32(steps.stride.T[:, None]), f"{name}_strides")
    back = apply(MatMul(), strides, by_table, name=f"{name}_steps").value
    return apply(Reshape(shape=(tables, None)), back, name=f"{name}_before").value


def _compare(feature: Array, threshold: Array, x: Value, name: str) -> Value:
    """Return f32[thresholds, b]: 1 if x[:, feature] <= threshold, else 0."""
    columns = apply(Transpose(permutation=(1, 0)), x, name=f"{name}_columns").value
    features = Tensor.int32(feature.ravel())
    picked = apply(Gather(axis=0, indices=features), columns, name=f"{name}_features").value
    limits = constant(Tensor.float32(threshold.reshape(-1, 1)), f"{name}_thresholds")
    held = apply(LessEqual(), picked, limits, name=f"{name}_tests").value
    return apply(Cast(dtype=DType.FLOAT32), held, name=f"{name}_bits").value


def _steps(grids: Sequence[Grid]) -> Steps:
    """Return the thresholds of all grids, at least one, padded with thresholds of stride 0."""
    most = max(1, *(sum(len(axis.thresholds) for axis in grid.axes) for grid in grids))
    steps = Steps(
        feature=np.zeros((most, len(grids)), np.int32),
        threshold=np.zeros((most, len(grids)), np.float32),
        stride=np.zeros((most, len(grids)), np.float32),
    )
    for table, grid in enumerate(grids):
        start = 0
        for axis, stride in zip(grid.axes, grid.strides, strict=True):
            own = slice(start, start + len(axis.thresholds))
            steps.feature[own, table], steps.threshold[own, table] = axis.feature, axis.thresholds
            steps.stride[own, table] = stride
            start = own.stop
    return steps
