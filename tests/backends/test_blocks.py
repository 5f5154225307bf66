"""Many rows in blocks on several threads, with one thread for each product of matrices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from documents import image, typed
from threadpoolctl import threadpool_info

from sensenet.backends import blocks
from sensenet.backends.blocks import FEWEST_ROWS, MOST_ROWS, is_of_rows, run_in_blocks
from sensenet.backends.text import make_executable
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import prepare
from sensenet.ir.signature import NUMERIC_INPUT


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize("processors", [1, 3])
@pytest.mark.parametrize("rows", [0, 1, FEWEST_ROWS, FEWEST_ROWS + 1, MOST_ROWS, 4 * MOST_ROWS + 5])
def test_rows_are_answered_in_order(monkeypatch, rows, processors):
    monkeypatch.setattr(blocks, "usable_processors", lambda: processors)
    graph = import_graph(typed())
    x = np.random.default_rng(0).normal(size=(rows, len(graph.signature.columns))).astype(np.float32)
    found = make_executable(graph).run({NUMERIC_INPUT: x})
    expected = prepare(graph)({NUMERIC_INPUT: x})
    assert found.keys() == expected.keys()
    for name, answer in found.items():
        np.testing.assert_allclose(answer, expected[name], rtol=1e-6, atol=1e-6)


def test_graphs_of_pictures_are_not_divided():
    assert is_of_rows(import_graph(typed()))
    assert not is_of_rows(import_graph(image()))


def test_products_take_one_thread_meanwhile():
    before, seen = blas_threads(), []

    def run(inputs):
        seen.append(blas_threads())
        return dict(inputs)

    run_in_blocks(run)({NUMERIC_INPUT: np.zeros((3 * MOST_ROWS, 2), np.float32)})
    assert len(seen) > 1
    assert all(threads == {1} for threads in seen)
    assert blas_threads() == before


def test_threads_are_restored_after_a_fault():
    before = blas_threads()

    def fail(_: object) -> dict[str, np.ndarray]:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        run_in_blocks(fail)({NUMERIC_INPUT: np.zeros((3 * MOST_ROWS, 2), np.float32)})
    assert blas_threads() == before


def test_many_callers_at_once():
    before = blas_threads()
    graph = import_graph(typed())
    run = make_executable(graph).run
    x = np.random.default_rng(1).normal(size=(MOST_ROWS + 9, len(graph.signature.columns)))
    inputs = {NUMERIC_INPUT: x.astype(np.float32)}
    expected = run(inputs)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: run(inputs), range(24)):
            for name, answer in found.items():
                np.testing.assert_array_equal(answer, expected[name])
    assert blas_threads() == before
