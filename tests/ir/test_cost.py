"""What nodes cost: against counts by hand, counted loops, and the published numbers of known networks."""

from __future__ import annotations

import re
import tracemalloc

import attrs
import pytest
from hypothesis import given
from support.op_cases import ALL_CASES, OpCase, case_name, floats, weights
from support.strategies import IMAGE_OPS, TABULAR_OPS, any_of, graphs
from support.tensor_op_cases import STEPS

from sensenet.frontend import import_graph
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.cost import (
    MULTIPLY_ADDS,
    graph_multiply_adds,
    graph_parameters,
    multiply_adds,
    parameters,
)
from sensenet.ir.graph import Graph, Node, apply
from sensenet.ir.memory import activation_bytes
from sensenet.ir.ops import (
    convolution,
    core,
    dense,
    detection,
    image,
    pooling,
    quantization,
    rearrangement,
    reduction,
    shape,
    tabular,
)
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.ops.windows import Padding
from sensenet.ir.types import DType, Tensor, TensorType, f32
from sensenet.pretrained import get_pretrained_network
from sensenet.signature import RescaleType, Signature


def node_of(op, *types: TensorType) -> Node:
    return apply(op, *(apply(core.Input(type=t)).value for t in types))


IMAGE = f32(None, 8, 6, 3)

COUNTED = (
    # op, type of the input, parameters, multiply-adds
    (dense.Dense(kernel=weights(3, 5), bias=weights(5)), f32(None, 3), 20, 15),
    (dense.Dense(kernel=weights(3, 5)), f32(None, 7, 3), 15, 7 * 15),
    (dense.Dense(kernel=weights(3, 5)), f32(2, 3), 15, 2 * 15),
    (dense.BatchedDense(kernel=weights(2, 3, 5), bias=weights(2, 5)), f32(None, 3), 40, 30),
    (dense.BatchedDense(kernel=weights(2, 3, 5)), f32(2, None, 3), 30, 30),
    (reduction.Mean(axis=1), f32(None, 4, 3), 0, 3),
    (convolution.Convolution2D(kernel=weights(3, 2, 3, 4), bias=weights(4)), IMAGE, 76, 6 * 5 * 72),
    (
        convolution.Convolution2D(kernel=weights(3, 2, 3, 4), strides=(2, 2), padding=Padding.SAME),
        IMAGE,
        72,
        4 * 3 * 72,
    ),
    (convolution.Convolution2D(kernel=weights(3, 2, 3, 4)), f32(None, None, None, 3), 72, 72),
    (convolution.DepthwiseConvolution2D(kernel=weights(3, 2, 3, 2)), IMAGE, 36, 6 * 5 * 36),
    (
        convolution.SeparableConvolution2D(
            depth_kernel=weights(3, 2, 3, 2), point_kernel=weights(1, 1, 6, 4)
        ),
        IMAGE,
        36 + 24,
        6 * 5 * (36 + 24),
    ),
    (pooling.MaxPool2D(pool_size=(2, 2), strides=(2, 2)), IMAGE, 0, 0),
    (pooling.AveragePool2D(pool_size=(2, 2), strides=(2, 2)), IMAGE, 0, 4 * 3 * 3),
    (pooling.GlobalAveragePool2D(), IMAGE, 0, 3),
    (convolution.Upsample2D(size=(2, 3)), IMAGE, 0, 0),
    (
        convolution.Upsample2D(size=(2, 3), method=convolution.UpsampleMethod.BILINEAR),
        IMAGE,
        0,
        8 * 18 * 3 + 16 * 18 * 3,
    ),
    (
        detection.DecodeBoxes(anchors=weights(2, 2), stride=1, xyscale=1.0, classes=3, input_size=8),
        f32(None, 4, 4, 16),
        4,
        32 * 15,
    ),
    (core.Constant(value=Tensor.int32([1, 2, 3])), None, 0, 0),
    (core.Constant(value=weights(2, 3)), None, 6, 0),
    (rearrangement.Gather(indices=Tensor.int32([0, 1])), f32(None, 3), 0, 0),
    (tabular.Standardize(mean=weights(3), stdev=weights(3)), f32(None, 3), 6, 3),
    (quantization.Quantize(**STEPS), f32(None, 3), 1, 3),
    (quantization.Dequantize(**STEPS), TensorType(DType.INT32, (None, 3)), 1, 3),
)


@pytest.mark.parametrize(("op", "given_type", "numbers", "products"), COUNTED)
def test_counts_by_hand(op, given_type, numbers, products):
    node = node_of(op, *([given_type] if given_type else []))
    assert (parameters(node), multiply_adds(node)) == (numbers, products)


def test_the_inner_size_of_a_product_counts():
    assert multiply_adds(node_of(dense.MatMul(), f32(2, 3, 4), f32(2, 4, 5))) == 2 * 3 * 5 * 4
    assert multiply_adds(node_of(dense.MatMul(), f32(None, None), f32(None, 5))) == 5


WITHOUT_PRODUCTS = frozenset(
    {core.Constant, tabular.EmbeddingSum, rearrangement.Gather, rearrangement.Lookup, shape.Fill}
)
"""The ops that have tensors, and only copy, look up or add their numbers."""


@pytest.mark.parametrize("op_class", OP_CLASSES, ids=lambda op_class: op_class.mnemonic())
def test_ops_with_tensors_multiply(op_class):
    has_tensors = any(re.search(r"\bTensor\b", str(field.type)) for field in attrs.fields(op_class))
    assert not has_tensors or (op_class in MULTIPLY_ADDS) != (op_class in WITHOUT_PRODUCTS), (
        f"op, step 4: count the products of {op_class.__name__} in MULTIPLY_ADDS of sensenet/ir/cost.py, "
        "or list it in WITHOUT_PRODUCTS of tests/ir/test_cost.py"
    )
    assert has_tensors or op_class not in WITHOUT_PRODUCTS


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_every_op_has_a_cost(case: OpCase):
    graph = case.graph()
    assert graph_multiply_adds(graph) == sum(map(multiply_adds, graph.nodes)) >= 0
    assert graph_parameters(graph) <= sum(map(parameters, graph.nodes))


@given(graphs(any_of(TABULAR_OPS | IMAGE_OPS)))
def test_costs_are_whole_numbers(graph):
    for node in graph.nodes:
        assert type(parameters(node)) is type(multiply_adds(node)) is int
        assert min(parameters(node), multiply_adds(node)) >= 0


def test_shared_weights_count_once():
    x = apply(core.Input(type=f32(None, 3)), name="x")
    op = dense.Dense(kernel=Tensor(floats(3, 3)))
    inner = apply(op, x.value)
    outer = apply(op, inner.value)
    graph = Graph.create([x], {"y": outer.value}, Signature())
    assert graph_parameters(graph) == 9
    assert sum(map(parameters, graph.nodes)) == 18


KNOWN = (
    # name, parameters as published with the weights, products of the layers in millions as published
    ("mobilenet", 4_253_864, 569),
    ("mobilenetv2", 3_538_984, 300),
    pytest.param("resnet50", 25_636_712, None, marks=pytest.mark.slow),
    pytest.param("xception", 22_910_480, None, marks=pytest.mark.slow),
)


@pytest.mark.parametrize(("name", "numbers", "millions"), KNOWN)
def test_costs_of_known_networks(name, numbers, millions):
    graph = import_graph(get_pretrained_network(name))
    layers = (dense.Dense, convolution.Convolution2D, convolution.DepthwiseConvolution2D)
    network = [node for node in graph.nodes if not isinstance(node.op, tabular.Standardize)]
    assert sum(map(parameters, network)) == numbers
    if millions:
        counted = sum(multiply_adds(node) for node in network if isinstance(node.op, layers))
        assert round(counted / 1e6) == pytest.approx(millions, rel=0.01)


WIDE = f32(1, 3, 100_000, 2)
SAME = Padding.SAME

WORKING = {
    "convolution": convolution.Convolution2D(kernel=weights(3, 3, 2, 2), padding=SAME),
    "strided convolution": convolution.Convolution2D(kernel=weights(3, 3, 2, 2), strides=(2, 2)),
    "depthwise": convolution.DepthwiseConvolution2D(kernel=weights(3, 3, 2, 4), padding=SAME),
    "strided depthwise": convolution.DepthwiseConvolution2D(kernel=weights(3, 3, 2, 4), strides=(2, 2)),
    "separable": convolution.SeparableConvolution2D(
        depth_kernel=weights(3, 3, 2, 8), point_kernel=weights(1, 1, 16, 1), padding=SAME
    ),
    "max pool": pooling.MaxPool2D(pool_size=(2, 3), strides=(1, 1), padding=SAME),
    "average pool": pooling.AveragePool2D(pool_size=(2, 3), strides=(1, 1), padding=SAME),
    "nearest": convolution.Upsample2D(size=(2, 2)),
    "bilinear": convolution.Upsample2D(size=(2, 2), method=convolution.UpsampleMethod.BILINEAR),
    "rescale": image.Rescale(height=9, width=90_000, method=RescaleType.CROP),
    "high depthwise": convolution.DepthwiseConvolution2D(kernel=weights(300, 1, 2, 2), padding=SAME),
    "wide depthwise": convolution.DepthwiseConvolution2D(kernel=weights(1, 20, 2, 1), padding=SAME),
    "high max pool": pooling.MaxPool2D(pool_size=(6, 3), strides=(3, 1), padding=SAME),
    "high average pool": pooling.AveragePool2D(pool_size=(6, 3), strides=(3, 1), padding=SAME),
    "mish": dense.Activation(function=ActivationFunction.MISH),
    "high gelu": convolution.Convolution2D(
        kernel=weights(200, 1, 2, 1), strides=(3, 1000), padding=SAME, activation=ActivationFunction.GELU
    ),
}


@pytest.mark.parametrize("op", WORKING.values(), ids=WORKING)
def test_an_op_takes_no_more_memory_than_its_activations_count(op):
    """A wide image of few rows is the worst case: no part of a row is computed by itself."""
    source = apply(core.Input(type=WIDE), name="x")
    graph = Graph.create([source], {"y": apply(op, source.value).value}, Signature())
    x = floats(*WIDE.shape)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    op.evaluate(x)
    most = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert most + x.nbytes <= 1.1 * activation_bytes(graph, {"x": WIDE.shape})
