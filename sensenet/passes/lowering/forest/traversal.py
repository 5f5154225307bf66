"""The strategy traversal: all trees of all rows walk down together, one unrolled step for each level.

    node = roots                                            i32[b, trees]
    once for each level of the deepest tree:
        node = select(x[feature[node]] <= threshold[node], left[node], right[node])
    y = Σ over a forest's trees of (values / trees)[node]

Each step looks up four tables and the row itself; a leaf is its own left and right child, so rows stay at it.
The first step is the same for all rows, and needs no lookup.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensenet.ir.graph import Value, apply, constant
from sensenet.ir.ops.arithmetic import LessEqual, Select
from sensenet.ir.ops.dense import MatMul
from sensenet.ir.ops.rearrangement import Gather, Lookup, Reshape, TakeAlong
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array, Tensor
from sensenet.passes.lowering.forest.trees import measure, tree_ranges


def lower_traversal(forest: Forest, x: Value, name: str) -> Value:
    """Return the forests' outputs, f32[b, G · C]."""
    levels = int(measure(forest, len(forest.left.array)).depth.max())
    roots, trees = _padded_roots(forest)
    feature = Tensor.int32(_with_one_more(np.where(forest.leaves, 0, forest.feature.array)))
    threshold = Tensor.float32(_with_one_more(forest.threshold.array))
    left, right = (
        Tensor.int32(np.append(links.array, len(links.array))) for links in (forest.left, forest.right)
    )
    values = Tensor.float32(_with_one_more(_shares(forest)))

    picked = apply(Gather(indices=Tensor.int32(feature.array[roots])), x, name=f"{name}_features").value
    node = _choose(
        picked,
        constant(Tensor.float32(threshold.array[roots]), f"{name}_thresholds"),
        constant(Tensor.int32(left.array[roots]), f"{name}_left"),
        constant(Tensor.int32(right.array[roots]), f"{name}_right"),
        f"{name}_level_1",
    )
    for level in range(2, levels + 1):
        prefix = f"{name}_level_{level}"
        column = _look_up(feature, node, f"{prefix}_columns")
        picked = apply(TakeAlong(), x, column, name=f"{prefix}_features").value
        node = _choose(
            picked,
            _look_up(threshold, node, f"{prefix}_thresholds"),
            _look_up(left, node, f"{prefix}_left"),
            _look_up(right, node, f"{prefix}_right"),
            prefix,
        )
    leaves = _look_up(values, node, f"{name}_values")
    return _sum_trees(leaves, len(forest.sizes), trees, forest.outputs, name)


def _padded_roots(forest: Forest) -> tuple[Array, int]:
    """Return i32[G · T] and T: the roots, with forests padded to one size by an extra leaf of value 0."""
    ranges = tree_ranges(forest)
    most = max(map(len, ranges))
    roots = np.full((len(ranges), most), len(forest.left.array), np.int32)
    for number, trees in enumerate(ranges):
        roots[number, : len(trees)] = forest.roots.array[trees.start : trees.stop]
    return roots.ravel(), most


def _with_one_more(table: npt.ArrayLike) -> Array:
    """Return the table with a row of zeros appended."""
    array = np.asarray(table)
    return np.concatenate([array, np.zeros((1, *array.shape[1:]), array.dtype)])


def _shares(forest: Forest) -> Array:
    """Return float64[nodes, C]: what each leaf adds to its forest's mean."""
    trees = np.ones(len(forest.left.array))
    for size, tree_range in zip(forest.sizes, tree_ranges(forest), strict=True):
        nodes = forest.roots.array[tree_range.start : tree_range.stop]
        while len(nodes):
            trees[nodes] = size
            nodes = nodes[~forest.leaves[nodes]]
            nodes = np.concatenate([forest.left.array[nodes], forest.right.array[nodes]])
    shares: Array = forest.values.float64 / trees[:, None]
    return shares


def _choose(picked: Value, threshold: Value, left: Value, right: Value, name: str) -> Value:
    goes_left = apply(LessEqual(), picked, threshold, name=f"{name}_tests").value
    return apply(Select(), goes_left, left, right, name=name).value


def _look_up(table: Tensor, positions: Value, name: str) -> Value:
    return apply(Lookup(table=table), positions, name=name).value


def _sum_trees(values: Value, forests: int, trees: int, outputs: int, name: str) -> Value:
    """Return f32[b, G · T, C] → f32[b, G · C]."""
    by_forest = apply(Reshape(shape=(None, forests, trees * outputs)), values, name=f"{name}_by_forest").value
    ones = Tensor.float32(np.tile(np.eye(outputs), (trees, 1)))
    sums = apply(MatMul(), by_forest, constant(ones, f"{name}_ones"), name=f"{name}_means").value
    return apply(Reshape(shape=(None, forests * outputs)), sums, name=f"{name}_joined").value
