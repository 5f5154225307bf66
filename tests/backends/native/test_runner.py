"""Models of rows compile once that pays; their answers do not change by it."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import numpy as np
import pytest
from support.lowered import graph_of_op
from support.op_case import weights

from sensenet.backends.native import cells, compiled, executable, runner
from sensenet.backends.native.executable import make_executable
from sensenet.backends.native.planner import plan_graph
from sensenet.backends.native.runner import FEW_ROWS, Runner
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph
from sensenet.ir.ops.dense import Dense
from sensenet.ir.types import f32
from sensenet.signature import NumericColumn

pytest.importorskip("llvmlite")

ROW = [0.5, -1.0, 2.0]


COLUMNS = tuple(NumericColumn(index=index) for index in range(3))


def small_runner():
    return Runner(small_plan(), COLUMNS)


def small_plan():
    layer = Dense(kernel=weights(3, 4), bias=weights(4), activation=ActivationFunction.SOFTMAX)
    return plan_graph(graph_of_op(layer, f32(None, 3)))


def test_first_rows_are_answered_without_compiling(monkeypatch):
    monkeypatch.setattr(Runner, "compile", None)
    answers = small_runner()
    assert answers.answer_row(ROW) is None
    assert answers.answer(np.zeros((FEW_ROWS, 3), np.float32)).shape == (FEW_ROWS, 4)


def test_many_rows_compile_at_once():
    answers = small_runner()
    x = np.random.default_rng(0).normal(size=(FEW_ROWS + 1, 3)).astype(np.float32)
    first = np.concatenate([answers.answer(row[None]) for row in x])
    assert answers._compiled is None
    np.testing.assert_array_equal(answers.answer(x), first)
    assert answers._compiled is not None
    np.testing.assert_array_equal(answers.answer_row(x[0].tolist()), first[:1])


def test_rows_compile_after_as_much_work_as_that_takes(monkeypatch):
    plan = small_plan()
    operations, numbers = runner.count_operations(plan)
    cost = operations + numbers // runner.NUMBERS_OF_AN_OPERATION
    monkeypatch.setattr(runner, "OPERATIONS_TO_COMPILE", 3 * cost)
    answers = Runner(plan, COLUMNS)
    states = []
    for _ in range(5):
        answers.answer(np.float32([ROW]))
        states.append(answers._compiled is not None)
    assert states == [False, False, False, True, True]


def test_threads_compile_once(monkeypatch):
    made = []

    class Counted(compiled.Compiled):
        def __init__(self, plan):
            made.append(threading.get_ident())
            super().__init__(plan)

    monkeypatch.setattr(compiled, "Compiled", Counted)
    answers = small_runner()
    x = np.zeros((50, 3), np.float32)
    with ThreadPoolExecutor(8) as pool:
        results = [*pool.map(lambda _: answers.answer(x), range(16))]
    assert len(made) == 1
    for result in results:
        np.testing.assert_array_equal(result, results[0])


def test_a_row_of_cells_has_the_answer_of_its_numbers():
    answers = small_runner()
    expected = answers.answer(np.float32([[0.5, 0.0, np.inf]]))
    answers.compile()
    found = answers.answer_row((np.float64(0.5), None, 1e300, "more"))
    np.testing.assert_array_equal(found, expected)
    assert (found.dtype, found.shape, found.flags.writeable) == (np.float32, (1, 4), True)


@pytest.mark.parametrize(("row", "error"), [(["1", 0.0, 0.0], TypeError), ([1.0, 2.0], IndexError)])
def test_what_is_no_row_of_numbers_is_an_error_of_python(row, error):
    answers = small_runner()
    answers.compile()
    with pytest.raises(error):
        answers.answer_row(row)


class Calling:
    """A number that asks the model before it is read."""

    def __init__(self, answers):
        self.answers = answers

    def __float__(self):
        self.answers.answer_row([9.0, 9.0, 9.0])
        return 2.0


def test_a_cell_may_call_the_model():
    answers = small_runner()
    answers.compile()
    found = answers.answer_row([0.5, -1.0, Calling(answers)])
    np.testing.assert_array_equal(found, answers.answer_row(ROW))


def test_rows_of_cells_are_answered_after_their_model_is_gone():
    answers = small_runner()
    answers.compile()
    expected, answer = answers.answer_row(ROW), answers._row_function
    del answers
    gc.collect()
    np.testing.assert_array_equal(answer(ROW), expected)


def test_rows_of_cells_keep_the_code_that_reads_them():
    """Two threads that compile their first models at once each load that code, and one replaces the other."""
    answers, rows = small_runner(), [ROW] * 2
    answers.compile()
    reader = cells.CellReader(COLUMNS)
    code = weakref.ref(cells.load_code())
    cells.load_code.cache_clear()
    gc.collect()
    assert code() is not None
    np.testing.assert_array_equal(answers.answer_row(ROW), answers.answer(reader(rows))[:1])
    del answers
    gc.collect()
    assert code() is not None
    np.testing.assert_array_equal(reader(rows), rows)
    del reader
    gc.collect()
    assert code() is None


def test_rows_of_cells_keep_the_function_that_makes_their_arrays(monkeypatch):
    """A tool may replace it while a model is compiled."""

    def empty(*arguments):
        return made(*arguments)

    answers, made = small_runner(), np.empty
    with monkeypatch.context() as patch:
        patch.setattr(np, "empty", empty)
        answers.compile()
    replaced = weakref.ref(empty)
    del empty
    gc.collect()
    assert replaced() is not None
    np.testing.assert_array_equal(answers.answer_row(ROW), answers.answer(np.float32([ROW])))


def test_a_row_of_cells_keeps_nothing():
    answers, cell = small_runner(), Decimal("0.5")
    answers.compile()
    before = sys.getrefcount(cell)
    for _ in range(10):
        answers.answer_row([cell, cell, cell])
        with pytest.raises(TypeError):
            answers.answer_row([cell, cell, "x"])
    assert sys.getrefcount(cell) == before
    assert sys.getrefcount(answers.answer_row(ROW)) == sys.getrefcount(np.empty((1, 4), np.float32))


@pytest.mark.parametrize("change", ["long work", "no lock", "many columns"])
def test_other_rows_are_answered_as_arrays(monkeypatch, change):
    """Long work lets other threads run; without Python's lock, each call has memory of its own."""
    if change == "long work":
        monkeypatch.setattr(compiled, "NANOSECONDS_TO_WAIT", 0)
    elif change == "no lock":
        monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    else:
        monkeypatch.setattr(compiled, "MOST_COLUMNS", 2)
    answers = small_runner()
    answers.compile()
    assert answers.answer_row(ROW) is None


def test_only_predictions_are_answered_as_rows():
    graph = graph_of_op(Dense(kernel=weights(3, 4)), f32(None, 3))
    assert make_executable(graph).answer_row is not None
    (value,) = graph.outputs.values()
    two = Graph.create(graph.inputs, {"predictions": value, "others": value}, graph.signature)
    assert make_executable(two).answer_row is None


def test_a_plan_is_released_when_it_is_compiled(monkeypatch):
    """Machine code has the weights by itself."""
    plans = []

    def plan(graph):
        made = plan_graph(graph)
        plans.append(weakref.ref(made))
        return made

    monkeypatch.setattr(executable, "plan_graph", plan)
    graph = graph_of_op(Dense(kernel=weights(3, 4)), f32(None, 3))
    made = make_executable(graph)
    (released,) = plans
    name = graph.inputs[0].name
    first = made.run({name: np.ones((1, 3), np.float32)})
    assert released() is not None
    many = made.run({name: np.ones((FEW_ROWS + 1, 3), np.float32)})
    gc.collect()
    assert released() is None
    again = made.run({name: np.ones((1, 3), np.float32)})
    for answers in (again, many):
        np.testing.assert_array_equal(answers["y0"][:1], first["y0"])
