"""The interpreter's kernel for forests answers as walking does, bit by bit, whatever it looks up or walks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from support.forests import FEATURES, chain, forests, make_forest, rows

from sensenet.backends.interpreter import forest_kernel
from sensenet.backends.interpreter.forest_kernel import (
    FEW_ROWS,
    FEWEST_TABLE_ROWS,
    MANY_ROWS,
    ForestKernel,
    look_up,
)
from sensenet.ir import forest_grids


def random_rows(count: int) -> np.ndarray:
    x = np.random.default_rng(2).normal(size=(count, FEATURES)).astype(np.float32)
    x[::5, 1] = np.nan
    return x


@pytest.mark.parametrize("largest", [0, forest_grids.LARGEST_GRID], ids=["a table a tree", "one table"])
@given(forests(), rows())
def test_tables_answer_exactly_as_walking(largest, drawn, x):
    forest = make_forest(*drawn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest_grids, "LARGEST_GRID", largest)
        tables = forest_grids.forest_grids(forest)
    np.testing.assert_array_equal(look_up(forest, tables, x), forest.evaluate(x))


def deep_tree(levels: int):
    """Every split has a leaf to its left."""
    tree = [0.5]
    for level, threshold in enumerate(np.random.default_rng(1).normal(size=levels).astype(np.float32)):
        tree = (level % FEATURES, float(threshold), [float(level)], tree)
    return tree


@pytest.mark.parametrize("levels", [60, forest_grids.MOST_SPLITS + 1, 200])
def test_forests_without_a_small_grid_are_walked_next_to_others(levels):
    small = (1, 0.25, [1.0], [-2.0])
    forest = make_forest([small, small], [deep_tree(levels), small], [small])
    kernel = ForestKernel(forest)
    assert [table is None for table in kernel.tables()] == [False, True, False]
    x = random_rows(MANY_ROWS)
    np.testing.assert_array_equal(kernel(x), forest.evaluate(x))


@pytest.mark.parametrize(
    ("counts", "made"),
    [
        ([FEW_ROWS] * 1000, 0),
        ([FEWEST_TABLE_ROWS - 1] * 20, 0),
        ([MANY_ROWS - 1], 0),
        ([MANY_ROWS - 1, FEWEST_TABLE_ROWS], 1),
        ([MANY_ROWS] * 8, 1),
    ],
)
def test_tables_are_made_once_and_for_many_rows_only(monkeypatch, counts, made):
    calls = []
    original = forest_grids.forest_grids
    monkeypatch.setattr(forest_kernel, "forest_grids", lambda given: calls.append(given) or original(given))
    forest = make_forest([(1, 0.25, [1.0], [-2.0])])
    kernel = ForestKernel(forest)
    x = random_rows(MANY_ROWS)
    wanted = forest.evaluate(x)
    with ThreadPoolExecutor(4) as pool:
        for count, answer in zip(counts, pool.map(lambda count: kernel(x[:count]), counts), strict=True):
            np.testing.assert_array_equal(answer, wanted[:count])
    assert len(calls) == made


@pytest.mark.parametrize("most", [0, forest_kernel.MOST_NUMBERS], ids=["in arrays", "as objects"])
@given(forests(), rows())
def test_python_walks_exactly_as_numpy(most, drawn, x):
    forest = make_forest(*drawn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest_kernel, "MOST_NUMBERS", most)
        walker = forest_kernel.Walker(forest)
    found, wanted = walker(x), forest.evaluate(x)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(wanted))


def test_a_forest_without_tables_is_walked():
    forest = chain(200)
    kernel = ForestKernel(forest)
    x = random_rows(MANY_ROWS)
    np.testing.assert_array_equal(kernel(x), forest.evaluate(x))
    assert kernel.tables() == (None,)
