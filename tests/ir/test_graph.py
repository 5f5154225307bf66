"""Nodes, values, graphs: order, uses, names, rebuilding, equality, depth."""

from __future__ import annotations

import numpy as np
import pytest

from sensenet.errors import VerifyError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, Node, Value, apply, constant, rebuild, same_graph
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation, Dropout, DropoutKind
from sensenet.ir.ops.rearrangement import Concatenate, Slice
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph
from sensenet.ir.types import Tensor, f32
from sensenet.ir.verify import verify
from sensenet.signature import Signature

DEEP = 20_000
DEEPER = 100_000
RELU, TANH = (Activation(function=f) for f in (ActivationFunction.RELU, ActivationFunction.TANH))
DROPOUT = Dropout(kind=DropoutKind.ZERO, rate=0.5)


@pytest.fixture
def x() -> Node:
    return apply(Input(type=f32(None, 2)), name="x")


def graph_of(x: Node, value: Value, signature: Signature | None = None) -> Graph:
    return Graph.create([x], {"y": value}, signature or Signature())


def chain(x: Node, length: int) -> Value:
    """Nodes all of one name, each of which reads the one before it twice."""
    value = x.value
    for _ in range(length):
        value = apply(Add(), value, value).value
    return value


def test_nodes_come_after_what_they_read(x):
    relu = apply(RELU, x.value)
    both = apply(Add(), relu.value, x.value)
    last = apply(Add(), both.value, relu.value)
    graph = graph_of(x, last.value)
    assert [node.op for node in graph.nodes] == [x.op, RELU, Add(), Add()]
    assert graph.ops == {Input, Activation, Add}


def test_unread_nodes_are_gone_but_inputs_stay(x):
    other = apply(Input(type=f32(None, 1)), name="other")
    apply(RELU, x.value)
    graph = Graph.create([other, x], {"y": apply(TANH, x.value).value}, Signature())
    assert [node.name for node in graph.nodes] == ["other", "x", "activation"]


def test_uses_count_readers_and_outputs(x):
    relu = apply(RELU, x.value).value
    total = apply(Add(), relu, relu).value
    graph = Graph.create([x], {"y": total, "z": total, "relu": relu}, Signature())
    assert graph.uses == {x.value: 1, relu: 3, total: 2}


def test_values_are_equal_by_node_and_index(x):
    assert x.value == Value(x, 0) == x.values[0]
    assert hash(x.value) == hash(Value(x, 0))
    assert x.value != Value(x, 1)
    assert apply(RELU, x.value) != apply(RELU, x.value)


def test_names_become_unique_and_those_that_are_unique_stay(x):
    names = ["a", "a", "a_2", "a", "b"]
    value = x.value
    for name in names:
        value = apply(RELU, value, name=name).value
    graph = graph_of(x, value)
    assert [node.name for node in graph.nodes] == ["x", "a", "a_3", "a_2", "a_4", "b"]
    verify(graph)


def test_names_of_inputs_are_never_taken(x):
    graph = graph_of(x, apply(RELU, x.value, name="x").value)
    assert [node.name for node in graph.nodes] == ["x", "x_2"]


def test_find_a_node(x):
    graph = graph_of(x, apply(RELU, x.value, name="last").value)
    assert graph.node("last").op == RELU
    with pytest.raises(KeyError):
        graph.node("first")


def test_apply_names_the_node_at_fault(x):
    with pytest.raises(VerifyError, match=r"node 'cut' \(slice\): slice \[0, 3\) outside axis"):
        apply(Slice(start=0, stop=3), x.value, name="cut")


def remove_dropout(node: Node) -> tuple[Value, ...]:
    return node.inputs if isinstance(node.op, Dropout) else node.values


def test_rebuild_replaces_values_and_keeps_the_rest(x):
    kept = apply(TANH, x.value, name="kept")
    dropped = apply(DROPOUT, apply(DROPOUT, kept.value).value)
    graph = graph_of(x, apply(RELU, dropped.value, name="last").value)
    result = rebuild(graph, remove_dropout)
    assert [node.name for node in result.nodes] == ["x", "kept", "last"]
    assert result.node("kept") is kept
    assert result.inputs == graph.inputs


def test_rebuild_replaces_outputs(x):
    graph = graph_of(x, apply(DROPOUT, x.value).value)
    assert rebuild(graph, remove_dropout).outputs == {"y": x.value}


def test_rebuild_without_a_change_is_the_same_object(x):
    graph = graph_of(x, apply(RELU, x.value).value)
    assert rebuild(graph, remove_dropout) is graph


def test_rebuild_tells_what_replaced_what(x):
    dropped = apply(DROPOUT, x.value)
    relu = apply(RELU, dropped.value)
    heard = []
    result = rebuild(graph_of(x, relu.value), remove_dropout, lambda old, new: heard.append((old, new)))
    assert heard == [(dropped.value, x.value), (relu.value, result.outputs["y"])]


def test_rebuild_refuses_a_replacement_of_another_type(x):
    graph = graph_of(x, apply(RELU, apply(DROPOUT, x.value, name="dropped").value).value)

    def narrow(node: Node) -> tuple[Value, ...]:
        return (constant(Tensor.float32([[1, 2, 3]])),) if isinstance(node.op, Dropout) else node.values

    with pytest.raises(VerifyError, match=r"f32\[\?,2\] \('dropped'\) was replaced by f32\[1,3\]"):
        rebuild(graph, narrow)


def same_twice(build) -> bool:
    return same_graph(build(), build())


def test_same_graph_sees_equal_structure(x):
    def build() -> Graph:
        start = apply(Input(type=f32(None, 2)), name="x")
        bias = constant(Tensor.float32([1, 2]), name="bias")
        return graph_of(start, apply(Add(), start.value, bias, name="sum").value, Signature(name="model"))

    assert same_twice(build)


@pytest.mark.parametrize(
    "other",
    [
        lambda x: graph_of(x, apply(TANH, x.value, name="relu").value),
        lambda x: graph_of(x, apply(RELU, x.value, name="other").value),
        lambda x: graph_of(x, x.value),
        lambda x: graph_of(x, apply(RELU, x.value, name="relu").value, Signature(name="other")),
        lambda x: Graph.create([x], {"z": apply(RELU, x.value, name="relu").value}, Signature()),
        lambda x: Graph.create(
            [x], {"y": apply(RELU, x.value, name="relu").value, "x": x.value}, Signature()
        ),
        lambda x: Graph.create(
            [x, apply(Input(type=f32(1)), name="more")],
            {"y": apply(RELU, x.value, name="relu").value},
            Signature(),
        ),
    ],
)
def test_same_graph_sees_every_difference(x, other):
    graph = graph_of(x, apply(RELU, x.value, name="relu").value)
    assert same_graph(graph, graph)
    assert not same_graph(graph, other(x))


def test_same_graph_sees_which_value_is_read(x):
    relu, tanh = apply(RELU, x.value, name="relu"), apply(TANH, x.value, name="tanh")
    first = graph_of(x, apply(Concatenate(), relu.value, tanh.value, relu.value).value)
    second = graph_of(x, apply(Concatenate(), relu.value, tanh.value, tanh.value).value)
    assert not same_graph(first, second)


@pytest.mark.parametrize("depth", [DEEP, pytest.param(DEEPER, marks=pytest.mark.slow)])
def test_deep_graphs_do_not_recurse(x, depth):
    """Also the proof that names of a deep graph become unique in linear time: all nodes are called `add`."""
    graph = graph_of(x, chain(x, depth))
    assert len(graph.nodes) == depth + 1
    assert graph.nodes[-1].name == f"add_{depth}"
    verify(graph)
    assert same_graph(parse_graph(print_graph(graph)), graph)
    ones = np.ones((1, 2), np.float32)
    assert (evaluate(graph, {"x": ones})["y"] == np.inf).all()
    halved = rebuild(graph, lambda node: node.inputs[:1] if node.name.endswith("0") else node.values)
    assert len(halved.nodes) == depth - depth // 10 + 1
    assert hash(graph.outputs["y"])
    assert "add" in repr(graph.outputs["y"])


def test_wide_graphs_are_linear(x):
    parts = [apply(Slice(start=0, stop=1), x.value) for _ in range(10_000)]
    graph = graph_of(x, apply(Concatenate(), *(part.value for part in parts)).value)
    assert graph.outputs["y"].type == f32(None, 10_000)
    assert same_graph(parse_graph(print_graph(graph)), graph)
