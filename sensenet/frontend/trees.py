"""Converts tree embeddings, nested lists of nodes, to the flat arrays of `Forest` (SPEC §3).

A node is `[feature, threshold, left, right]`, a leaf `[[value, …], null]`. Trees are flattened iteratively,
because they may be deeper than Python's recursion limit.
"""

from __future__ import annotations

import sys
from numbers import Real
from typing import Any

import attrs
import numpy as np
from attrs import field

from sensenet.errors import DocumentError
from sensenet.frontend.emit import emit, width_of
from sensenet.frontend.json.arrays import is_list
from sensenet.frontend.json.cursor import Cursor, describe
from sensenet.ir.graph import Value
from sensenet.ir.ops.rearrangement import Concatenate, Slice
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Tensor
from sensenet.limits import memory_limit, require_memory
from sensenet.validators import FLOAT32_MAX

LEFT, RIGHT = 2, 3
"""The positions of the children in a node's list."""

NODE_BYTES = 400
"""The bytes of a node while it is read."""

FIRST_CHECK = 1 << 17
"""The nodes of a forest after which the number of distinct lists is first checked."""

LONGEST_PATH = 12
"""The greatest depth at which an error names a node's path; for deeper nodes it names the depth."""


def build_tree_features(trees: Cursor, features: Value) -> Value:
    """Return the outputs of all forests in order, then the features."""
    outputs = [_build_forest(entry, features, number) for number, entry in enumerate(trees.items())]
    return emit(trees, Concatenate(), *outputs, features, name="tree_features")


def _build_forest(entry: Cursor, features: Value, number: int) -> Value:
    """Return one entry of `trees`, `[[start, end], [tree, …]]`: the mean of trees over a range of features.

    An end beyond the number of features is cut to it, as in a slice.
    """
    if len(entry.sequence()) != 2:
        raise entry.expected("a pair: [start, end] and a list of trees")
    bounds, trees = entry.items()
    if len(bounds.sequence()) != 2:
        raise bounds.expected("[start, end]")
    start, end = (bound.integer() for bound in bounds.items())
    width = width_of(features)
    if width is None or features.type.rank != 2:
        raise entry.error(f"expected a vector of features for trees, found {features.type}")
    end = min(end, width)
    if not 0 <= start < end:
        raise bounds.error(f"the range [{start}, {end}) has none of the {width} features")
    if (start, end) != (0, width):
        features = emit(bounds, Slice(start=start, stop=end), features, name=f"range_{number}")
    forest = flatten_forest(trees, end - start)
    trees.implied.add_if_repeated(trees.value, NODE_BYTES * len(forest.left.array))
    return emit(trees, forest, features, name=f"forest_{number}")


def flatten_forest(trees: Cursor, width: int) -> Forest:
    """Return a list of trees over `width` features as a forest; raise DocumentError for an invalid tree."""
    nodes = Nodes(width=width)
    roots = [nodes.add_tree(tree, trees) for tree in trees.items()]
    if not roots:
        raise trees.error("a forest needs at least one tree")
    values = np.zeros((len(nodes.feature), nodes.outputs), np.float32)
    values[list(nodes.leaves)] = list(nodes.leaves.values())
    return Forest(
        feature=Tensor.int32(nodes.feature),
        threshold=Tensor.float32(nodes.threshold),
        left=Tensor.int32(nodes.left),
        right=Tensor.int32(nodes.right),
        values=Tensor(values),
        roots=Tensor.int32(roots),
        sizes=(len(roots),),
    )


@attrs.define(eq=False, repr=False)
class Nodes:
    """The nodes of a forest, each before its children. A leaf is its own left and right child."""

    width: int
    outputs: int = 0
    """The number of values in a leaf, from the first leaf."""
    feature: list[int] = field(factory=list)
    threshold: list[float] = field(factory=list)
    left: list[int] = field(factory=list)
    right: list[int] = field(factory=list)
    leaves: dict[int, list[float]] = field(factory=dict)
    checked: int = FIRST_CHECK
    """The number of nodes after which the number of distinct lists is checked next."""

    def add_tree(self, tree: Cursor, trees: Cursor) -> int:
        """Append the nodes of one of the trees, and return the position of its root.

        Raises DocumentError naming an invalid node, and LimitError for a dict in which a few nodes occur so
        often, or contain themselves, that there are too many.
        """
        root = len(self.feature)
        steps: list[tuple[int, int]] = []  # of each node: its parent, and its position in it
        pending: list[tuple[Any, int, int]] = [(tree.value, root, 0)]
        while pending:
            node, parent, place = pending.pop()
            index = len(self.feature)
            if index == self.checked:
                repeated = index - count_distinct(trees)
                require_memory(repeated * NODE_BYTES, "the repetitions of one node in these trees")
                self.checked += max(memory_limit() // NODE_BYTES - repeated, 0) + 1
            steps.append((parent - root, place))
            if place:
                (self.left if place == LEFT else self.right)[parent] = index
            fault = self._append(node, index)
            if fault:
                raise _error_at(tree, steps, fault)
            if index not in self.leaves:
                pending += [(node[RIGHT], index, RIGHT), (node[LEFT], index, LEFT)]
        return root

    def _append(self, node: Any, index: int) -> str | None:
        """Append one node, for now as its own child; return the fault if it is invalid."""
        feature, threshold = 0, 0.0
        match node:
            case [feature, threshold, _, _]:
                if not (_is_number(feature) and 0 <= feature < self.width and feature == int(feature)):
                    return f"feature {describe(feature)} is not among the {self.width} of the range"
                if not (_is_number(threshold) and abs(threshold) <= sys.float_info.max):
                    return f"expected a number as threshold, found {describe(threshold)}"
            case [[*values], None]:
                if not values or not all(_is_number(v) and abs(v) <= FLOAT32_MAX for v in values):
                    return "expected finite numbers in a leaf"
                self.outputs = self.outputs or len(values)
                if len(values) != self.outputs:
                    return f"a leaf of {len(values)} values where the first leaf has {self.outputs}"
                self.leaves[index] = values
            case _:
                return (
                    "expected a node [feature, threshold, left, right] or a leaf [[value, …], null], "
                    f"found {describe(node)}"
                )
        self.feature.append(int(feature))
        self.threshold.append(float(threshold))
        self.left.append(index)
        self.right.append(index)
        return None


def count_distinct(trees: Cursor) -> int:
    """Return the number of distinct list objects in a list of trees."""
    seen: set[int] = set()
    pending: list[Any] = list(trees.sequence())
    while pending:
        node = pending.pop()
        if is_list(node) and id(node) not in seen:
            seen.add(id(node))
            pending += node[LEFT:]
    return len(seen)


def _is_number(value: Any) -> bool:
    return type(value) in (float, int) or (isinstance(value, Real) and not isinstance(value, bool))


def _error_at(tree: Cursor, steps: list[tuple[int, int]], fault: str) -> DocumentError:
    """Return the error about the last node, with the path to it."""
    positions: list[int] = []
    parent, place = steps[-1]
    while place:
        positions.append(place)
        parent, place = steps[parent]
    if len(positions) > LONGEST_PATH:
        return tree.error(f"{fault} (at a node {len(positions)} levels deep)")
    path = "".join(f"[{place}]" for place in reversed(positions))
    return DocumentError(fault, tree.path + path)
