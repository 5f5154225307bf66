"""Forests in machine code answer as the interpreter does, bit by bit, and only where that pays."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.forests import FEATURES, chain, forests, graph_of, make_forest, random_tree, rows

from sensenet.backends.interpreter import executable as text
from sensenet.backends.interpreter import native
from sensenet.errors import MissingPackageError
from sensenet.ir.ops.tabular import Forest

pytest.importorskip("numba")


def deep_forest(trees: int = 3) -> Forest:
    random = np.random.default_rng(1)
    return make_forest(
        [random_tree(random, 200, FEATURES, 2) for _ in range(trees)],
        [random_tree(random, leaves, FEATURES, 2) for leaves in (1, 3, 300)],
    )


def random_rows(count: int) -> np.ndarray:
    x = np.random.default_rng(2).normal(size=(count, FEATURES)).astype(np.float32)
    x[::5, 1], x[::7, 0], x[1::7, 2] = np.nan, np.inf, -np.inf
    return x


@given(forests(), rows(), st.integers(1, 4))
def test_any_forest_is_walked_exactly(drawn, x, processors):
    forest = make_forest(*drawn)
    x = np.resize(x, (native.LANES * 3 + len(x), FEATURES))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "usable_processors", lambda: processors)
        np.testing.assert_array_equal(native.walk(forest, x), forest.evaluate(x))


@pytest.mark.parametrize("count", [native.LANES, native.LANES + 1, 1000])
def test_deep_forests_are_walked_exactly(count):
    for forest in (deep_forest(), chain(500)):
        x = random_rows(count)
        np.testing.assert_array_equal(native.walk(forest, x), forest.evaluate(x))


@pytest.mark.parametrize(("count", "compiled"), [(1, False), (10, False), (1000, True)])
def test_machine_code_is_for_many_rows_of_forests_without_tables(monkeypatch, count, compiled):
    calls = []
    walk = native.walk
    monkeypatch.setattr(native, "walk", lambda *given: calls.append(given) or walk(*given))
    monkeypatch.setattr(native, "FEWEST_WALKS", 1000)
    for forest, expected in ((deep_forest(), compiled), (make_forest([[1.0, 2.0]] * 100), False)):
        calls.clear()
        x = random_rows(count)
        run = text.make_executable(graph_of(forest)).run
        np.testing.assert_array_equal(run({"x": x})["y"], forest.evaluate(x))
        assert bool(calls) is expected


def test_threads_may_share_a_forest():
    forest, x = deep_forest(), random_rows(500)
    expected = forest.evaluate(x)
    with ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda _: native.walk(forest, x), range(32)):
            np.testing.assert_array_equal(answer, expected)


def test_without_the_package_the_interpreter_walks(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(native.importlib.util, "find_spec", lambda _: None)
    assert not native.pays(deep_forest(), 10**9)
    native._compile.cache_clear()
    with pytest.raises(MissingPackageError, match="native"):
        native.walk(deep_forest(), random_rows(100))
