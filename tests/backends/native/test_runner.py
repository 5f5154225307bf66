"""Models of rows compile once that pays; their answers do not change by it."""

from __future__ import annotations

import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.lowered import graph_of_op
from support.op_case import weights

from sensenet.backends.native import compiled, runner
from sensenet.backends.native.executable import make_executable
from sensenet.backends.native.planner import plan_graph
from sensenet.backends.native.runner import FEW_ROWS, Runner
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph
from sensenet.ir.ops.dense import Dense
from sensenet.ir.types import f32

pytest.importorskip("llvmlite")

ROW = [0.5, -1.0, 2.0]


def small_plan():
    layer = Dense(kernel=weights(3, 4), bias=weights(4), activation=ActivationFunction.SOFTMAX)
    return plan_graph(graph_of_op(layer, f32(None, 3)))


def test_first_rows_are_answered_without_compiling(monkeypatch):
    monkeypatch.setattr(Runner, "compile", None)
    answers = Runner(small_plan())
    assert answers.answer_row(ROW).shape == (1, 4)
    assert answers.answer(np.zeros((FEW_ROWS, 3), np.float32)).shape == (FEW_ROWS, 4)


def test_many_rows_compile_at_once():
    answers = Runner(small_plan())
    x = np.random.default_rng(0).normal(size=(FEW_ROWS + 1, 3)).astype(np.float32)
    first = np.concatenate([answers.answer_row(row) for row in x.tolist()])
    assert answers._compiled is None
    np.testing.assert_array_equal(answers.answer(x), first)
    assert answers._compiled is not None
    np.testing.assert_array_equal(answers.answer_row(x[0].tolist()), first[:1])


def test_rows_compile_after_as_much_work_as_that_takes(monkeypatch):
    plan = small_plan()
    operations, numbers = runner.count_operations(plan)
    cost = operations + numbers // runner.NUMBERS_OF_AN_OPERATION
    monkeypatch.setattr(runner, "OPERATIONS_TO_COMPILE", 3 * cost)
    answers = Runner(plan)
    states = []
    for _ in range(5):
        answers.answer_row(ROW)
        states.append(answers._compiled is not None)
    assert states == [False, False, False, True, True]


def test_threads_compile_once(monkeypatch):
    made = []

    class Counted(compiled.Compiled):
        def __init__(self, plan):
            made.append(threading.get_ident())
            super().__init__(plan)

    monkeypatch.setattr(compiled, "Compiled", Counted)
    answers = Runner(small_plan())
    x = np.zeros((50, 3), np.float32)
    with ThreadPoolExecutor(8) as pool:
        results = [*pool.map(lambda _: answers.answer(x), range(16))]
    assert len(made) == 1
    for result in results:
        np.testing.assert_array_equal(result, results[0])


def test_a_number_beyond_float32_is_infinite():
    answers = Runner(small_plan())
    first = answers.answer_row([1e300, 0.0, 0.0])
    answers.compile()
    np.testing.assert_array_equal(answers.answer_row([1e300, 0.0, 0.0]), first)


def test_what_is_no_number_is_an_error_of_python():
    answers = Runner(small_plan())
    answers.compile()
    with pytest.raises(struct.error):
        answers.answer_row(["1", 0.0, 0.0])


def test_a_row_of_long_work_lets_other_threads_run(monkeypatch):
    monkeypatch.setattr(compiled, "NANOSECONDS_TO_WAIT", 0)
    answers = Runner(small_plan())
    first = answers.answer_row(ROW)
    answers.compile()
    np.testing.assert_array_equal(answers.answer_row(ROW), first)


def test_without_pythons_lock_rows_have_memory_of_their_own(monkeypatch):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    answers = Runner(small_plan())
    first = answers.answer_row(ROW)
    assert answers.compile()._run_row is None
    np.testing.assert_array_equal(answers.answer_row(ROW), first)


def test_only_predictions_are_answered_as_rows():
    graph = graph_of_op(Dense(kernel=weights(3, 4)), f32(None, 3))
    assert make_executable(graph).answer_row is not None
    (value,) = graph.outputs.values()
    two = Graph.create(graph.inputs, {"predictions": value, "others": value}, graph.signature)
    assert make_executable(two).answer_row is None
