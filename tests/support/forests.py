"""Forests for tests: made from nested trees, walked by plain recursion."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from sensenet.ir.graph import Graph, Value, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array, Tensor, f32
from sensenet.signature import Signature

FEATURES = 3
POINTS = (-np.inf, -1.5, -0.0, 0.0, 1e-45, 0.25, 1.5, 3e38, np.inf)
"""Thresholds and cells come from here, so that they often meet exactly."""

Leaf = list[float]
Tree = Leaf | tuple[int, float, "Tree", "Tree"]
"""A leaf's values, or (feature, threshold, left, right)."""


def make_forest(*forests: list[Tree]) -> Forest:
    """An op with these forests; every node stands before its children."""
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    values: list[Leaf | None] = []

    def add(tree: Tree) -> int:
        number = len(feature)
        is_leaf = isinstance(tree, list)
        for table, entry in (
            (feature, 0 if is_leaf else tree[0]),
            (threshold, 0.0 if is_leaf else tree[1]),
            (left, number),
            (right, number),
            (values, tree if is_leaf else None),
        ):
            table.append(entry)
        if not is_leaf:
            left[number], right[number] = add(tree[2]), add(tree[3])
        return number

    roots = [add(tree) for forest in forests for tree in forest]
    outputs = len(next(entry for entry in values if entry is not None))
    return Forest(
        feature=Tensor.int32(feature),
        threshold=Tensor.float32(threshold),
        left=Tensor.int32(left),
        right=Tensor.int32(right),
        values=Tensor.float32([entry or [0.0] * outputs for entry in values]),
        roots=Tensor.int32(roots),
        sizes=tuple(map(len, forests)),
    )


def chain(levels: int, outputs: int = 1) -> Forest:
    """One tree in which every split has a leaf to its left, and the next split to its right."""
    split = np.arange(0, 2 * levels, 2)
    left = np.arange(2 * levels + 1)
    right = left.copy()
    left[split], right[split] = split + 1, split + 2
    rng = np.random.default_rng(levels)
    return Forest(
        feature=Tensor.int32(np.where(left == right, 0, left % FEATURES)),
        threshold=Tensor.float32(rng.normal(size=len(left)) - 1),
        left=Tensor.int32(left),
        right=Tensor.int32(right),
        values=Tensor.float32(rng.normal(size=(len(left), outputs))),
        roots=Tensor.int32([0]),
        sizes=(1,),
    )


def walk(tree: Tree, row: Array) -> Leaf:
    """The leaf that a tree sends a row to."""
    if isinstance(tree, list):
        return tree
    feature, threshold, left, right = tree
    return walk(left if row[feature] <= np.float32(threshold) else right, row)


def answers(forests: list[list[Tree]], rows: Array) -> Array:
    """float64[rows, forests · outputs], by recursion."""
    return np.array(
        [
            np.concatenate(
                [np.mean([np.float32(walk(tree, row)) for tree in forest], 0) for forest in forests]
            )
            for row in rows.astype(np.float32)
        ],
        np.float64,
    )


def graph_of(forest: Forest, lower=None, width: int = FEATURES) -> Graph:
    """A graph of the forest alone, or of what `lower(forest, x)` gives."""
    x = apply(Input(type=f32(None, width)), name="x")
    y: Value = apply(forest, x.value, name="y").value if lower is None else lower(forest, x.value)
    return Graph.create([x], {"y": y}, Signature())


def random_tree(
    rng: np.random.Generator,
    leaves: int,
    features: int,
    outputs: int,
    threshold: Callable[[], float] | None = None,
) -> Tree:
    """Return a tree of so many leaves, split at random; thresholds are normal, or from the function."""
    if leaves == 1:
        return rng.normal(size=outputs).tolist()
    cut = int(rng.integers(1, leaves))
    feature, bound = int(rng.integers(features)), float(np.float32((threshold or rng.normal)()))
    halves = [random_tree(rng, share, features, outputs, threshold) for share in (cut, leaves - cut)]
    return (feature, bound, *halves)


def trees(outputs: int):
    """Hypothesis: ragged trees, many of them a single leaf."""
    leaf = st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.75, 1.0, 3.5]), min_size=outputs, max_size=outputs)
    return st.recursive(
        leaf,
        lambda tree: st.tuples(st.integers(0, FEATURES - 1), st.sampled_from((*POINTS, np.nan)), tree, tree),
        max_leaves=12,
    )


@st.composite
def forests(draw):
    """Hypothesis: one to three forests of one to four trees, with one to three values a leaf."""
    tree = trees(draw(st.integers(1, 3)))
    return draw(st.lists(st.lists(tree, min_size=1, max_size=4), min_size=1, max_size=3))


def rows():
    """Hypothesis: rows that meet thresholds, NaN and infinities among them."""
    row = st.lists(st.sampled_from((*POINTS, np.nan, 0.3, -7.0)), min_size=FEATURES, max_size=FEATURES)
    return st.lists(row, min_size=1, max_size=8).map(lambda found: np.array(found, np.float32))
