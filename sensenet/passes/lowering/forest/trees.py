"""Measures and selects trees of forests for their lowering, without recursion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array, Tensor
from sensenet.records import frozen


@frozen(kw_only=True)
class Sizes:
    """The numbers of leaves, and of levels of splits, of each tree of a forest op."""

    leaves: Array
    depth: Array


def measure(forest: Forest, levels: int) -> Sizes:
    """Return the sizes of all trees; lower bounds for trees of more than `levels` levels."""
    nodes, trees = forest.roots.array, np.arange(len(forest.roots.array))
    leaves, depth = np.zeros(len(trees), np.int64), np.zeros(len(trees), np.int64)
    is_leaf = forest.leaves
    for level in range(levels + 1):
        ends = is_leaf[nodes]
        leaves += np.bincount(trees[ends], minlength=len(leaves))
        nodes, trees = nodes[~ends], trees[~ends]
        if not len(nodes):
            break
        depth[trees] = level + 1
        nodes = np.concatenate([forest.left.array[nodes], forest.right.array[nodes]])
        trees = np.concatenate([trees, trees])
    return Sizes(leaves=leaves, depth=depth)


def tree_ranges(forest: Forest) -> list[range]:
    """Return the trees of each forest."""
    stops = np.cumsum(forest.sizes)
    return [range(stop - size, stop) for size, stop in zip(forest.sizes, stops.tolist(), strict=True)]


def pick_forests(forest: Forest, chosen: Sequence[int]) -> Forest:
    """Return an op with only some of the forests: each tree on its own nodes, level by level, none unused."""
    ranges = tree_ranges(forest)
    nodes = forest.roots.array[[tree for number in chosen for tree in ranges[number]]]
    roots = np.arange(len(nodes))
    kept: list[Array] = []
    left: list[Array] = []
    right: list[Array] = []
    start = 0
    while len(nodes):
        own = start + np.arange(len(nodes))
        start += len(nodes)
        splits = np.flatnonzero(~forest.leaves[nodes])
        kept.append(nodes)
        for links, first in ((left, start), (right, start + len(splits))):
            links.append(own.copy())
            links[-1][splits] = first + np.arange(len(splits))
        nodes = nodes[splits]
        nodes = np.concatenate([forest.left.array[nodes], forest.right.array[nodes]])
    order = np.concatenate(kept)
    is_leaf = forest.leaves[order]
    return Forest(
        feature=Tensor.int32(np.where(is_leaf, 0, forest.feature.array[order])),
        threshold=Tensor.float32(np.where(is_leaf, 0, forest.threshold.array[order])),
        left=Tensor.int32(np.concatenate(left)),
        right=Tensor.int32(np.concatenate(right)),
        values=Tensor(forest.values.array[order]),
        roots=Tensor.int32(roots),
        sizes=tuple(forest.sizes[number] for number in chosen),
    )


@frozen(kw_only=True)
class Leaf:
    """A leaf's node, and the splits on the path to it, each with whether the path goes left."""

    node: int
    path: tuple[tuple[int, bool], ...]


def find_paths(forest: Forest, tree: int) -> list[Leaf]:
    """Return the leaves of one tree, from left to right."""
    left, right = forest.left.array, forest.right.array
    leaves: list[Leaf] = []
    pending: list[tuple[int, tuple[tuple[int, bool], ...]]] = [(int(forest.roots.array[tree]), ())]
    while pending:
        node, path = pending.pop()
        if left[node] == node:
            leaves.append(Leaf(node=node, path=path))
            continue
        pending.append((int(right[node]), (*path, (node, False))))
        pending.append((int(left[node]), (*path, (node, True))))
    return leaves
