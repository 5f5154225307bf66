"""Which strategy a forest is lowered with; docs/forests.md has the measurements behind the numbers."""

from __future__ import annotations

import enum
import math

from attrs import frozen

from sensenet.errors import UnsupportedOpError
from sensenet.ir.ops.tabular import Forest
from sensenet.passes.forest_trees import measure, tree_ranges

LARGEST_PATHS = 16 * 2**20
"""Bytes that the path matrices of one forest may take."""

MOST_LEVELS = 256
"""Levels that traversal unrolls: 1,800 ops, which the TFLite converter takes five seconds for."""

MOST_LEAVES = math.isqrt(LARGEST_PATHS // 4)
"""Leaves of a tree beyond which its path matrix is surely too large."""


class Strategy(enum.Enum):
    """How a forest is made of basic ops."""

    LEAF_PATHS = "leaf paths"
    TRAVERSAL = "traversal"


@frozen(kw_only=True)
class Size:
    """What the choice depends on: a forest's number of trees, and the size of its largest tree.

    Of a tree with more than `MOST_LEVELS` and `MOST_LEAVES` levels the size is a lower bound.
    """

    trees: int
    leaves: int
    depth: int

    @property
    def path_entries(self) -> int:
        """Entries of the path matrices: for each tree splits × leaves."""
        return self.trees * self.leaves * max(self.leaves - 1, 1)


def forest_sizes(forest: Forest) -> list[Size]:
    """The sizes of the forests of an op."""
    sizes = measure(forest, max(MOST_LEVELS, MOST_LEAVES) + 1)
    return [
        Size(trees=len(trees), leaves=int(sizes.leaves[trees].max()), depth=int(sizes.depth[trees].max()))
        for trees in tree_ranges(forest)
    ]


def choose_strategy(size: Size) -> Strategy | None:
    """The strategy that takes less time for one row, of those within their limits; None if neither is.

    In nanoseconds: leaf paths 80 for each tree and 0.08 for each entry of the path matrices; traversal 400
    for each level and once more for the leaves' values, and 15 for each level of each tree.
    """
    small, shallow = size.path_entries * 4 <= LARGEST_PATHS, size.depth <= MOST_LEVELS
    paths = size.trees * 80 + size.path_entries * 0.08 if small else math.inf
    levels = max(size.depth, 1)
    steps = (levels + 1) * 400 + levels * size.trees * 15 if shallow else math.inf
    if math.isinf(paths) and math.isinf(steps):
        return None
    return Strategy.LEAF_PATHS if paths <= steps else Strategy.TRAVERSAL


def choose_strategies(forest: Forest, name: str) -> list[Strategy]:
    """The strategy for each forest of an op; raises UnsupportedOpError for trees beyond all limits."""
    sizes = enumerate(forest_sizes(forest))
    return [_require(choose_strategy(size), size, f"{name}[{number}]") for number, size in sizes]


def _require(strategy: Strategy | None, size: Size, name: str) -> Strategy:
    if strategy is None:
        raise UnsupportedOpError(
            f"the forest {name} has {size.trees} trees of {size.depth} levels or more: basic ops can walk "
            f"{MOST_LEVELS} levels, or hold {LARGEST_PATHS // 2**20} MiB of paths. Use the target numpy, "
            "which has no limit, or train with a lower limit on the depth"
        )
    return strategy
