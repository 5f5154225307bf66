"""What is written for every op, in TensorFlow.js and in TensorFlow, against the interpreter."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from attrs import evolve
from support.javascript import Node
from support.lowered import (
    ABSOLUTE,
    ACTIVATIONS,
    CONVOLUTION,
    DENSE,
    RELATIVE,
    activations_in_context,
    assert_agrees,
    build,
    graph_of_op,
    has_inputs,
)
from support.op_cases import ALL_CASES, case_name, floats, weights

from sensenet.artifact import Executable
from sensenet.backends import get_target
from sensenet.backends.tfjs.graph_def import RESULT_NAMES
from sensenet.backends.tfjs.layer_operators import FUSED
from sensenet.backends.tfjs.writer import allowed_name
from sensenet.backends.unique_names import UniqueNames
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import apply, constant
from sensenet.ir.ops import arithmetic, convolution, dense, image, rearrangement
from sensenet.ir.ops.windows import Padding
from sensenet.ir.types import Tensor, f32
from sensenet.signature import RescaleType

CASES = [*filter(has_inputs, ALL_CASES)]


@pytest.fixture(scope="module")
def node():
    process = Node()
    yield process
    process.close()


def in_node(node, artifact, directory, backend):
    """The artifact in TensorFlow.js; its loops, if any, need the asynchronous way."""
    artifact.save(directory)
    method = "predictAsync" if "StatelessWhile" in kinds(artifact) else "predict"
    return Executable(
        signature=artifact.graph.signature,
        run=lambda inputs: node.run(directory, backend, inputs, method),
    )


def nodes_of(artifact):
    topology = json.loads(artifact.files["model.json"])["modelTopology"]
    functions = topology["library"].get("function", [])
    return [*topology["node"], *(node for function in functions for node in function["nodeDef"])]


def kinds(artifact):
    return [node["op"] for node in nodes_of(artifact)]


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_every_op_agrees_in_javascript(node, tmp_path, case, backend):
    executable = in_node(node, build(case.graph(), "tfjs"), tmp_path / "model", backend)
    assert_agrees(executable, case.graph(), case.feed)


@pytest.mark.tensorflow
@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_every_op_agrees_in_tensorflow(case):
    pytest.importorskip("tensorflow")
    executable = get_target("tfjs").load(build(case.graph(), "tfjs"))
    assert_agrees(executable, case.graph(), case.feed)


LAYERS = pytest.mark.parametrize(("layer", "shape"), [(CONVOLUTION, (6, 7, 3)), (DENSE, (3,))])


@pytest.mark.tensorflow
@LAYERS
def test_activations_agree_in_tensorflow(layer, shape):
    pytest.importorskip("tensorflow")
    graph, feed = activations_in_context(layer, shape)
    assert_agrees(get_target("tfjs").load(build(graph, "tfjs")), graph, feed)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@LAYERS
def test_activations_agree_wherever_they_stand(node, tmp_path, layer, shape, backend):
    graph, feed = activations_in_context(layer, shape)
    got = in_node(node, build(graph, "tfjs"), tmp_path / "model", backend).run(feed)
    for name, want in evaluate(graph, feed).items():
        np.testing.assert_allclose(got[name], want, rtol=RELATIVE, atol=ABSOLUTE, err_msg=name)


FUSED_KINDS = {
    "_FusedMatMul": lambda function: dense.Dense(kernel=weights(3, 4), bias=weights(4), activation=function),
    "_FusedConv2D": lambda function: convolution.Convolution2D(
        kernel=weights(2, 2, 3, 4), bias=weights(4), activation=function
    ),
    "FusedDepthwiseConv2dNative": lambda function: convolution.DepthwiseConvolution2D(
        kernel=weights(2, 2, 3, 1), bias=weights(3), activation=function
    ),
}


@pytest.mark.parametrize("kind", FUSED_KINDS)
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_layers_end_with_what_the_fused_kernels_of_all_backends_have(kind, function):
    shape = (3,) if kind == "_FusedMatMul" else (5, 5, 3)
    artifact = build(graph_of_op(FUSED_KINDS[kind](function), f32(None, *shape)), "tfjs")
    (fused,) = [node for node in nodes_of(artifact) if node["op"] == kind]
    parts = [base64.b64decode(part).decode() for part in fused["attr"]["fused_ops"]["list"]["s"]]
    assert parts == ["BiasAdd", *([FUSED[function]] if function in FUSED else [])]
    assert set(FUSED.values()) <= {"Elu", "Relu", "Relu6", "Sigmoid"}


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize("kind", FUSED_KINDS)
@pytest.mark.parametrize("function", FUSED)
def test_layers_without_bias_end_with_an_activation_too(node, tmp_path, kind, function, backend):
    """The kernel gets no bias: zeros would take space, and time on the backend cpu."""
    shape = (3,) if kind == "_FusedMatMul" else (5, 5, 3)
    graph = graph_of_op(evolve(FUSED_KINDS[kind](function), bias=None), f32(None, *shape))
    artifact = build(graph, "tfjs")
    (fused,) = [node for node in nodes_of(artifact) if node["op"] == kind]
    assert len(fused["input"]) == 2
    executable = in_node(node, artifact, tmp_path / "model", backend)
    assert_agrees(executable, graph, {"x0": floats(2, *shape, scale=9.0)})


@pytest.mark.parametrize("kind", FUSED_KINDS)
def test_layers_without_bias_and_activation_are_not_fused(kind):
    shape = (3,) if kind == "_FusedMatMul" else (5, 5, 3)
    layer = evolve(FUSED_KINDS[kind](ActivationFunction.LINEAR), bias=None)
    assert kind not in kinds(build(graph_of_op(layer, f32(None, *shape)), "tfjs"))


def test_positions_are_never_taken_in_batches():
    """WebAssembly reads those of other rows than the first from wrong places."""
    artifacts = [
        build(case.graph(), "tfjs") for case in CASES if isinstance(case.op, rearrangement.TakeAlong)
    ]
    gathers = [node for each in artifacts for node in nodes_of(each) if node["op"] == "GatherV2"]
    assert gathers
    assert not any("batch_dims" in node["attr"] for node in gathers)


def test_images_are_not_rescaled_number_by_number():
    """WebAssembly computes a place for each number that GatherV2 takes."""
    op = image.Rescale(height=8, width=8, method=RescaleType.CROP)
    written = kinds(build(graph_of_op(op, f32(None, None, None, 3)), "tfjs"))
    assert "GatherV2" not in written
    assert written.count("GatherNd") == 2
    assert written.count("Transpose") == 3


def test_windows_smaller_than_their_steps_have_no_padding():
    """WebAssembly answers 0 if it has to find out that there is none."""
    op = convolution.Convolution2D(
        kernel=weights(1, 1, 3, 2), bias=weights(2), strides=(4, 4), padding=Padding.SAME
    )
    for sizes in ((9, 12), (None, None)):
        artifact = build(graph_of_op(op, f32(None, *sizes, 3)), "tfjs")
        (layer,) = [node for node in nodes_of(artifact) if node["op"] == "_FusedConv2D"]
        assert base64.b64decode(layer["attr"]["padding"]["s"]) == b"VALID"
        assert "Pad" not in kinds(artifact)


SPARSE = {
    "_FusedConv2D": lambda window: convolution.Convolution2D(
        kernel=weights(*window, 2, 3), bias=weights(3), strides=(4, 3), padding=Padding.SAME
    ),
    "FusedDepthwiseConv2dNative": lambda window: convolution.DepthwiseConvolution2D(
        kernel=weights(*window, 2, 1), bias=weights(2), strides=(4, 4), padding=Padding.SAME
    ),
}


SPARSE_LAYERS = pytest.mark.parametrize("kind", SPARSE)
WINDOWS = pytest.mark.parametrize("window", [(1, 1), (3, 1), (2, 3), (3, 5)])
ANY_SIZES = pytest.mark.parametrize("sizes", [(None, None), (None, 7), (9, 7)])


def assert_heights_agree(executable, graph, sizes):
    for height in range(4, 9) if sizes[0] is None else sizes[:1]:
        assert_agrees(executable, graph, {"x0": floats(2, height, 7, 2)})


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@SPARSE_LAYERS
@WINDOWS
@ANY_SIZES
def test_windows_smaller_than_their_steps_agree(node, tmp_path, kind, window, sizes, backend):
    graph = graph_of_op(SPARSE[kind](window), f32(None, *sizes, 2))
    executable = in_node(node, build(graph, "tfjs"), tmp_path / "model", backend)
    assert_heights_agree(executable, graph, sizes)


@pytest.mark.tensorflow
@SPARSE_LAYERS
@WINDOWS
@ANY_SIZES
def test_windows_smaller_than_their_steps_agree_in_tensorflow(kind, window, sizes):
    pytest.importorskip("tensorflow")
    graph = graph_of_op(SPARSE[kind](window), f32(None, *sizes, 2))
    assert_heights_agree(get_target("tfjs").load(build(graph, "tfjs")), graph, sizes)


def test_a_constant_is_written_once_whoever_reads_it():
    x = Tensor.float32(np.arange(20))

    def twice(value):
        sums = apply(arithmetic.Add(), value, constant(x, "a"), name="sum").value
        return apply(arithmetic.Multiply(), sums, constant(Tensor(x.array.copy()), "b"), name="product").value

    graph = graph_of_op(dense.Dense(kernel=weights(3, 20)), f32(None, 3))
    outputs = {"y": twice(graph.outputs["y0"])}
    artifact = build(type(graph).create(graph.inputs, outputs, graph.signature), "tfjs")
    assert kinds(artifact).count("Const") == 2
    (group,) = json.loads(artifact.files["model.json"])["weightsManifest"]
    assert len(group["weights"]) == 2


def test_names_are_those_that_tensorflow_allows():
    names = UniqueNames()
    wanted = ["a b:0", "a_b_0", "_x", "x", "^", "größe", "x"]
    assert [names.add(allowed_name(name)) for name in wanted] == [
        "a_b_0",
        "a_b_0_1",
        "x",
        "x_1",
        "node",
        "gr__e",
        "x_2",
    ]


@pytest.mark.tensorflow
def test_results_have_tensorflows_names():
    pytest.importorskip("tensorflow")
    from tensorflow.python.framework import op_def_registry

    written = {kind for case in CASES for kind in kinds(build(case.graph(), "tfjs"))}
    written |= RESULT_NAMES.keys()
    definitions = {kind: op_def_registry.get(kind) for kind in written}
    missing = {kind for kind, found in definitions.items() if found is None}
    assert missing <= {"FusedDepthwiseConv2dNative"}
    for kind in written - missing:
        assert definitions[kind].output_arg[0].name == RESULT_NAMES.get(kind, "output"), kind
