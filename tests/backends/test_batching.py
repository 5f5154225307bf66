"""Many rows in blocks on several threads, with one thread for each product of matrices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.documents import image, typed
from threadpoolctl import threadpool_info

from sensenet.backends import batching as blocks
from sensenet.backends.batching import (
    FEWEST_LIMITED,
    FEWEST_TREE_ROWS,
    MOST_ROWS,
    divide,
    is_of_large_images,
    is_of_rows,
    one_thread_a_product,
    run_batches,
    run_in_blocks,
)
from sensenet.backends.interpreter import straight_line
from sensenet.backends.interpreter.executable import make_executable
from sensenet.errors import InputError, LimitError
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import prepare
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Tensor, f32
from sensenet.limits import VARIABLE
from sensenet.pretrained import get_pretrained_network
from sensenet.signature import NUMERIC_INPUT, PIXEL_INPUT, Signature

FEWEST = straight_line.FEWEST_ROWS // 2
"""Rows that one thread answers, if the buffers of a row are as wide as can be."""


def blas_threads() -> set[int]:
    """The threads of NumPy's matrix library: SciPy's has its own."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {pool["num_threads"] for pool in pools if "numpy" in pool["filepath"] or len(pools) == 1}


@pytest.mark.parametrize("processors", [1, 3])
@pytest.mark.parametrize("rows", [0, 1, FEWEST, FEWEST + 1, 2 * FEWEST, 8 * FEWEST + 5])
def test_rows_are_answered_in_order(monkeypatch, rows, processors):
    monkeypatch.setattr(blocks, "usable_processors", lambda: processors)
    monkeypatch.setattr(straight_line, "KEPT_NUMBERS", 1)
    graph = import_graph(typed())
    x = np.random.default_rng(0).normal(size=(rows, len(graph.signature.columns))).astype(np.float32)
    found = make_executable(graph).run({NUMERIC_INPUT: x})
    expected = prepare(graph)({NUMERIC_INPUT: x})
    assert found.keys() == expected.keys()
    for name, answer in found.items():
        np.testing.assert_allclose(answer, expected[name], rtol=1e-6, atol=1e-6)


def test_a_batch_that_takes_more_than_the_limit_is_not_filled(monkeypatch):
    monkeypatch.setenv(VARIABLE, "1000")
    inputs = {"x": np.ones((1, 3), np.float32)}
    (answer,) = run_batches(lambda given: given, {"x": f32(83, 3)}, {"x": f32(83, 3)}, 4)(inputs).values()
    assert answer.shape == (1, 3)
    with pytest.raises(LimitError, match="a batch of 84 rows needs 1008 bytes of memory"):
        run_batches(lambda given: given, {"x": f32(84, 3)}, {"x": f32(84, 3)}, 4)(inputs)


@pytest.mark.parametrize(("first", "second"), [(2, 3), (3, 2), (7, 4)])
def test_a_batch_of_one_size_needs_one_number_of_rows(first, second):
    run = run_batches(lambda _: {}, {"x": f32(3, 1), "y": f32(3, 2, 2)}, {"z": f32(3, 1)}, 4)
    inputs = {"x": np.zeros((first, 1), np.float32), "y": np.zeros((second, 2, 2), np.float32)}
    with pytest.raises(InputError, match=f"different numbers of rows: x {first}, y {second}"):
        run(inputs)


def test_no_rows_give_no_rows_on_whichever_axis_they_are():
    outputs = {"rows": f32(None, 3), "networks": f32(2, None, 3), "constant": f32(3)}

    def call(given):
        (x,) = given.values()
        assert len(x)
        return {"rows": x, "networks": np.stack([x, x]), "constant": np.ones(3, np.float32)}

    found = run_batches(call, {"x": f32(None, 3)}, outputs, 4)({"x": np.empty((0, 3), np.float32)})
    assert {name: array.shape for name, array in found.items()} == {
        "rows": (0, 3),
        "networks": (2, 0, 3),
        "constant": (3,),
    }


@pytest.mark.parametrize(
    ("inputs", "outputs", "of_rows"),
    [
        ([f32(None, 3), f32(None, 2)], [f32(None, 4), f32(None)], True),
        ([f32(None, 3)], [f32(None, 4), f32(4)], False),
        ([f32(None, 3), f32(None, 9, 9, 3)], [f32(None, 4)], False),
        ([f32(2, 3)], [f32(None, 4)], False),
        ([], [f32(None, 4)], False),
    ],
)
def test_rows_are_divided_where_each_is_answered(inputs, outputs, of_rows):
    assert is_of_rows(inputs, outputs) is of_rows


@pytest.mark.parametrize(
    ("leaves", "sizes"),
    [(5, {FEWEST_TREE_ROWS, 1000}), (200, {MOST_ROWS, (FEWEST_TREE_ROWS + 1000) % MOST_ROWS})],
)
def test_rows_of_small_trees_are_divided_into_fewer_blocks(leaves, sizes):
    split = np.arange(0, 2 * leaves - 2, 2)
    left = np.arange(2 * leaves - 1)
    right = left.copy()
    left[split], right[split] = split + 1, split + 2
    forest = Forest(
        feature=Tensor.int32(np.zeros(len(left))),
        threshold=Tensor.float32(np.zeros(len(left))),
        left=Tensor.int32(left),
        right=Tensor.int32(right),
        values=Tensor.float32(np.zeros((len(left), 1))),
        roots=Tensor.int32([0]),
        sizes=(1,),
    )
    x = apply(Input(type=f32(None, 1)), name="x")
    graph = Graph.create([x], {"y": apply(forest, x.value, name="y").value}, Signature())
    seen = set()

    def run(inputs):
        seen.add(len(inputs["x"]))
        return {"y": inputs["x"]}

    divide(graph, run)({"x": np.zeros((FEWEST_TREE_ROWS + 1000, 1), np.float32)})
    assert seen == sizes


def test_images_are_divided_where_each_takes_long(monkeypatch):
    small = import_graph(image())
    assert not is_of_large_images(small)
    assert is_of_large_images(import_graph(get_pretrained_network("mobilenetv2")))
    monkeypatch.setattr(blocks, "LARGE_IMAGE", 1)
    assert is_of_large_images(small)
    assert not is_of_large_images(import_graph(typed()))


@pytest.mark.parametrize("rows", [0, 1, 2, 7])
def test_images_are_answered_in_order(monkeypatch, rows):
    monkeypatch.setattr(blocks, "LARGE_IMAGE", 1)
    graph, random = import_graph(image()), np.random.default_rng(0)
    inputs = {
        NUMERIC_INPUT: random.normal(size=(rows, 2)).astype(np.float32),
        PIXEL_INPUT: random.integers(0, 256, (rows, 9, 7, 3)).astype(np.float32),
    }
    inputs = {node.name: inputs[node.name] for node in graph.inputs}
    seen = []
    program = prepare(graph)

    def run(feed):
        seen.append({len(array) for array in feed.values()})
        return program(feed)

    found, expected = divide(graph, run)(inputs), program(inputs)
    assert seen == ([{1}] * rows or [{0}])
    for name, answer in found.items():
        np.testing.assert_allclose(answer, expected[name], rtol=1e-6, atol=1e-6)


def test_products_take_one_thread_meanwhile():
    before, seen = blas_threads(), []

    def run(inputs):
        seen.append(blas_threads())
        return dict(inputs)

    divided = run_in_blocks(run, MOST_ROWS // 2, MOST_ROWS, one_thread_a_product)
    divided({NUMERIC_INPUT: np.zeros((3 * MOST_ROWS, 2), np.float32)})
    assert len(seen) > 1
    assert all(threads == {1} for threads in seen)
    assert blas_threads() == before


def test_threads_are_restored_after_a_fault():
    before = blas_threads()

    def fail(_: object) -> dict[str, np.ndarray]:
        raise ArithmeticError

    divided = run_in_blocks(fail, MOST_ROWS // 2, MOST_ROWS, one_thread_a_product)
    with pytest.raises(ArithmeticError):
        divided({NUMERIC_INPUT: np.zeros((3 * MOST_ROWS, 2), np.float32)})
    assert blas_threads() == before


@pytest.mark.parametrize(("rows", "limited"), [(FEWEST_LIMITED - 1, False), (FEWEST_LIMITED, True)])
def test_products_of_few_rows_take_one_thread_unless_they_are_small(rows, limited):
    graph, seen = import_graph(typed()), []

    def run(inputs):
        seen.append(bool(blocks._limiters))
        return dict(inputs)

    divided, inputs = divide(graph, run), {NUMERIC_INPUT: np.zeros((rows, 2), np.float32)}
    divided(inputs)
    assert seen == [limited]
    with one_thread_a_product():  # as another thread may be in
        divided(inputs)
    assert seen == [limited, True]


def test_many_callers_at_once(monkeypatch):
    monkeypatch.setattr(straight_line, "KEPT_NUMBERS", 1)
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
