"""The operators that a graph becomes for the target tflite: how many, of what, and named how."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.lowered import build, graph_of
from support.op_cases import floats, weights

import sensenet
from sensenet.backends.tflite import flatbuffer
from sensenet.backends.tflite.convert import convert
from sensenet.backends.tflite.flatbuffer import kind_of, names_of, read_buffer, unpack
from sensenet.errors import ArtifactError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import apply, constant
from sensenet.ir.ops import arithmetic, convolution, core, dense, pooling
from sensenet.ir.region import regions_of
from sensenet.ir.types import Tensor, f32

pytest.importorskip("ai_edge_litert.interpreter")

EXAMPLES = Path(__file__).parents[2] / "examples"

KERNEL, BIAS = weights(3, 4), constant(Tensor.float32(floats(4)))
LAYER = dense.Dense(kernel=KERNEL)
RELU, RELU6, TANH = (
    dense.Activation(function=function)
    for function in (ActivationFunction.RELU, ActivationFunction.RELU6, ActivationFunction.TANH)
)


def activated(op, value):
    return apply(op, value).value


def plus(value, other=BIAS):
    return apply(arithmetic.Add(), value, other).value


def kinds(graph):
    """The kinds of operators in a file made of a graph, and the activations that they end with."""
    tree = unpack(bytes(build(graph, "tflite")))
    names = names_of(flatbuffer.import_schema().BuiltinOperator)
    found = []
    for operator in tree.subgraphs[0].operators:
        ends = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
        found.append(names[kind_of(tree, operator)] + ("", "+RELU", "", "+RELU6")[ends])
    return found


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (plus, ["FULLY_CONNECTED"]),
        (lambda y: activated(RELU, plus(y)), ["FULLY_CONNECTED+RELU"]),
        (lambda y: activated(RELU6, y), ["FULLY_CONNECTED+RELU6"]),
        (lambda y: activated(RELU, plus(y, y)), ["FULLY_CONNECTED", "ADD+RELU"]),
        (lambda y: plus(activated(RELU, y)), ["FULLY_CONNECTED+RELU", "ADD"]),
        (lambda y: plus(y, constant(Tensor.float32(1))), ["FULLY_CONNECTED", "ADD"]),
        (lambda y: plus(y, apply(TANH, y).value), ["FULLY_CONNECTED", "TANH", "ADD"]),
        (lambda y: activated(TANH, plus(y)), ["FULLY_CONNECTED", "TANH"]),
        (
            lambda y: plus(activated(RELU, plus(y, y)), plus(y, y)),
            ["FULLY_CONNECTED", "ADD", "RELU", "ADD"],
        ),
    ],
)
def test_biases_and_activations_join_the_operator_before(function, expected):
    graph = graph_of({"x": f32(None, 3)}, lambda x: {"y": function(apply(LAYER, x).value)})
    assert kinds(graph) == expected


def test_an_activation_after_a_pool_is_part_of_it():
    pool = pooling.MaxPool2D(pool_size=(2, 2), strides=(2, 2))
    graph = graph_of({"x": f32(None, 4, 4, 2)}, lambda x: {"y": activated(RELU, apply(pool, x).value)})
    assert kinds(graph) == ["MAX_POOL_2D+RELU"]


def test_what_an_output_reads_keeps_its_own_operator():
    def function(x):
        total = plus(x, x)
        return {"sum": total, "relu": activated(RELU, total)}

    assert kinds(graph_of({"x": f32(None, 3)}, function)) == ["ADD", "RELU"]


def test_a_product_with_a_row_of_ones_is_a_sum():
    ones = constant(Tensor.float32(np.ones((1, 3))))
    graph = graph_of({"x": f32(None, 3, 2)}, lambda x: {"y": apply(dense.MatMul(), ones, x).value})
    assert kinds(graph) == ["SUM"]


def test_a_product_with_a_constant_is_a_layer():
    matrix = constant(KERNEL)
    graph = graph_of({"x": f32(None, 3)}, lambda x: {"y": plus(apply(dense.MatMul(), x, matrix).value)})
    assert kinds(graph) == ["FULLY_CONNECTED"]


def test_a_bias_of_zeros_is_not_stored_but_convolutions_have_one():
    zeros = constant(Tensor.float32(np.zeros(4)))
    graph = graph_of({"x": f32(None, 3)}, lambda x: {"y": plus(apply(LAYER, x).value, zeros)})
    (operator,) = unpack(bytes(build(graph, "tflite"))).subgraphs[0].operators
    assert list(operator.inputs)[2:] == [-1]

    layer = convolution.Convolution2D(kernel=weights(2, 2, 3, 5))
    tree = convert(graph_of({"x": f32(None, 4, 4, 3)}, lambda x: {"y": apply(layer, x).value}))
    (operator,) = tree.subgraphs[0].operators
    kernel, bias = (tree.subgraphs[0].tensors[place] for place in operator.inputs[1:])
    assert list(kernel.shape) == [5, 2, 2, 3]
    assert read_buffer(tree.buffers[bias.buffer]).view(np.float32).tolist() == [0] * 5


def test_constants_of_equal_content_are_one_buffer():
    """Small ones and large ones, in memory of their own or not; zeros of either sign are not equal."""
    large = floats(300, 100)
    other = large.copy()
    other[large.shape[0] - 1, 0] = np.float32(-0.0)
    again = other.copy()
    again[large.shape[0] - 1, 0] = np.float32(0.0)
    arrays = {"a": large, "b": large.copy(), "c": other, "d": again}
    graph = graph_of(
        {"x": f32(None, 300)},
        lambda x: {
            name: apply(dense.Dense(kernel=Tensor(kernel), bias=Tensor.float32([1] * 100)), x).value
            for name, kernel in arrays.items()
        },
    )
    sizes = sorted(buffer.data.nbytes for buffer in convert(graph).buffers if buffer.data is not None)
    assert sizes == [400, *[large.nbytes] * 3]


def test_names_of_tensors_are_unique():
    graph = graph_of({"x": f32(None, 3)}, lambda x: {"y": apply(arithmetic.Average(), x, x).value})
    tree = unpack(bytes(build(graph, "tflite")))
    names = [tensor.name for tensor in tree.subgraphs[0].tensors]
    assert len(set(names)) == len(names)
    assert {b"x", b"average_sum"} <= set(names)


def test_a_model_that_is_too_large_is_refused(monkeypatch):
    layer = dense.Dense(kernel=weights(30, 40))
    graph = graph_of({"x": f32(None, 30)}, lambda x: {"y": apply(layer, x).value})
    monkeypatch.setattr(flatbuffer, "LARGEST_MODEL", 5000)
    with pytest.raises(ArtifactError, match=r"a \.tflite file holds less than 2.*quantize='float16'"):
        build(graph, "tflite")


@pytest.mark.parametrize("name", ["iris.json", "diabetes.json", "shapes.json.gz"])
def test_the_graph_of_an_artifact_is_what_is_written(name):
    """An operator a node, loops too, but for inputs, constants, and the relus that operators end with."""
    artifact = sensenet.compile(str(EXAMPLES / name), "tflite")
    tree = unpack(bytes(artifact))
    relus = (RELU.function, RELU6.function)

    def count(graph):
        regions = [region.graph for node in graph.nodes for region in regions_of(node.op)]
        written = [
            node
            for node in graph.nodes
            if not isinstance(node.op, core.Input | core.Constant)
            and not (isinstance(node.op, dense.Activation) and node.op.function in relus)
        ]
        return len(written) + sum(map(count, regions))

    operators = [
        operator
        for subgraph in tree.subgraphs
        for operator in subgraph.operators
        if operator.opcodeIndex
        not in {
            number
            for number, code in enumerate(tree.operatorCodes)
            if names_of(flatbuffer.import_schema().BuiltinOperator)[code.builtinCode] in ("RELU", "RELU6")
        }
    ]
    assert len(operators) == count(artifact.graph)
