"""Evaluates forests in TensorFlow for the target keras, if they are not lowered to tables.

All pairs of a row and a tree descend together. Every few levels, pairs that have reached a leaf are removed,
so the work depends on the depth of the leaves that rows reach, not on the deepest tree. TensorFlow Lite and
TensorFlow.js run unrolled levels instead (see `passes/lowering/forest/traversal`), because they are slow at
loops and at tensors of data-dependent size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array
from sensenet.records import frozen

LEVELS = 4
"""The number of levels after which finished pairs are removed; removing takes as long as a level or two."""


@frozen(kw_only=True)
class Nodes:
    """The nodes of all trees, each split's left child right after its right child, and last a leaf of zeros.

    `steps` is i32[nodes, 3]: the feature, the bits of the threshold, and the right child. A leaf is its own
    right child, and its threshold is NaN, so that no row goes left. `values` is f32[nodes, C]. `roots` is
    i32[G, trees]; forests with fewer trees are filled up with the last node.
    """

    steps: Array
    values: Array
    roots: Array


def order_nodes(forest: Forest) -> Nodes:
    """Return the nodes of a forest in the order that `Nodes` requires."""
    left, right, is_leaf = forest.left.array, forest.right.array, forest.leaves
    count = len(is_leaf)
    splits = np.flatnonzero(~is_leaf)
    children = np.stack([right[splits], left[splits]], axis=1).ravel()
    order = np.concatenate([np.setdiff1d(np.arange(count), children), children])
    place = np.empty(count, np.int32)
    place[order] = np.arange(count)

    steps = np.zeros((count + 1, 3), np.int32)
    thresholds = np.where(is_leaf, np.float32(np.nan), forest.threshold.array)
    steps[:count] = np.stack([forest.feature.array, thresholds.view(np.int32), place[right]], axis=1)[order]
    steps[:count, 0][is_leaf[order]] = 0  # a leaf's number need not be a feature
    steps[count] = 0, np.float32(np.nan).view(np.int32), count
    values = np.concatenate([forest.values.array[order], np.zeros((1, forest.outputs), np.float32)])
    roots = np.full((len(forest.sizes), max(forest.sizes)), count, np.int32)
    roots[np.arange(roots.shape[1]) < np.array(forest.sizes)[:, None]] = place[forest.roots.array]
    return Nodes(steps=steps, values=values, roots=roots)


def walk_forests(tf: Any, forest: Forest, x: Any) -> Any:
    """Return f32[b, G · C]: the means of the forests' trees for the rows of x, f32[b, n]."""
    nodes = order_nodes(forest)
    forests, trees = nodes.roots.shape
    rows, cells = tf.shape(x)[0], tf.reshape(x, [-1])

    def pick(table: Any, positions: Any) -> Any:
        """Return `tf.gather(table, positions)`, which takes 1.5 times as long."""
        return tf.gather_nd(table, positions[:, None])

    def go_on(pairs: Any, _firsts: Any, _found: Any, _leaves: Any) -> Any:
        return tf.size(pairs) > 0

    def walk(pairs: Any, firsts: Any, found: Any, leaves: Any) -> Any:
        """Return the loop's state after LEVELS more levels, without the pairs that have reached a leaf.

        `pairs` are the numbers of the pairs, `firsts` the positions of their rows' first features in `cells`,
        `found` the steps of their nodes, and `leaves` is the last node of every pair.
        """
        for _ in range(LEVELS):
            feature, threshold, right = tf.unstack(found, axis=1)
            goes_left = pick(cells, firsts + feature) <= tf.bitcast(threshold, tf.float32)
            node = right + tf.cast(goes_left, tf.int32)
            found = pick(nodes.steps, node)
        leaves = tf.tensor_scatter_nd_update(leaves, pairs[:, None], node)
        moving = tf.where(tf.not_equal(found[:, 2], node))[:, 0]
        return *(pick(each, moving) for each in (pairs, firsts, found)), leaves

    start = tf.tile(nodes.roots.ravel(), [rows])
    pairs = tf.range(tf.size(start))
    firsts = pairs // (forests * trees) * x.shape[1]
    *_, leaves = tf.while_loop(
        go_on,
        walk,
        (pairs, firsts, pick(nodes.steps, start), start),
        shape_invariants=tuple(map(tf.TensorShape, ([None], [None], [None, 3], [None]))),
    )
    values = tf.reshape(tf.gather(nodes.values, leaves), [-1, forests, trees, forest.outputs])
    means = tf.reduce_sum(values, axis=2) * (1 / np.array(forest.sizes, np.float32))[:, None]
    return tf.reshape(means, [-1, forests * forest.outputs])
