"""Chooses the strategy for lowering a forest; docs/forests.md has the measurements behind the numbers."""

from __future__ import annotations

import enum
import math

from sensenet.errors import UnsupportedOpError
from sensenet.ir.ops.tabular import Forest
from sensenet.passes.lowering.forest.tables import LARGEST_TABLES, tree_grids
from sensenet.passes.lowering.forest.trees import measure, tree_ranges
from sensenet.records import frozen

LARGEST_PATHS = 16 * 2**20
"""The largest number of bytes of the path matrices of one forest."""

MOST_LEVELS = 256
"""The most levels that traversal unrolls: 1,800 ops, which run one after the other."""

MANY_ROWS = 1000
"""Rows in a call from which the time per row counts, not the time per call."""

NUMBERS_A_TREE = 512
"""Numbers in the tables of a tree, on average, up to which files are no larger than with leaf paths."""

MOST_LEAVES = math.isqrt(LARGEST_PATHS // 4)
"""Leaves of a tree beyond which its path matrix is certainly too large."""


class Strategy(enum.Enum):
    """A way to lower a forest to basic ops; the last one leaves it to a target that walks trees itself."""

    LEAF_PATHS = "leaf paths"
    TRAVERSAL = "traversal"
    TABLES = "tables"
    JOINED_TABLES = "joined tables"
    WALK = "walk"


@frozen(kw_only=True)
class Size:
    """Inputs of the choice: a forest's number of trees, and the size of its largest tree.

    For a tree with more than `MOST_LEVELS` and `MOST_LEAVES` levels, the size is a lower bound.
    """

    trees: int
    leaves: int
    depth: int

    @property
    def path_entries(self) -> int:
        """Entries of the path matrices: for each tree splits × leaves."""
        return self.trees * self.leaves * max(self.leaves - 1, 1)


def forest_sizes(forest: Forest) -> list[Size]:
    """Return the sizes of the forests of an op."""
    sizes = measure(forest, max(MOST_LEVELS, MOST_LEAVES) + 1)
    return [
        Size(trees=len(trees), leaves=int(sizes.leaves[trees].max()), depth=int(sizes.depth[trees].max()))
        for trees in tree_ranges(forest)
    ]


def _one_row(size: Size) -> dict[Strategy, float]:
    """Return the nanoseconds for one row in LiteRT, by strategy.

    Leaf paths: 80 per tree and 0.08 per entry of the path matrices; traversal: 400 per level, 400 for the
    values of leaves, and 15 per level of each tree.
    """
    levels = max(size.depth, 1)
    return {
        Strategy.LEAF_PATHS: size.trees * 80 + size.path_entries * 0.08,
        Strategy.TRAVERSAL: (levels + 1) * 400 + levels * size.trees * 15,
    }


def _row_of_many(size: Size) -> dict[Strategy, float]:
    """Return the nanoseconds for a row among many in Keras, by strategy.

    Leaf paths: 15 per tree, 0.35 per leaf and 0.3 per entry of the path matrices; traversal: 25 per level of
    each tree; walking: 25 per tree, and 12.5 per level that a row passes.
    """
    seen = min(size.depth, math.log2(size.leaves))
    return {
        Strategy.LEAF_PATHS: size.trees * (15 + 0.35 * size.leaves) + size.path_entries * 0.3,
        Strategy.TRAVERSAL: max(size.depth, 1) * size.trees * 25,
        Strategy.WALK: size.trees * (25 + 12.5 * seen),
    }


def _tables(thresholds: int, rows: int) -> float:
    """Return the nanoseconds for all tables of an op: 1,000 for one row, and 4 per threshold."""
    return thresholds * 4 + (1000 if rows < MANY_ROWS else 0)


def costs(size: Size, rows: int, walks: bool) -> dict[Strategy, float]:
    """Return the nanoseconds of each strategy, except tables, that can hold a forest on a target."""
    found = _one_row(size) if rows < MANY_ROWS else _row_of_many(size)
    if size.path_entries * 4 > LARGEST_PATHS:
        del found[Strategy.LEAF_PATHS]
    if walks or size.depth > MOST_LEVELS:
        del found[Strategy.TRAVERSAL]
    if not walks:
        found.pop(Strategy.WALK, None)
    return found


def choose_strategies(forest: Forest, name: str, rows: int = 1, walks: bool = False) -> list[Strategy]:
    """Return the strategy for each forest of an op, for about `rows` rows in a call.

    A target that `walks` trees itself keeps them for few rows. Raises UnsupportedOpError for trees beyond all
    limits.
    """
    if walks and rows < MANY_ROWS:
        return [Strategy.WALK] * len(forest.sizes)
    sizes = forest_sizes(forest)
    found = [costs(size, rows, walks) for size in sizes]
    most = NUMBERS_A_TREE * sum(forest.sizes) if rows < MANY_ROWS else LARGEST_TABLES
    tables = _find_tables(forest, min(most, LARGEST_TABLES))
    thresholds = sum(tables.values())
    without = sum(min(found[number].values(), default=math.inf) for number in tables)
    pays = bool(tables) and _tables(thresholds, rows) < without
    way = Strategy.TABLES if rows < MANY_ROWS else Strategy.JOINED_TABLES
    return [
        way if pays and number in tables else _best(each, size, f"{name}[{number}]")
        for number, (each, size) in enumerate(zip(found, sizes, strict=True))
    ]


def _find_tables(forest: Forest, most: int) -> dict[int, int]:
    """Return the number of thresholds of each forest whose trees can be tables of at most `most` numbers."""
    grids, numbers = tree_grids(forest), 0
    found: dict[int, int] = {}
    for number, trees in enumerate(tree_ranges(forest)):
        own = [grid for grid in grids[trees.start : trees.stop] if grid is not None]
        if len(own) == len(trees):
            found[number] = sum(len(axis.thresholds) for grid in own for axis in grid.axes)
            numbers += sum(len(grid.table) for grid in own) * forest.outputs
    return found if numbers <= most else {}


def _best(found: dict[Strategy, float], size: Size, name: str) -> Strategy:
    if not found:
        raise UnsupportedOpError(
            f"the forest {name} has {size.trees} trees of {size.depth} levels or more: basic ops can walk "
            f"{MOST_LEVELS} levels, or hold {LARGEST_PATHS // 2**20} MiB of paths. Use the target numpy, "
            "which has no limit, or train with a lower limit on the depth"
        )
    return min(found, key=lambda strategy: found[strategy])
