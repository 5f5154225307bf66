"""What the verifier refuses, and what it says of it."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from support.op_cases import ALL_CASES, TWO_FORESTS, case_name
from support.tensor_op_cases import doubling

from sensenet.errors import UnsupportedOpError, VerifyError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Node, Value, apply, constant
from sensenet.ir.legality import all_of, require_legal
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.ops.dense import Activation, Dense
from sensenet.ir.ops.reduction import ReduceAny
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.types import Tensor, f32
from sensenet.ir.verify import verify
from sensenet.signature import Signature

RELU = Activation(function=ActivationFunction.RELU)


@pytest.fixture
def x() -> Node:
    return apply(Input(type=f32(None, 3)), name="x")


def graph_of(x: Node, value: Value) -> Graph:
    return Graph((x,), {"y": value}, Signature())


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_graphs_of_every_op_are_well_formed(case):
    verify(case.graph())


def test_types_that_the_op_does_not_infer(x):
    node = attrs.evolve(apply(RELU, x.value), types=(f32(None, 4),))
    with pytest.raises(VerifyError, match=r"the op infers f32\[\?,3\]\n  %activation = activation\(%x\)"):
        verify(graph_of(x, node.value))


def test_inputs_that_the_op_does_not_take(x):
    node = Node(Add(), (x.value,), (f32(None, 3),), "sum")
    with pytest.raises(VerifyError, match="add takes two or more inputs"):
        verify(graph_of(x, node.value))


def test_inputs_that_are_not_declared(x):
    other = apply(Input(type=f32(None, 3)), name="other")
    with pytest.raises(VerifyError, match=r"an Input node must be among.*\n  %other"):
        verify(graph_of(x, apply(Add(), x.value, other.value).value))


def test_declared_inputs_that_are_none(x):
    relu = apply(RELU, x.value)
    with pytest.raises(VerifyError, match="and no other node"):
        verify(Graph((x, relu), {"y": relu.value}, Signature()))


def test_an_input_declared_twice(x):
    with pytest.raises(VerifyError, match="the name 'x' is not unique"):
        verify(Graph((x, x), {"y": x.value}, Signature()))


def test_names_that_are_taken(x):
    last = apply(RELU, apply(RELU, x.value, name="a").value, name="a")
    with pytest.raises(VerifyError, match="the name 'a' is not unique"):
        verify(graph_of(x, last.value))


@pytest.mark.parametrize("name", ["3", "a b", "a\n", "é", "", "%a", "a:1"])
def test_names_that_have_no_text_form(x, name):
    node = attrs.evolve(apply(RELU, x.value), name=name)
    with pytest.raises(VerifyError, match="or not a valid name"):
        verify(graph_of(x, node.value))
    with pytest.raises(VerifyError, match="is not a valid name"):
        verify(Graph((x,), {name: x.value}, Signature()))


def test_results_that_a_node_does_not_have(x):
    for index in (1, -1):
        with pytest.raises(VerifyError, match="x has no result"):
            verify(graph_of(x, Value(x, index)))
        reader = Node(RELU, (Value(x, index),), (f32(None, 3),), "reader")
        with pytest.raises(VerifyError, match="x has no result"):
            verify(graph_of(x, reader.value))


def test_graphs_without_outputs(x):
    with pytest.raises(VerifyError, match="no outputs"):
        verify(Graph((x,), {}, Signature()))


@pytest.mark.parametrize("weight", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(x, weight):
    kernel = Tensor.float32([[1], [weight], [3]])
    with pytest.raises(VerifyError, match=r"a weight is NaN or infinite\n  %dense"):
        verify(graph_of(x, apply(Dense(kernel=kernel), x.value).value))


def test_constants_and_thresholds_may_be_infinite(x):
    verify(Graph((), {"y": constant(Tensor.float32([np.inf, np.nan]))}, Signature()))
    thresholds = Tensor.float32([np.inf, -np.inf, *[0] * 7])
    verify(graph_of(x, apply(attrs.evolve(TWO_FORESTS, threshold=thresholds), x.value).value))


def test_ops_that_may_not_stand_at_a_stage(x):
    graph = graph_of(x, apply(RELU, x.value, name="last").value)
    require_legal(graph, all_of(Input, Activation), "the stage")
    with pytest.raises(UnsupportedOpError, match=r"the stage does not support activation \(node 'last'\)"):
        require_legal(graph, all_of(Input, Constant), "the stage")
    with pytest.raises(UnsupportedOpError, match=r"the stage does not support activation \(node 'last'\)"):
        require_legal(graph, {Input: True, Activation: lambda node: node.name != "last"}, "the stage")


def test_what_may_not_stand_at_a_stage_may_not_stand_in_a_region(x):
    count = constant(Tensor.int32([0]))
    loop = apply(doubling(), apply(Input(type=f32(None, 2)), name="rows").value, count)
    graph = Graph.create([loop.inputs[0].node], {"y": loop.value}, Signature())
    require_legal(graph, all_of(*OP_CLASSES), "the stage")
    with pytest.raises(UnsupportedOpError, match=r"does not support reduce_any \(node 'reduce_any'\)"):
        require_legal(graph, all_of(*(op for op in OP_CLASSES if op is not ReduceAny)), "the stage")
