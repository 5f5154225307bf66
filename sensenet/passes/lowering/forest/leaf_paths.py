"""The strategy leaf paths: test all splits at once, then find the leaf whose path agrees with them.

For G forests on x: f32[b, n], padded to T trees of I splits and L leaves with C values:

    bits   f32[G, b, T·I]   1 where x[:, feature] <= threshold (0 for NaN)
    paths  f32[G, T·I, T·L] 1 for a split that the leaf's path leaves to the left, -1 to the right, else 0
    needed f32[G, 1, T·L]   how often the path goes left, less a half
    hot    f32[G, b, T·L]   1 where bits @ paths > needed: all bits agree with the path
    y      f32[G, b, C]     hot @ (values / trees)

A path's sum counts the left turns that were taken minus the right turns that were not, so it reaches the
number of its left turns only if all agree; a bound half a count below is safe from rounding. A padded leaf
has an empty path and needs a half, so it is never hot. Features are gathered, not multiplied by a one-hot
matrix, which would turn one NaN or infinite feature into NaN for every split.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.graph import Value, apply, constant
from sensenet.ir.ops.arithmetic import Cast, Greater, LessEqual
from sensenet.ir.ops.dense import MatMul
from sensenet.ir.ops.rearrangement import Gather, Reshape, Transpose
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array, DType, Tensor
from sensenet.passes.lowering.forest.trees import Leaf, find_paths, tree_ranges
from sensenet.records import frozen

LARGEST_BLOCK = 8192
"""Entries of one forest's path matrix up to which all its trees share it; above, each tree has its own."""


@frozen(kw_only=True)
class Tables:
    """The constants, with axes forest, tree, split, leaf, value in this order."""

    feature: Array
    threshold: Array
    paths: Array
    needed: Array
    values: Array


def lower_leaf_paths(forest: Forest, x: Value, name: str) -> Value:
    """Return the forests' outputs, f32[b, G · C]."""
    tables = _tables(forest)
    forests, trees, splits, leaves = tables.paths.shape
    outputs = forest.outputs
    together = trees * trees * splits * leaves <= LARGEST_BLOCK
    blocks = forests if together else forests * trees
    paths = _side_by_side(tables.paths) if together else tables.paths.reshape(blocks, splits, leaves)

    picked = apply(Gather(indices=Tensor.int32(tables.feature.ravel())), x, name=f"{name}_features").value
    threshold = constant(Tensor.float32(tables.threshold.ravel()), f"{name}_thresholds")
    bits = _as_float(apply(LessEqual(), picked, threshold, name=f"{name}_tests").value)
    sums = _matmul(_by_block(bits, blocks), paths, f"{name}_paths")
    if not together:
        sums = _by_block(_by_row(sums), forests)
    needed = constant(Tensor.float32(tables.needed.reshape(forests, 1, trees * leaves)), f"{name}_needed")
    hot = _as_float(apply(Greater(), sums, needed, name=f"{name}_leaves").value)
    means = _matmul(hot, tables.values.reshape(forests, trees * leaves, outputs), f"{name}_means")
    return _by_row(means)


def _tables(forest: Forest) -> Tables:
    """Return the padded constants; a tree of one leaf has no splits, and its path, empty, is always taken."""
    ranges = tree_ranges(forest)
    found = [[find_paths(forest, tree) for tree in trees] for trees in ranges]
    most_trees = max(map(len, found))
    most_leaves = max(len(leaves) for trees in found for leaves in trees)
    shape = (len(found), most_trees, max(most_leaves - 1, 1), most_leaves)
    values = forest.values.float64
    tables = Tables(
        feature=np.zeros(shape[:3], np.int32),
        threshold=np.zeros(shape[:3], np.float32),
        paths=np.zeros(shape, np.float32),
        needed=np.full((len(found), most_trees, most_leaves), 0.5, np.float32),
        values=np.zeros((len(found), most_trees, most_leaves, forest.outputs)),
    )
    for number, trees in enumerate(found):
        for tree, leaves in enumerate(trees):
            splits = _fill_paths(tables.paths[number, tree], tables.needed[number, tree], leaves)
            tables.feature[number, tree, : len(splits)] = forest.feature.array[splits]
            tables.threshold[number, tree, : len(splits)] = forest.threshold.array[splits]
            nodes = [leaf.node for leaf in leaves]
            tables.values[number, tree, : len(nodes)] = values[nodes] / len(trees)
    return tables


def _fill_paths(paths: Array, needed: Array, leaves: list[Leaf]) -> list[int]:
    """Fill the tables of one tree, and return its splits in the order of their rows."""
    splits: dict[int, int] = {}
    for column, leaf in enumerate(leaves):
        for node, goes_left in leaf.path:
            paths[splits.setdefault(node, len(splits)), column] = 1 if goes_left else -1
        needed[column] = sum(goes_left for _, goes_left in leaf.path) - 0.5
    return list(splits)


def _side_by_side(paths: Array) -> Array:
    """Return f32[G, T, I, L] → f32[G, T·I, T·L]: the trees' matrices as blocks on the diagonal."""
    forests, trees, splits, leaves = paths.shape
    blocks = np.zeros((forests, trees, splits, trees, leaves), np.float32)
    for tree in range(trees):
        blocks[:, tree, :, tree] = paths[:, tree]
    return blocks.reshape(forests, trees * splits, trees * leaves)


def _as_float(x: Value) -> Value:
    return apply(Cast(dtype=DType.FLOAT32), x, name=f"{x.node.name}_bits").value


def _matmul(x: Value, matrix: Array, name: str) -> Value:
    return apply(MatMul(), x, constant(Tensor.float32(matrix), f"{name}_matrix"), name=name).value


def _by_block(x: Value, blocks: int) -> Value:
    """Return f32[b, blocks · k] → f32[blocks, b, k]."""
    size = (x.type.shape[-1] or 0) // blocks
    rows = apply(Reshape(shape=(None, blocks, size)), x, name=f"{x.node.name}_divided").value
    return apply(Transpose(permutation=(1, 0, 2)), rows, name=f"{x.node.name}_blocks").value


def _by_row(x: Value) -> Value:
    """Return f32[blocks, b, k] → f32[b, blocks · k]."""
    blocks, _, size = x.type.shape
    rows = apply(Transpose(permutation=(1, 0, 2)), x, name=f"{x.node.name}_rows").value
    return apply(Reshape(shape=(None, (blocks or 0) * (size or 0))), rows, name=f"{x.node.name}_joined").value
