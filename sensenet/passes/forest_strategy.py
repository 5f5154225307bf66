"""Which strategy a forest is lowered with; docs/forests.md has the measurements behind the numbers."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence

from attrs import frozen

from sensenet.errors import UnsupportedOpError
from sensenet.ir.forest_grids import forest_grids
from sensenet.ir.ops.tabular import Forest
from sensenet.passes.forest_trees import measure, tree_ranges

LARGEST_PATHS = 16 * 2**20
"""Bytes that the path matrices of one forest may take."""

MOST_LEVELS = 256
"""Levels that traversal unrolls: 1,800 ops, which the TFLite converter takes five seconds for."""

LARGEST_TABLES = 2**21
"""Numbers in the tables of one op: 8 MiB."""

MANY_ROWS = 1000
"""Rows in a call from which tables may be chosen: for one row, their many small ops take the longest."""

MOST_LEAVES = math.isqrt(LARGEST_PATHS // 4)
"""Leaves of a tree beyond which its path matrix is surely too large."""


class Strategy(enum.Enum):
    """How a forest is made of basic ops."""

    LEAF_PATHS = "leaf paths"
    TRAVERSAL = "traversal"
    TABLES = "tables"


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


def _one_row(size: Size) -> tuple[float, float]:
    """Nanoseconds for one row in LiteRT, by leaf paths and by traversal.

    Leaf paths 80 for each tree and 0.08 for each entry of the path matrices; traversal 400 for each level and
    once more for the leaves' values, and 15 for each level of each tree.
    """
    levels = max(size.depth, 1)
    return size.trees * 80 + size.path_entries * 0.08, (levels + 1) * 400 + levels * size.trees * 15


def _row_of_many(size: Size) -> tuple[float, float]:
    """Nanoseconds for a row among many in Keras, by leaf paths and by traversal.

    Leaf paths 15 for each tree, 0.35 for each leaf and 0.3 for each entry of the path matrices; traversal 25
    for each level of each tree.
    """
    paths = size.trees * (15 + 0.35 * size.leaves) + size.path_entries * 0.3
    return paths, max(size.depth, 1) * size.trees * 25.0


def choose_strategy(size: Size, rows: int = 1) -> Strategy | None:
    """Leaf paths or traversal: which is quicker for so many rows; None if both are beyond their limits."""
    paths, steps = _row_of_many(size) if rows >= MANY_ROWS else _one_row(size)
    if size.path_entries * 4 > LARGEST_PATHS:
        paths = math.inf
    if size.depth > MOST_LEVELS:
        steps = math.inf
    if math.isinf(paths) and math.isinf(steps):
        return None
    return Strategy.LEAF_PATHS if paths <= steps else Strategy.TRAVERSAL


def choose_strategies(forest: Forest, name: str, rows: int = 1) -> list[Strategy]:
    """The strategy for each forest of an op, for so many rows in a call, or nearly so.

    Raises UnsupportedOpError for trees beyond all limits.
    """
    sizes = forest_sizes(forest)
    if rows >= MANY_ROWS and _tables_pay(forest, sizes):
        return [Strategy.TABLES] * len(sizes)
    return [
        _require(choose_strategy(size, rows), size, f"{name}[{number}]") for number, size in enumerate(sizes)
    ]


def _tables_pay(forest: Forest, sizes: Sequence[Size]) -> bool:
    """Whether each forest is one table, and looking up takes less time for a row among many than walking.

    In nanoseconds: 1 for each threshold, 0.03 for each pair of a threshold and a forest, 20 for each forest.
    """
    grids = [found.grids[0] for found in forest_grids(forest) if found is not None and len(found.grids) == 1]
    if len(grids) < len(sizes) or sum(grid.table.size for grid in grids) > LARGEST_TABLES:
        return False
    thresholds = sum(len(axis.thresholds) for grid in grids for axis in grid.axes)
    return thresholds * (1 + 0.03 * len(grids)) + 20 * len(grids) < sum(min(_row_of_many(s)) for s in sizes)


def _require(strategy: Strategy | None, size: Size, name: str) -> Strategy:
    if strategy is None:
        raise UnsupportedOpError(
            f"the forest {name} has {size.trees} trees of {size.depth} levels or more: basic ops can walk "
            f"{MOST_LEVELS} levels, or hold {LARGEST_PATHS // 2**20} MiB of paths. Use the target numpy, "
            "which has no limit, or train with a lower limit on the depth"
        )
    return strategy
