"""The strategy tables: count the thresholds that each feature is beyond, and look the answer up.

Few trees of few levels are constant on the cells of a grid (see `ir/forest_grids`). For G forests on
x: f32[b, n], of which each has one grid, or one for each of its at most q trees:

    held_f   f32[b, t]        1 where x[:, f] <= threshold, for the t thresholds of feature f (0 for NaN)
    cell     i32[b, q · G]    last cell of each grid - Σ_f held_f @ strides_f
    share    f32[b, q, G · C] what the grids' tables hold there: shares of the mean
    y        f32[b, G · C]    the mean of q · share over q

Products and sums of cells are whole numbers below 2²⁴, which float32 holds exactly in whatever order they are
added. A forest with fewer grids than q looks up a zero for each that it lacks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sensenet.errors import UnsupportedOpError
from sensenet.ir.forest_grids import Axis, ForestGrids, Grid, forest_grids
from sensenet.ir.graph import Value, apply, constant
from sensenet.ir.ops.basic import Add, Cast, LessEqual, Lookup, MatMul, Mean, Reshape, Slice
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array, DType, Tensor

EMPTY = Grid(axes=(), table=np.zeros((1, 1), np.float32))
NO_STEP = Axis(feature=0, thresholds=np.zeros(1, np.float32))


def lower_tables(forest: Forest, x: Value, name: str) -> Value:
    """The forests' outputs, f32[b, G · C]; raises UnsupportedOpError where tables would be too large."""
    forests = [grids for grids in forest_grids(forest) if grids is not None]
    if len(forests) < len(forest.sizes):
        raise UnsupportedOpError(f"the forest {name!r} has trees that are too large for tables")
    deepest = max(len(grids.grids) for grids in forests)
    grids = [_pick(each, number) for number in range(deepest) for each in forests]
    shares = [np.float64(deepest) / each.divisor for each in forests] * deepest
    tables = [
        np.broadcast_to(grid.table, (len(grid.table), forest.outputs)) * share
        for grid, share in zip(grids, shares, strict=True)
    ]
    cells = _find_cells(grids, np.cumsum([len(table) for table in tables]) - 1, x, name)
    table = Tensor.float32(np.concatenate(tables))
    answers = apply(Lookup(table=table), cells, name=f"{name}_shares").value
    shape = (None, deepest, len(forests) * forest.outputs)
    apart = apply(Reshape(shape=shape), answers, name=f"{name}_apart").value
    return apply(Mean(axis=1), apart, name=f"{name}_means").value


def _pick(forest: ForestGrids, number: int) -> Grid:
    return forest.grids[number] if number < len(forest.grids) else EMPTY


def _find_cells(grids: Sequence[Grid], last: Array, x: Value, name: str) -> Value:
    """i32[b, grids]: the place of each grid's cell in all tables; `last` is that of its last cell."""
    steps = [
        (axis, place, stride)
        for place, grid in enumerate(grids)
        for axis, stride in zip(grid.axes, grid.strides, strict=True)
    ]
    parts = [constant(Tensor.float32(last), f"{name}_last_cells")]
    steps = steps or [(NO_STEP, 0, 0)]  # forests of leaves alone have an answer for each row all the same
    for feature in sorted({axis.feature for axis, _, _ in steps}):
        own = [step for step in steps if step[0].feature == feature]
        parts.append(_count(own, len(grids), feature, x, f"{name}_feature_{feature}"))
    total = apply(Add(), *parts, name=f"{name}_sums").value
    return apply(Cast(dtype=DType.INT32), total, name=f"{name}_cells").value


def _count(steps: Sequence[tuple[Axis, int, int]], grids: int, feature: int, x: Value, name: str) -> Value:
    """f32[b, grids]: how far before its last cell a grid's cell lies because of one feature, negative."""
    thresholds = np.unique(np.concatenate([axis.thresholds for axis, _, _ in steps]))
    strides = np.zeros((len(thresholds), grids), np.float32)
    for axis, place, stride in steps:
        strides[np.searchsorted(thresholds, axis.thresholds), place] = -stride
    column = apply(Slice(axis=-1, start=feature, stop=feature + 1), x, name=name).value
    limits = constant(Tensor.float32(thresholds), f"{name}_thresholds")
    held = apply(LessEqual(), column, limits, name=f"{name}_tests").value
    bits = apply(Cast(dtype=DType.FLOAT32), held, name=f"{name}_bits").value
    return apply(
        MatMul(), bits, constant(Tensor.float32(strides), f"{name}_strides"), name=f"{name}_sum"
    ).value
