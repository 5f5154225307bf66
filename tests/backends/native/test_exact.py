"""With the option `exact`, all code of a network answers alike, to the last bit."""

from __future__ import annotations

import platform
import shutil
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from support.conformance import recorded_cases
from support.documents import DOCUMENTS, typed
from support.lowered import build, graph_of_op
from support.native_code import join_answers, link_program, rows_with_answers, run_program
from support.op_case import weights
from support.profiles import examples
from support.resources import RESOURCES
from support.row_graphs import assert_same_bits, assume_plan, recorded_graph, unusual_rows
from support.strategies import TABULAR_OPS, any_of, feeds, graphs

import sensenet
from sensenet.backends import get_target
from sensenet.backends.native import reference
from sensenet.backends.native.numpy_arithmetic import NumpyArithmetic
from sensenet.backends.native.plan import INPUT
from sensenet.backends.native.planner import plan_graph
from sensenet.errors import UnknownTargetError
from sensenet.frontend import import_graph
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.ops import arithmetic, rearrangement, reduction, tabular
from sensenet.ir.ops.dense import Activation, Dense
from sensenet.ir.types import Tensor, f32

pytest.importorskip("llvmlite")

FORMS = ["object", "source"]

SAME_ACTIVATIONS = {
    *(ActivationFunction.LINEAR, ActivationFunction.RELU, ActivationFunction.RELU6),
    *(ActivationFunction.LEAKY_RELU, ActivationFunction.SOFTSIGN, ActivationFunction.HARD_SIGMOID),
}

SAME_AS_INTERPRETER = {
    *(
        arithmetic.Add,
        arithmetic.Average,
        arithmetic.Subtract,
        arithmetic.Multiply,
        arithmetic.Divide,
        arithmetic.Maximum,
        arithmetic.Minimum,
    ),
    *(rearrangement.Concatenate, rearrangement.Slice, rearrangement.Gather, reduction.Mean),
    *(tabular.Standardize, tabular.Destandardize, tabular.OneHot, tabular.Forest),
}
"""Ops that native code computes with the interpreter's own operations, in its order."""


class Rounded(NumpyArithmetic):
    """Arithmetic in which each operation is one of float32."""

    def fused(self, a, b, c):
        return np.add(np.multiply(a, b), c)


def plain_answers(graph, x):
    """What the steps of a graph give in NumPy, operation by operation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "TO", Rounded())
        return reference.run_plan(plan_graph(graph, exact=True), x)


def answers_of_code(graph, x, emit, **options):
    if emit == "source" and shutil.which("cc") is None:
        pytest.skip("there is no cc")
    (node,) = graph.inputs
    run = get_target("native").load(build(graph, "native", emit=emit, **options)).run
    return join_answers(graph, run({node.name: x}))


@pytest.mark.parametrize("emit", FORMS)
@pytest.mark.parametrize("case", recorded_cases("tabular", names="*1*"))
def test_recorded_documents(case, emit):
    graph = recorded_graph(case, 2)
    x = unusual_rows(plan_graph(graph).buffers[INPUT].width, 20)
    assert_same_bits(answers_of_code(graph, x, emit, exact=True), plain_answers(graph, x))


@pytest.mark.parametrize("emit", FORMS)
@pytest.mark.parametrize("function", ActivationFunction, ids=lambda each: each.value)
def test_activations(function, emit):
    layer = Dense(kernel=weights(3, 37), bias=weights(37), activation=function)
    graph = graph_of_op(layer, f32(None, 3))
    x = unusual_rows(3)
    assert_same_bits(answers_of_code(graph, x, emit, exact=True), plain_answers(graph, x))


def test_products_are_rounded_and_biases_added_last():
    """The square of 1 + 2⁻¹² has more bits than float32, and 2²⁴ + 1 is 2²⁴ there."""
    near = np.float32(1 + 2.0**-12)
    kernel = Tensor.float32([[-(near * near), 1.0], [near, 1.0]])
    layer = Dense(kernel=kernel, bias=Tensor.float32([0.0, 2.0**24]))
    graph = graph_of_op(layer, f32(None, 2))
    x = np.float32([[1.0, near], [1.0, 1.0]])
    for emit in FORMS:
        square, total = answers_of_code(graph, x, emit, exact=True)[[0, 1], [0, 1]]
        assert (square, total) == (0.0, 2.0**24 + 2)
    assert answers_of_code(graph, x, "object")[1, 1] == 2.0**24


@pytest.mark.parametrize(("emit", "count"), [("object", 40), ("source", 6)])
def test_graphs_of_any_ops(emit, count):
    @examples(count, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def check(data):
        graph = data.draw(graphs(any_of(TABULAR_OPS)))
        assume_plan(graph)
        x = np.ascontiguousarray(next(iter(data.draw(feeds(graph)).values())))
        assert_same_bits(answers_of_code(graph, x, emit, exact=True), plain_answers(graph, x))

    check()


@examples(40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_the_same_as_in_the_interpreter(data):
    """Exact or not, these ops have the interpreter's answers to the last bit, but for the sign of zero."""
    graph = data.draw(graphs(any_of(SAME_AS_INTERPRETER)))
    assume_plan(graph)
    feed = data.draw(feeds(graph))
    (x,) = feed.values()
    wanted = join_answers(graph, evaluate(graph, feed))
    for exact in (True, False):
        found = answers_of_code(graph, np.ascontiguousarray(x), "object", exact=exact)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("function", ActivationFunction, ids=lambda each: each.value)
def test_activations_that_are_the_same_as_in_the_interpreter(function):
    graph = graph_of_op(Activation(function=function), f32(None, 5))
    x = unusual_rows(5)
    found = answers_of_code(graph, x, "object", exact=True)
    (wanted,) = evaluate(graph, {graph.inputs[0].name: x}).values()
    assert np.array_equal(found, wanted, equal_nan=True) == (function in SAME_ACTIVATIONS)


PROGRAMS = {
    "this processor": ({}, ()),
    "without AVX": ({"triple": "x86_64-linux-gnu"}, ()),
    "x86-64-v3": ({"triple": "x86_64-linux-gnu", "cpu": "x86-64-v3"}, ()),
    "C99": ({"emit": "source"}, ("-O2",)),
    "C99 for this processor": ({"emit": "source"}, ("-O3", "-march=native")),
    "GNU C for this processor": ({"emit": "source"}, ("-O3", "-march=native", "-std=gnu99")),
}


@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="runs code for x86-64")
@pytest.mark.parametrize("name", ["mixed", "ensemble"])
def test_programs_for_any_processor_answer_alike(tmp_path, name):
    graph = import_graph({"mixed": RESOURCES["mixed"], **DOCUMENTS}[name]())
    rows, expected = rows_with_answers(graph)
    wanted = plain_answers(graph, rows)
    for number, (options, flags) in enumerate(PROGRAMS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        artifact = build(graph, "native", exact=True, prefix="model", **options)
        program = link_program(folder, {"model": artifact}, flags=flags)
        (found,) = run_program(program, [rows], [expected.shape[1]])
        assert_same_bits(found, wanted)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
@pytest.mark.parametrize("name", ["typed", "ensemble"])
def test_webassembly_answers_alike(name):
    graph = import_graph(DOCUMENTS[name]())
    rows, _ = rows_with_answers(graph)
    artifact = build(graph, "wasm", exact=True)
    found = get_target("wasm").load(artifact).run({graph.inputs[0].name: rows})
    assert_same_bits(join_answers(graph, found), plain_answers(graph, rows))


@pytest.mark.parametrize("target", ["native", "wasm"])
def test_the_option_is_true_or_false(target):
    with pytest.raises(UnknownTargetError, match="exact is 'yes'; expected true or false"):
        sensenet.compile(typed(), target, exact="yes")
