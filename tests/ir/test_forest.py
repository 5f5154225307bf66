"""Forests against plain recursion: ragged trees, ties with thresholds, NaN, infinities, leaves, depth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.op_cases import TWO_FORESTS

from sensenet.ir import forest_grids
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Tensor, f32

FEATURES = 3
POINTS = (-np.inf, -1.5, -0.0, 0.0, 1e-45, 0.25, 1.5, 3e38, np.inf, np.nan)
"""Thresholds and cells come from here, so that they often meet exactly."""

Tree = tuple[float, ...] | tuple[int, float, "Tree", "Tree"]
"""The values of a leaf, or (feature, threshold, left, right)."""

points = st.sampled_from(POINTS)


def trees(outputs: int) -> st.SearchStrategy[Tree]:
    leaves = st.tuples(*[st.floats(-8, 8, width=16)] * outputs).map(lambda values: ("leaf", *values))
    return st.recursive(
        leaves,
        lambda subtrees: st.tuples(st.integers(0, FEATURES - 1), points, subtrees, subtrees),
        max_leaves=8,
    )


@st.composite
def forests(draw: st.DrawFn) -> list[list[Tree]]:
    outputs = draw(st.integers(1, 3))
    return draw(st.lists(st.lists(trees(outputs), min_size=1, max_size=10), min_size=1, max_size=3))


def flatten(ranges: list[list[Tree]]) -> Forest:
    """The flat arrays of nested trees, each node before its children."""
    columns: dict[str, list] = {"feature": [], "threshold": [], "left": [], "right": [], "values": []}
    outputs = leaf_size(ranges[0][0])
    roots = []

    def append(tree: Tree) -> int:
        index = len(columns["left"])
        leaf = tree[0] == "leaf"
        row = (0, 0.0, index, index, tree[1:]) if leaf else (tree[0], tree[1], 0, 0, (0.0,) * outputs)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
        return index

    for tree in (tree for part in ranges for tree in part):
        roots.append(append(tree))
        pending = [(roots[-1], tree)]
        while pending:
            index, node = pending.pop()
            if node[0] == "leaf":
                continue
            for side, subtree in (("left", node[2]), ("right", node[3])):
                columns[side][index] = append(subtree)
                pending.append((columns[side][index], subtree))
    return Forest(
        feature=Tensor.int32(columns["feature"]),
        threshold=Tensor.float32(columns["threshold"]),
        left=Tensor.int32(columns["left"]),
        right=Tensor.int32(columns["right"]),
        values=Tensor.float32(np.reshape(columns["values"], (-1, outputs))),
        roots=Tensor.int32(roots),
        sizes=tuple(map(len, ranges)),
    )


def leaf_size(tree: Tree) -> int:
    return len(tree) - 1 if tree[0] == "leaf" else leaf_size(tree[2])


def answer(tree: Tree, row: np.ndarray) -> np.ndarray:
    if tree[0] == "leaf":
        return np.float32(tree[1:])
    feature, threshold, left, right = tree
    return answer(left if row[feature] <= np.float32(threshold) else right, row)


def mean_in_order(trees_of_range: list[Tree], row: np.ndarray) -> np.ndarray:
    total = answer(trees_of_range[0], row)
    for tree in trees_of_range[1:]:
        total = np.float32(total + answer(tree, row))
    return total / np.float32(len(trees_of_range))


@given(forests(), st.lists(st.tuples(*[points] * FEATURES), max_size=6))
def test_forests_are_plain_recursion_bit_by_bit(ranges, rows):
    op = flatten(ranges)
    x = np.asarray(rows, np.float32).reshape(-1, FEATURES)
    expected = [np.concatenate([mean_in_order(part, row) for part in ranges]) for row in x]
    assert op.infer(f32(None, FEATURES)) == f32(None, len(ranges) * op.outputs)
    result = op.evaluate(x)
    np.testing.assert_array_equal(result, np.reshape(expected, result.shape))


def test_a_batch_is_its_rows():
    """The sum of a row's trees does not depend on how many rows there are (np.add.reduce's does)."""
    leaves = np.float32(1) / np.arange(1, 101, dtype=np.float32)
    op = flatten([[("leaf", value) for value in leaves]])
    x = np.zeros((50, FEATURES), np.float32)
    total = np.float32(0)
    for value in leaves:
        total += value
    assert set(op.evaluate(x).ravel()) == set(op.evaluate(x[:1]).ravel()) == {total / np.float32(100)}


@pytest.mark.parametrize(
    ("cell", "leaf"),
    [
        (0.25, 1),
        (np.nextafter(np.float32(0.25), np.float32(1)), 2),
        (np.nan, 2),
        (np.inf, 2),
        (-np.inf, 1),
    ],
)
def test_a_tie_goes_left_and_nan_goes_right(cell, leaf):
    op = flatten([[(0, 0.25, ("leaf", 1.0), ("leaf", 2.0))]])
    assert op.evaluate(np.float32([[cell, 0, 0]])) == [[leaf]]


def test_infinite_thresholds():
    for threshold, leaf in ((np.inf, 1), (-np.inf, 2), (np.nan, 2)):
        op = flatten([[(0, threshold, ("leaf", 1.0), ("leaf", 2.0))]])
        assert op.evaluate(np.float32([[5, 0, 0]])) == [[leaf]]
    op = flatten([[(0, -np.inf, ("leaf", 1.0), ("leaf", 2.0))]])
    assert op.evaluate(np.float32([[-np.inf, 0, 0]])) == [[1]]


def test_a_single_leaf_reads_no_feature():
    op = flatten([[("leaf", 1.0, 2.0)]])
    assert op.infer(f32(None, 0)) == f32(None, 2)
    assert op.evaluate(np.zeros((2, 0), np.float32)).tolist() == [[1, 2], [1, 2]]


def test_no_rows():
    assert TWO_FORESTS.evaluate(np.zeros((0, 3), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("depth", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_depth(depth):
    """A chain: node 2i splits at threshold i, its left child 2i + 1 is the leaf i."""
    own = np.arange(2 * depth + 1)
    left, right = own.copy(), own.copy()
    left[: 2 * depth : 2] += 1
    right[: 2 * depth : 2] += 2
    op = Forest(
        feature=Tensor.int32(np.zeros_like(own)),
        threshold=Tensor.float32(own / 2),
        left=Tensor.int32(left),
        right=Tensor.int32(right),
        values=Tensor.float32(own[:, None] // 2),
        roots=Tensor.int32([0]),
        sizes=(1,),
    )
    assert op.infer(f32(None, 1)) == f32(None, 1)
    cells = np.float32([[0], [1], [1.5], [depth - 1], [depth], [np.nan]])
    assert op.evaluate(cells).ravel().tolist() == [0, 1, 2, depth - 1, depth, depth]


def test_an_axis_of_many_thresholds_is_searched():
    thresholds = np.arange(2 * forest_grids.MOST_COMPARISONS, dtype=np.float32)
    few, many = (forest_grids.Axis(feature=0, thresholds=part) for part in (thresholds[:5], thresholds))
    x = np.float32([-1, 0, 0.5, 3, 4, 4.5, np.inf, -np.inf, np.nan])
    assert few.find(x).tolist() == [0, 0, 1, 3, 4, 5, 5, 0, 5]
    assert many.find(x).tolist() == [0, 0, 1, 3, 4, 5, len(thresholds), 0, len(thresholds)]
