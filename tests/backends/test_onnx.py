"""The target onnx: onnxruntime answers as the interpreter does, with standard operators only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.documents import DOCUMENTS
from support.lowered import (
    CONVOLUTION,
    DENSE,
    activations_in_context,
    assert_agrees,
    build,
    graph_of,
    graph_of_op,
    has_inputs,
    run,
)
from support.op_cases import ALL_CASES, case_name, floats, weights

import sensenet
from sensenet.backends.onnx import TARGET, convert, names
from sensenet.backends.onnx.verify import OPERATORS, parse
from sensenet.errors import ArtifactError, InputError, UnknownTargetError
from sensenet.ir.graph import apply, constant
from sensenet.ir.ops import (
    arithmetic,
    convolution,
    dense,
    detection,
    elementwise,
    image,
    pooling,
    rearrangement,
    reduction,
    shape,
)
from sensenet.ir.ops.windows import Padding
from sensenet.ir.types import DType, Tensor, TensorType, f32
from sensenet.signature import RescaleType

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

EXAMPLES = Path(__file__).parents[2] / "examples"
SOURCES = [*sorted(DOCUMENTS), "iris.json", "diabetes.json", "shapes.json.gz"]


def source(name):
    return DOCUMENTS[name]() if name in DOCUMENTS else str(EXAMPLES / name)


def graphs(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)


def check(content):
    """Raise unless ONNX's own checker and strict shape inference take a file."""
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    for graph in graphs(model.graph):
        for node in graph.node:
            assert {each.name for each in node.attribute} <= OPERATORS[node.op_type]
            assert not node.domain


@pytest.mark.parametrize("case", [*filter(has_inputs, ALL_CASES)], ids=case_name)
def test_every_op_agrees_with_the_interpreter(case):
    artifact = build(case.graph(), "onnx")
    check(bytes(artifact))
    assert_agrees(TARGET.load(artifact), case.graph(), case.feed)


@pytest.mark.parametrize("opset", names.IR_VERSIONS)
@pytest.mark.parametrize("name", SOURCES)
def test_every_document_passes_the_checker_in_every_operator_set(name, opset, tmp_path):
    artifact = sensenet.compile(source(name), "onnx", opset=opset)
    check(bytes(artifact))
    model = parse(bytes(artifact), "the file")
    assert [each.version for each in model.opset_import] == [opset]
    assert model.ir_version == onnx.helper.find_min_ir_version_for(model.opset_import)
    sensenet.create_model(artifact.save(tmp_path / "model.onnx"))


@pytest.mark.parametrize("name", SOURCES)
def test_every_node_has_a_name_of_its_own(name):
    """Without, onnxruntime 1.18 to 1.20 names nodes alike that it makes of others, and refuses the file."""
    model = parse(bytes(sensenet.compile(source(name), "onnx")), "the file")
    named = [node.name for graph in graphs(model.graph) for node in graph.node]
    assert all(named)
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_document_gives_the_same_bytes(name):
    first, second = (bytes(sensenet.compile(source(name), "onnx")) for _ in range(2))
    assert first == second


def test_no_operator_is_allowed_that_is_not_written():
    """Each of them is in the file of an op, at least."""
    written = {
        node.op_type
        for case in filter(has_inputs, ALL_CASES)
        for graph in graphs(parse(bytes(build(case.graph(), "onnx")), "the file").graph)
        for node in graph.node
    }
    assert written == set(OPERATORS)


@pytest.mark.parametrize(("layer", "size"), [(CONVOLUTION, (6, 7, 3)), (DENSE, (3,))])
def test_activations_agree_wherever_they_are(layer, size):
    graph, feed = activations_in_context(layer, size)
    assert_agrees(run(graph, "onnx"), graph, feed)


@pytest.mark.parametrize("case", [*filter(has_inputs, ALL_CASES)], ids=case_name)
def test_batches_without_rows_agree(case):
    if case.batch and all(x.ndim for x in case.inputs):
        executable, graph = run(case.graph(), "onnx"), case.graph()
        feed = {name: x[:0] for name, x in case.feed.items()}
        results = executable.run(feed)
        for name, value in graph.outputs.items():
            if value.type.shape[:1] == (None,):
                assert len(results[name]) == 0


@pytest.mark.parametrize("method", RescaleType)
@pytest.mark.parametrize("size", [(12, 7), (3, 20), (8, 8), (40, 9)])
def test_images_of_any_size_are_rescaled_exactly(method, size):
    graph = graph_of_op(image.Rescale(height=8, width=8, method=method), f32(None, None, None, 3))
    feed = {"x0": np.random.default_rng(7).integers(0, 256, (2, *size, 3)).astype(np.float32)}
    assert_agrees(run(graph, "onnx"), graph, feed, exactly=method is not RescaleType.PAD)


def test_images_are_not_rescaled_pixel_by_pixel():
    """Along the third axis, onnxruntime copies each pixel by itself: that takes twice as long."""
    op = image.Rescale(height=8, width=8, method=RescaleType.CROP)
    content = bytes(build(graph_of_op(op, f32(None, None, None, 3)), "onnx"))
    gathers = [node for node in onnx.load_from_string(content).graph.node if node.op_type == "Gather"]
    assert [node.attribute[0].i for node in gathers] == [1, 1]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("stride", [1, 2, 5])
@pytest.mark.parametrize("window", [1, 3, 4])
def test_windows_agree_whether_sizes_are_known_or_not(window, stride, known):
    kernel = weights(window, window, 2, 2)
    sized = {"strides": (stride, stride), "padding": Padding.SAME}
    sizes = (7, 10) if known else (None, None)
    layers = {
        "conv": convolution.Convolution2D(kernel=kernel, **sized),
        "depthwise": convolution.DepthwiseConvolution2D(kernel=kernel, **sized),
        "max": pooling.MaxPool2D(pool_size=(window, window), **sized),
        "average": pooling.AveragePool2D(pool_size=(window, window), **sized),
    }
    graph = graph_of(
        {"x": f32(None, *sizes, 2)},
        lambda x: {name: apply(layer, x).value for name, layer in layers.items()},
    )
    assert_agrees(run(graph, "onnx"), graph, {"x": floats(2, 7, 10, 2)})


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (4, 6), (17, 2), (9, 31)])
def test_the_nearest_pixels_are_the_interpreters(size):
    given = {"x": f32(None, None, None, 1), "size": TensorType(DType.INT32, (2,))}
    op = shape.Resize2D(method=convolution.UpsampleMethod.NEAREST)
    graph = graph_of(given, lambda x, size: {"y": apply(op, x, size).value})
    feed = {"x": floats(2, 9, 6, 1), "size": np.asarray(size, np.int32)}
    assert_agrees(run(graph, "onnx"), graph, feed, exactly=True)


def test_halves_are_rounded_to_even_and_floats_are_cut():
    x = np.float32([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 1e30, -3.99, 3.99]])
    graph = graph_of(
        {"x": f32(None, 9)},
        lambda x: {
            "rounded": apply(elementwise.Round(), x).value,
            "cut": apply(
                arithmetic.Cast(dtype=DType.INT32), apply(rearrangement.Slice(start=7, stop=9), x).value
            ).value,
        },
    )
    assert_agrees(run(graph, "onnx"), graph, {"x": x}, exactly=True)


def test_quotients_are_those_of_division():
    """Not products with reciprocals, which send rows the other way in trees."""
    x = np.random.default_rng(3).uniform(1, 2, (50, 40)).astype(np.float32)
    divisor = constant(Tensor.float32(np.linspace(3, 9, 40)))
    graph = graph_of({"x": f32(None, 40)}, lambda x: {"y": apply(arithmetic.Divide(), x, divisor).value})
    assert_agrees(run(graph, "onnx"), graph, {"x": x}, exactly=True)


@pytest.mark.parametrize(
    "op",
    [
        arithmetic.Maximum(),
        arithmetic.Minimum(),
        arithmetic.Add(),
        arithmetic.Greater(),
        arithmetic.Equal(),
    ],
)
def test_nan_counts_as_in_the_interpreter(op):
    graph = graph_of_op(op, f32(None, 4), f32(None, 4))
    x = np.float32([[np.nan, 1, np.nan, 2]])
    assert_agrees(run(graph, "onnx"), graph, {"x0": x, "x1": x[:, ::-1] * 2}, exactly=True)


@pytest.mark.parametrize("rows", [1, 2, 5000])
def test_many_rows_are_answered_in_blocks(rows):
    graph = graph_of_op(dense.Dense(kernel=weights(3, 2)), f32(None, 3))
    assert_agrees(run(graph, "onnx"), graph, {"x0": floats(rows, 3)})


def test_inputs_of_other_types_are_refused():
    executable = run(graph_of_op(dense.Dense(kernel=weights(3, 2)), f32(None, 3)), "onnx")
    with pytest.raises(InputError):
        executable.run({"x0": floats(2, 4)})
    with pytest.raises(InputError):
        executable.run({})


def test_what_onnxruntime_refuses_is_an_input_error():
    graph = graph_of_op(arithmetic.Add(), f32(None, None), f32(None, None))
    with pytest.raises(InputError, match="onnxruntime refused inputs of these shapes"):
        run(graph, "onnx").run({"x0": floats(2, 3), "x1": floats(2, 2)})


def test_suppression_is_one_loop_in_the_graph():
    op = detection.SuppressBoxes(score_threshold=0.5, iou_threshold=0.5, max_objects=10)
    graph = graph_of_op(op, f32(None, 6, 4), f32(None, 6), TensorType(DType.INT32, (None, 6)))
    kinds = [node.op_type for node in parse(bytes(build(graph, "onnx")), "the file").graph.node]
    assert kinds.count("Loop") == 1


def test_equal_constants_are_stored_once():
    table = constant(Tensor.float32(floats(100)))
    other = constant(Tensor.float32(floats(100)))
    graph = graph_of(
        {"x": f32(None, 100)},
        lambda x: {
            "a": apply(arithmetic.Add(), x, table).value,
            "b": apply(arithmetic.Multiply(), x, other).value,
        },
    )
    assert len(parse(bytes(build(graph, "onnx")), "the file").graph.initializer) == 1


def test_inputs_and_outputs_have_the_names_and_types_of_the_graph():
    graph = graph_of({"y": f32(None, 3)}, lambda x: {"node": x, "again": x})
    model = parse(bytes(build(graph, "onnx")), "the file")
    assert [each.name for each in model.graph.input] == ["y"]
    assert [each.name for each in model.graph.output] == ["node", "again"]
    (batch, width) = model.graph.input[0].type.tensor_type.shape.dim
    assert (batch.dim_param, width.dim_value) == (convert.BATCH, 3)
    assert_agrees(TARGET.load(build(graph, "onnx")), graph, {"y": floats(2, 3)})


def test_an_operator_set_that_is_not_written_is_refused():
    with pytest.raises(UnknownTargetError, match="the option opset is 17; expected one of 18, 19, 20, 21"):
        sensenet.compile(source("iris.json"), "onnx", opset=17)


def test_a_model_that_is_too_large_is_refused(monkeypatch):
    graph = graph_of_op(dense.Dense(kernel=weights(30, 40)), f32(None, 30))
    monkeypatch.setattr(convert, "LARGEST_MODEL", 3000)
    with pytest.raises(ArtifactError, match=r"an \.onnx file holds less than 2 GiB"):
        build(graph, "onnx")


def test_reductions_along_no_axis_leave_numbers_alone():
    graph = graph_of_op(reduction.ReduceSum(axes=()), f32(None, 3))
    assert_agrees(run(graph, "onnx"), graph, {"x0": floats(2, 3)}, exactly=True)


@pytest.mark.parametrize("name", SOURCES)
def test_reductions_keep_their_axes(name):
    """OpenVINO fuses others with the arithmetic after them, and combines wrong numbers."""
    model = parse(bytes(sensenet.compile(source(name), "onnx")), "the file")
    nodes = [
        node for graph in graphs(model.graph) for node in graph.node if node.op_type.startswith("Reduce")
    ]
    for node in nodes:
        assert {each.name: each.i for each in node.attribute}["keepdims"] == 1
