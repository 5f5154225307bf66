"""The interpreter's kernel for forests: Python for a few rows, tables for many."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from sensenet.forks import PerProcess
from sensenet.ir.forest_grids import ForestGrids, forest_grids
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array

FEW_ROWS = 4
"""Rows up to which Python walks the trees in less time than NumPy, which moves all pairs of them at once."""

MANY_ROWS = 2048
"""Rows, of all calls together, from which tables pay: they take some milliseconds to make."""

FEWEST_TABLE_ROWS = 256
"""Rows of a call from which tables, once made, take less time than walking."""

MOST_NUMBERS = 1 << 14
"""Nodes up to which their numbers are kept as objects of Python, of 100 bytes, in half of the time."""

Tables = tuple[ForestGrids | None, ...]
"""Of each forest of an op; None for one that has no small tables."""


class ForestKernel:
    """Answers as `forest.evaluate` does, to the last bit; threads may share it."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._rows = 0
        self._walker: Walker | None = None
        self._tables: Tables | None = None
        self._making = PerProcess(threading.Lock)

    def __call__(self, x: Array) -> Array:
        """Return f32[b, forests · outputs] for f32[b, n]."""
        if len(x) <= FEW_ROWS:
            if self._walker is None:
                self._walker = Walker(self._forest)
            return self._walker(x)
        self._rows += len(x)
        pays = self._rows >= MANY_ROWS and len(x) >= FEWEST_TABLE_ROWS
        if pays and any(self.tables()):
            return look_up(self._forest, self.tables(), x)
        return self._forest.evaluate(x)

    def tables(self) -> Tables:
        """Return the tables, made at the first call by one thread while others wait."""
        if self._tables is None:
            with self._making.get():
                if self._tables is None:
                    self._tables = forest_grids(self._forest)
        return self._tables


class Walker:
    """Walks the trees of a forest row by row, in Python."""

    def __init__(self, forest: Forest) -> None:
        parts = (each.array for each in (forest.feature, forest.threshold, forest.left, forest.right))
        self._nodes = [_numbers(part) for part in parts]
        self._roots = forest.roots.array.tolist()
        # Forests of fewer trees than others get leaves of -0, which adds nothing, not even a sign.
        self._values = np.append(forest.values.array, np.full((1, forest.outputs), -0.0, np.float32), axis=0)
        sizes = np.array(forest.sizes)[:, None]
        tree = np.arange(sizes.max())
        self._trees = np.where(tree < sizes, np.cumsum(sizes)[:, None] - sizes + tree, len(self._roots))
        self._sizes = sizes.astype(np.float32)
        self._outputs = len(sizes) * forest.outputs

    def __call__(self, x: Array) -> Array:
        """Return f32[b, forests · outputs] for f32[b, n]."""
        found = [self._find_leaves(row) for row in x.tolist()]
        leaves = np.array(found, np.intp).reshape(len(x), len(self._roots) + 1)
        values = self._values.take(leaves.take(self._trees, 1), 0)
        totals = np.add.accumulate(values, 2)[:, :, -1]  # np.add.reduce may add in another order
        means: Array = totals / self._sizes
        return means.reshape(len(x), self._outputs)

    def _find_leaves(self, row: Sequence[float]) -> list[int]:
        """Return the leaf that a row reaches in each tree, and the one that adds nothing."""
        feature, threshold, left, right = self._nodes
        leaves = []
        for root in self._roots:
            node, following = -1, root
            while following != node:  # a leaf is its own child
                node = following
                following = left[node] if row[feature[node]] <= threshold[node] else right[node]
            leaves.append(node)
        leaves.append(len(self._values) - 1)
        return leaves


def _numbers(array: Array) -> Any:
    """Return the numbers of an array for reading them one by one."""
    return array.tolist() if array.size <= MOST_NUMBERS else array.data


def look_up(forest: Forest, tables: Tables, x: Array) -> Array:
    """Return f32[b, forests · outputs], by tables, and by walking the trees of forests without."""
    answers = np.empty((len(x), len(tables), forest.outputs), np.float32)
    columns = np.ascontiguousarray(x.T)
    for number, table in enumerate(tables):
        if table is not None:
            answers[:, number] = table(columns)
    large = [number for number, table in enumerate(tables) if table is None]
    if large:
        answers[:, large] = forest.walk(x, large)
    return answers.reshape(len(x), len(tables) * forest.outputs)
