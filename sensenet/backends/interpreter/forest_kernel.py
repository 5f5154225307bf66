"""The interpreter's kernel for forests: tables for many rows."""

from __future__ import annotations

import threading

import numpy as np

from sensenet.forks import PerProcess
from sensenet.ir.forest_grids import ForestGrids, forest_grids
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array

MANY_ROWS = 2048
"""Rows from which tables are used: they take some milliseconds to make."""

Tables = tuple[ForestGrids | None, ...]
"""Of each forest of an op; None for one that has no small tables."""


class ForestKernel:
    """Answers as `forest.evaluate` does, to the last bit; threads may share it."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._tables: Tables | None = None
        self._making = PerProcess(threading.Lock)

    def __call__(self, x: Array) -> Array:
        """Return f32[b, forests · outputs] for f32[b, n]."""
        if len(x) < MANY_ROWS or not any(self.tables()):
            return self._forest.evaluate(x)
        return look_up(self._forest, self.tables(), x)

    def tables(self) -> Tables:
        """Return the tables, made at the first call by one thread while others wait."""
        if self._tables is None:
            with self._making.get():
                if self._tables is None:
                    self._tables = forest_grids(self._forest)
        return self._tables


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
