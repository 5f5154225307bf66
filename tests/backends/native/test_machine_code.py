"""Machine code answers as its reference in NumPy does, to the last bit, and as the interpreter, rounded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from support.conformance import recorded_cases, skip_if_refused
from support.forests import FEATURES, chain, forests, graph_of, make_forest, random_tree, rows
from support.lowered import graph_of_op, has_inputs
from support.op_cases import ALL_CASES, case_name
from support.profiles import examples
from support.row_graphs import assert_same_bits, assume_plan, recorded_graph, unusual_rows
from support.strategies import TABULAR_OPS, any_of, feeds, graphs, graphs_with_inputs, like_tables

import sensenet
from sensenet.backends.native import compiled, planner
from sensenet.backends.native import forests as forest_code
from sensenet.backends.native.code import Machine
from sensenet.backends.native.compiled import Compiled
from sensenet.backends.native.plan import INPUT
from sensenet.backends.native.planner import plan_graph
from sensenet.backends.native.reference import run_plan
from sensenet.errors import SensenetError, UnsupportedOpError
from sensenet.ir.evaluate import evaluate
from sensenet.signature import NUMERIC_INPUT, NumericColumn

pytest.importorskip("llvmlite")

MACHINES = [Machine(lanes=1, registers=16), Machine(lanes=4, registers=16), Machine(lanes=8, registers=32)]


def compile_for(monkeypatch, plan, machine):
    """The plan in machine code that uses a machine's registers, even if this one has larger ones."""
    monkeypatch.setattr(compiled, "host_machine", lambda: machine)
    return Compiled(plan)


def plan_or_skip(graph):
    try:
        return plan_graph(graph)
    except UnsupportedOpError as error:
        pytest.skip(f"not of rows: {error}")


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("case", recorded_cases("tabular", "real"))
def test_recorded_documents(case, level):
    graph = recorded_graph(case, level)
    plan = plan_graph(graph)
    x = unusual_rows(plan.buffers[INPUT].width)
    code = Compiled(plan)
    answers = code.answer(x)
    assert_same_bits(answers, run_plan(plan, x))
    assert_same_bits(np.concatenate([code.answer(row[None]) for row in x]), answers)
    answer_row = code.row_function([NumericColumn(index=index) for index in range(x.shape[1])])
    if answer_row is not None:
        assert_same_bits(np.concatenate([answer_row(row.tolist()) for row in x]), answers)
    (wanted,) = evaluate(graph, {NUMERIC_INPUT: x}).values()
    np.testing.assert_allclose(answers, wanted.reshape(answers.shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", [*filter(has_inputs, ALL_CASES)], ids=case_name)
def test_every_op_of_rows(case):
    graph = case.graph()
    plan = plan_or_skip(graph)
    (x,) = case.inputs
    answers = Compiled(plan).answer(x)
    assert_same_bits(answers, run_plan(plan, x))
    wanted = evaluate(graph, case.feed)
    for name, (place, shape) in plan.outputs.items():
        found = answers[:, place.start : place.start + place.width]
        expected = np.moveaxis(wanted[name], shape.index(None), 0).reshape(found.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def assert_answers_as_reference(graph, feed):
    plan = assume_plan(graph)
    x = np.ascontiguousarray(next(iter(feed.values())))
    assert_same_bits(Compiled(plan).answer(x), run_plan(plan, x))


@examples(40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_graphs_of_any_ops(data):
    graph = data.draw(graphs(any_of(TABULAR_OPS)))
    assert_answers_as_reference(graph, data.draw(feeds(graph)))


@examples(20, suppress_health_check=list(HealthCheck))
@given(drawn=graphs_with_inputs(like_tables))
def test_graphs_like_documents(drawn):
    assert_answers_as_reference(*drawn)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda each: f"{each.lanes} lanes")
@pytest.mark.parametrize("case", recorded_cases("tabular", names="*1*"))
def test_machines_round_alike(monkeypatch, machine, case):
    plan = plan_graph(recorded_graph(case, 2))
    x = unusual_rows(plan.buffers[INPUT].width, 20)
    assert_same_bits(compile_for(monkeypatch, plan, machine).answer(x), Compiled(plan).answer(x))


@pytest.mark.parametrize("walks", [True, False], ids=["walked", "as is best"])
@examples(25, suppress_health_check=list(HealthCheck))
@given(drawn=forests(), x=rows())
def test_any_forest_is_exact(walks, drawn, x):
    forest = make_forest(*drawn)
    graph = graph_of(forest)
    with pytest.MonkeyPatch.context() as patch:
        if walks:
            patch.setattr(forest_code, "forest_grids", lambda forest: [None] * len(forest.sizes))
        code = Compiled(plan_graph(graph))
    x = np.ascontiguousarray(np.resize(x, (21 + len(x), FEATURES)))
    np.testing.assert_array_equal(code.answer(x), forest.evaluate(x))


@pytest.mark.slow
@pytest.mark.parametrize("case", recorded_cases("tabular", names="realistic*"))
def test_a_million_rows(case):
    graph = recorded_graph(case, 2)
    plan = plan_graph(graph)
    code = Compiled(plan)
    random = np.random.default_rng(3)
    for _ in range(10):
        x = random.normal(0, 2, (100_000, plan.buffers[INPUT].width)).astype(np.float32)
        answers = code.answer(x)
        (wanted,) = evaluate(graph, {NUMERIC_INPUT: x}).values()
        np.testing.assert_allclose(answers, wanted.reshape(answers.shape), rtol=1e-4, atol=1e-5)


def test_deep_forests_are_exact():
    random = np.random.default_rng(1)
    mixed = make_forest(
        [random_tree(random, 200, FEATURES, 2) for _ in range(3)],
        [random_tree(random, leaves, FEATURES, 2) for leaves in (1, 3, 300)],
    )
    for forest in (mixed, chain(500)):
        x = np.random.default_rng(2).normal(size=(1000, FEATURES)).astype(np.float32)
        x[::5, 1], x[::7, 0], x[1::7, 2] = np.nan, np.inf, -np.inf
        np.testing.assert_array_equal(Compiled(plan_graph(graph_of(forest))).answer(x), forest.evaluate(x))


@pytest.mark.parametrize("count", [0, 1, 23, 24, 25, 961, 5000])
def test_any_number_of_rows(monkeypatch, count):
    monkeypatch.setattr(compiled, "NANOSECONDS_OF_A_PART", 1000)
    monkeypatch.setattr(compiled, "usable_processors", lambda: 3)
    plan = plan_graph(graph_of_op(*_layer()))
    x = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    answers = Compiled(plan).answer(x)
    assert answers.shape == (count, 37)
    assert_same_bits(answers, run_plan(plan, x))


def _layer():
    from support.op_case import weights

    from sensenet.ir.activation import ActivationFunction
    from sensenet.ir.ops.dense import Dense
    from sensenet.ir.types import f32

    return Dense(kernel=weights(5, 37), bias=weights(37), activation=ActivationFunction.SOFTMAX), f32(None, 5)


@pytest.mark.parametrize("case", recorded_cases("image", names="*0*"))
def test_images_are_refused(case):
    record = case.read()
    with skip_if_refused(record):
        graph = sensenet.compile(record["model"], "numpy").graph
    with pytest.raises(SensenetError, match="native code"):
        plan_graph(graph)


def test_large_networks_are_left_to_other_engines(monkeypatch):
    graph = graph_of_op(*_layer())
    for bound, message in (("MOST_NUMBERS", "numbers of a row"), ("LARGEST_WEIGHTS", "MiB of weights")):
        with monkeypatch.context() as patch:
            patch.setattr(planner, bound, 40)
            with pytest.raises(UnsupportedOpError, match=message):
                plan_graph(graph)
