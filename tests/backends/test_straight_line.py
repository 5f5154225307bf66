"""The calls of a graph of rows answer as the interpreter does, to the last bit, and keep their buffers."""

from __future__ import annotations

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from support.conformance import recorded_cases
from support.lowered import graph_of, graph_of_op, has_inputs
from support.op_case import weights
from support.op_cases import ALL_CASES, case_name
from support.profiles import examples
from support.row_graphs import assert_same_bits, recorded_graph, unusual_rows
from support.strategies import TABULAR_OPS, any_of, feeds, graphs, graphs_with_inputs, like_tables

from sensenet.backends.interpreter import straight_line
from sensenet.backends.interpreter.calls import PAIRWISE
from sensenet.backends.interpreter.executable import KERNELS, answers_rows, make_executable
from sensenet.backends.interpreter.straight_line import StraightLine
from sensenet.errors import InputError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import apply
from sensenet.ir.ops import arithmetic, elementwise, rearrangement
from sensenet.ir.ops.dense import Activation, Dense
from sensenet.ir.types import f32


def assert_answers_as_interpreter(graph, x):
    """All rows at once, twice, and a part of them give the bits that the interpreter gives for as many."""
    (node,) = graph.inputs
    given = x.copy()
    answer = StraightLine(graph, KERNELS)
    kept = []
    for rows in (x, x, x[:3], x[:1], x[:1], x[:0]):
        wanted = evaluate(graph, {node.name: rows})
        found = answer(np.ascontiguousarray(rows))
        for each, expected in zip(found, wanted.values(), strict=True):
            assert each.dtype == expected.dtype
            assert each.shape == expected.shape
            if each.dtype == np.float32:
                assert_same_bits(each, expected)
            else:
                np.testing.assert_array_equal(each, expected)
        kept += zip(found, [each.copy() for each in found], strict=True)
    np.testing.assert_array_equal(x, given)
    for each, before in kept:  # no later call writes into an answer
        np.testing.assert_array_equal(each, before)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("case", recorded_cases("tabular", "real"))
def test_recorded_documents(case, level):
    graph = recorded_graph(case, level)
    assert_answers_as_interpreter(graph, unusual_rows(graph.inputs[0].types[0].shape[1]))


@pytest.mark.parametrize("case", [*filter(has_inputs, ALL_CASES)], ids=case_name)
def test_every_op_of_rows(case):
    graph = case.graph()
    if not answers_rows(graph):
        pytest.skip("not of rows")
    assert_answers_as_interpreter(graph, case.inputs[0])


def check(graph, feed):
    assume(answers_rows(graph))
    (x,) = feed.values()
    assert_answers_as_interpreter(graph, np.ascontiguousarray(x))


@examples(60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_graphs_of_any_ops(data):
    graph = data.draw(graphs(any_of(TABULAR_OPS)))
    check(graph, data.draw(feeds(graph)))


@examples(30, suppress_health_check=list(HealthCheck))
@given(drawn=graphs_with_inputs(like_tables))
def test_graphs_like_documents(drawn):
    check(*drawn)


@pytest.mark.parametrize("function", ActivationFunction, ids=lambda each: each.value)
@pytest.mark.parametrize("width", [1, 2, 5, PAIRWISE - 1, PAIRWISE, 40])
def test_activations_of_layers(function, width):
    layer = Dense(kernel=weights(3, width), bias=weights(width), activation=function)
    x = np.random.default_rng(width).normal(0, 3, (300, 3)).astype(np.float32)
    assert_answers_as_interpreter(graph_of_op(layer, f32(None, 3)), x)
    alone = graph_of_op(Activation(function=function), f32(None, width))
    assert_answers_as_interpreter(alone, unusual_rows(width, 40))


def test_a_value_is_read_again_after_others_were_computed():
    """Buffers of the same width are used again, but not that of a value with a later reader."""

    def outputs(x):
        a = apply(Activation(function=ActivationFunction.TANH), x).value
        b = apply(arithmetic.Add(), a, x).value
        part = apply(rearrangement.Slice(start=1, stop=3), b).value
        c = apply(arithmetic.Multiply(), b, a).value
        d = apply(arithmetic.Subtract(), apply(arithmetic.Maximum(), c, x).value, c).value
        total = apply(arithmetic.Add(), d, a, d, c).value
        e = apply(rearrangement.Concatenate(), part, total, part).value
        return {"e": e, "part": part, "c": c, "again": c, "x": x}

    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    assert_answers_as_interpreter(graph_of({"x": f32(None, 4)}, outputs), x)


@pytest.mark.parametrize("rows", [1, 5])
def test_answers_share_no_memory_with_the_rows(rows):
    """A part of one row has no gaps."""

    def outputs(x):
        part = apply(rearrangement.Slice(start=0, stop=2), x).value
        return {"x": x, "part": part, "flat": apply(rearrangement.Flatten(), part).value}

    x = np.ones((rows, 4), np.float32)
    for each in StraightLine(graph_of({"x": f32(None, 4)}, outputs), KERNELS)(x):
        assert not np.shares_memory(each, x)


@pytest.mark.parametrize("rows", [1, 2, 255, 256, 257, 3000])
def test_buffers_of_any_number_of_rows(monkeypatch, rows):
    monkeypatch.setattr(straight_line, "KEPT_NUMBERS", 1)
    layer = Dense(kernel=weights(3, 4), bias=weights(4), activation=ActivationFunction.SOFTMAX)
    graph = graph_of_op(layer, f32(None, 3))
    assert StraightLine(graph, KERNELS).most_rows == straight_line.FEWEST_ROWS
    x = np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)
    assert_answers_as_interpreter(graph, x)


@pytest.mark.parametrize("rows", [1, 2])
def test_wide_rows_take_memory_for_themselves_alone(rows):
    width = 2 * straight_line.KEPT_NUMBERS
    graph = graph_of_op(Activation(function=ActivationFunction.TANH), f32(None, width))
    answer = StraightLine(graph, KERNELS)
    x = np.ones((rows, width), np.float32)
    tracemalloc.start()
    try:
        answer(x)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3 * x.nbytes
    assert kept < x.nbytes / 10


def test_what_whole_ops_return_counts_and_is_released():
    """A chain of ops without buffers keeps two results at a time, and takes smaller blocks."""

    def outputs(x):
        for _ in range(20):
            x = apply(elementwise.Floor(), x).value
        return {"y": x}

    graph = graph_of({"x": f32(None, 64)}, outputs)
    answer = StraightLine(graph, KERNELS)
    assert answer.most_rows == straight_line.KEPT_NUMBERS // (20 * 64)
    x = np.ones((1000, 64), np.float32)
    tracemalloc.start()
    try:
        answer(x)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * x.nbytes


def test_threads_have_buffers_of_their_own():
    layer = Dense(kernel=weights(3, 64), bias=weights(64), activation=ActivationFunction.SOFTMAX)
    graph = graph_of_op(layer, f32(None, 3))
    answer = StraightLine(graph, KERNELS)
    batches = [
        np.random.default_rng(seed).normal(size=(rows, 3)).astype(np.float32)
        for seed, rows in enumerate((1, 1, 1, 50, 50, 50, 200, 700))
    ]
    wanted = [answer(x)[0] for x in batches]
    begin = threading.Barrier(len(batches))

    def call(number):
        begin.wait()
        return [answer(batches[number])[0] for _ in range(50)]

    with ThreadPoolExecutor(len(batches)) as pool:
        for found, expected in zip(pool.map(call, range(len(batches))), wanted, strict=True):
            for each in found:
                np.testing.assert_array_equal(each, expected)


def test_inputs_of_another_type_are_refused():
    executable = make_executable(graph_of_op(Dense(kernel=weights(3, 4)), f32(None, 3)))
    (name,) = (node.name for node in executable.graph.inputs)
    for wrong in (np.zeros((2, 3)), np.zeros((2, 4), np.float32), np.zeros(3, np.float32), [[1, 2, 3]]):
        with pytest.raises(InputError, match="expected"):
            executable.run({name: wrong})
    with pytest.raises(InputError, match="missing"):
        executable.run({})
