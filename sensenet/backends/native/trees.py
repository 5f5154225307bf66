"""Forests as machine code walks them: nodes whose children are neighbors."""

from __future__ import annotations

import numpy as np

from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array
from sensenet.records import frozen

NODE = np.dtype([("threshold", "<f4"), ("feature", "<i4"), ("left", "<i4"), ("leaf", "<i4")])
"""A node: a row goes to `left` if its feature is at most the threshold, else to `left` + 1.

A leaf has NaN as its threshold and its own number - 1 as `left`, so every row stays; `leaf` is its row of
values.
"""


@frozen(kw_only=True, eq=False)
class WalkedTrees:
    """The nodes of all trees, NODE[nodes], values f32[leaves, outputs] of leaves, and roots i64[trees]."""

    nodes: Array
    values: Array
    roots: Array


def arrange_trees(forest: Forest) -> WalkedTrees:
    """Return the trees of a forest level by level, each tree's nodes together.

    Nodes that no row reaches are left out.
    """
    left, right = forest.left.array, forest.right.array
    is_leaf = forest.leaves
    roots = forest.roots.array.astype(np.int64)
    levels, owners = [roots], [np.arange(len(roots))]
    while len(inner := levels[-1][~is_leaf[levels[-1]]]):
        owner = np.repeat(owners[-1][~is_leaf[levels[-1]]], 2)
        levels.append(np.stack([left[inner], right[inner]], axis=1).ravel().astype(np.int64))
        owners.append(owner)
    old, owner = np.concatenate(levels), np.concatenate(owners)
    order = np.argsort(owner, kind="stable")  # each tree's nodes level by level
    old = old[order]
    position = np.empty(len(left), np.int64)
    position[old] = np.arange(len(old))
    nodes = np.zeros(len(old), NODE)
    leaf = is_leaf[old]
    nodes["threshold"] = np.where(leaf, np.float32(np.nan), forest.threshold.array[old])
    nodes["feature"] = np.where(leaf, 0, forest.feature.array[old])
    nodes["left"] = np.where(leaf, np.arange(len(old)) - 1, position[left[old]])
    nodes["leaf"] = np.where(leaf, np.cumsum(leaf) - 1, 0)
    return WalkedTrees(nodes=nodes, values=forest.values.array[old[leaf]], roots=position[roots])
