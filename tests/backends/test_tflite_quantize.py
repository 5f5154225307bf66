"""Quantized .tflite files: their size, how far off they are, and what is never rounded."""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.documents import FEATURES, dense, ensemble, image, network
from support.lowered import build, graph_of

import sensenet
from sensenet.backends import get_target
from sensenet.backends.tflite.flatbuffer import import_schema, kind_of, names_of, pack, unpack
from sensenet.backends.tflite.storage import KERNEL
from sensenet.backends.tflite.verify import verify
from sensenet.cli.compile import main
from sensenet.errors import ArtifactError, InputError, UnknownTargetError
from sensenet.ir.graph import apply
from sensenet.ir.ops.dense import Dense
from sensenet.ir.types import Tensor, f32
from sensenet.models.wrappers import create_model

pytest.importorskip("ai_edge_litert")

MODES = ("float16", "weights", "weights4", "dynamic", "int8", "int8x16", "auto")
COLUMNS, UNITS = 12, 64
THRESHOLD_ROWS = [[0.1, "red", 0.2], [0.2, "green", 0.1], [0.3, "blue", 0.3], [None, None, None]]


def perceptron(random, inputs):
    """Two hidden layers and a small last one."""

    def layer(inputs, units, activation):
        kernel = random.normal(size=(inputs, units)) * np.sqrt(2 / inputs)
        return {**dense(inputs, units, activation), "weights": kernel.tolist()}

    return network([layer(inputs, UNITS, "relu"), layer(UNITS, UNITS, "relu"), layer(UNITS, 2, "softmax")])


def wide():
    """A network on columns from 0.01 to 1,000 wide."""
    random = np.random.default_rng(0)
    scales = 10.0 ** (np.arange(COLUMNS) % 6 - 2)
    document = perceptron(random, COLUMNS)
    document["preprocess"] = [
        {"type": "numeric", "index": index, "mean": scale, "stdev": scale}
        for index, scale in enumerate(scales.tolist())
    ]
    rows = scales + scales * random.normal(size=(100, COLUMNS))
    return document, rows.tolist()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of images of two sizes."""
    directory = tmp_path_factory.mktemp("images")
    for number, size in enumerate([(8, 6), (30, 20), (8, 6)]):
        pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(directory / f"{number}.png")
    return directory


def compiled(document, mode, rows):
    return sensenet.compile(document, "tflite", quantize=mode, calibration=rows)


def kind(tree, operator):
    """The name of an operator in the schema."""
    return names_of(import_schema().BuiltinOperator)[kind_of(tree, operator)]


def operators(model, *names):
    """The main graph's ops of some kinds, with it."""
    tree = unpack(model)
    main_graph = tree.subgraphs[0]
    return tree, main_graph, [each for each in main_graph.operators if kind(tree, each) in names]


@pytest.mark.parametrize(
    ("mode", "share", "difference"),
    [
        ("float16", 0.8, 2e-3),
        ("weights", 0.6, 0.05),
        ("weights4", 0.5, 0.2),
        ("dynamic", 0.6, 0.05),
        ("int8", 0.65, 0.05),
        ("int8x16", 0.65, 0.01),
    ],
)
def test_files_shrink_and_answers_stay_close(mode, share, difference):
    document, rows = wide()
    exact, artifact = compiled(document, "none", rows), compiled(document, mode, rows)
    assert len(bytes(artifact)) < share * len(bytes(exact))
    outcome = artifact.report.verification
    assert outcome.rows == len(rows)
    assert exact.report.verification.difference < 1e-5 < outcome.difference < difference
    expected = create_model(document)(rows)
    found = np.abs(create_model(artifact)(rows) - expected).max()
    assert found == pytest.approx(outcome.difference, abs=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_a_layer_that_reads_columns_keeps_its_weights(mode):
    document, rows = wide()
    schema = import_schema()
    kernels = []
    for each in ("none", mode):
        tree, graph, layers = operators(bytes(compiled(document, each, rows)), "FULLY_CONNECTED")
        tensor = graph.tensors[layers[0].inputs[KERNEL]]
        assert tensor.type == schema.TensorType.FLOAT32
        kernels.append(bytes(tree.buffers[tensor.buffer].data))
    assert kernels[0] == kernels[1]


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_layers_behind_a_table_are_stored_in_fewer_bits(mode, columns):
    """The table itself, in which categories are looked up, keeps its weights."""
    random = np.random.default_rng(0)
    values = [f"value {number}" for number in range(300)]
    document = perceptron(random, 300 * columns)
    document["preprocess"] = [
        {"type": "categorical", "index": index, "values": values} for index in range(columns)
    ]
    rows = random.choice(values, size=(50, columns)).tolist()
    schema, artifact = import_schema(), compiled(document, mode, rows)
    tree, graph, tables = operators(bytes(artifact), "GATHER")
    assert [graph.tensors[op.inputs[0]].type for op in tables] == [schema.TensorType.FLOAT32]
    assert (
        len(bytes(tree.buffers[graph.tensors[tables[0].inputs[0]].buffer].data)) > 300 * columns * UNITS * 4
    )
    tree, graph, layers = operators(bytes(artifact), "FULLY_CONNECTED")
    kernel = graph.tensors[layers[0].inputs[KERNEL]]
    stored = schema.TensorType.INT4 if mode == "weights4" else schema.TensorType.INT8
    assert tree.buffers[kernel.buffer].data is None or kernel.type == stored
    tolerance = 0.2 if mode == "weights4" else 0.05
    np.testing.assert_allclose(create_model(artifact)(rows), create_model(document)(rows), atol=tolerance)


@pytest.mark.parametrize("mode", MODES)
def test_forests_stay_exact(mode):
    """Thresholds and all that a forest is made of, so that no row goes another way."""
    schema = import_schema()
    names = ("LESS_EQUAL", "GREATER", "BATCH_MATMUL")
    contents = []
    for each in ("none", mode):
        tree, graph, forest = operators(bytes(compiled(ensemble(), each, THRESHOLD_ROWS)), *names)
        assert {kind(tree, op) for op in forest} == set(names)
        tensors = [graph.tensors[index] for op in forest for index in op.inputs]
        assert {tensor.type for tensor in tensors} == {schema.TensorType.FLOAT32}
        buffers = [tree.buffers[tensor.buffer].data for tensor in tensors]
        contents.append([bytes(data) for data in buffers if data is not None])
    assert contents[0] == contents[1]


def test_int8_leaves_steep_functions_in_float(images):
    """The document's mish is e^x, sums, products and a division."""
    rows = [[str(path), 1.0] for path in sorted(images.iterdir())]
    artifact = compiled(image(), "int8", rows)
    schema = import_schema()
    tree, graph, steep = operators(bytes(artifact), "EXP", "DIV")
    assert any(kind(tree, each) == "EXP" for each in steep)
    types = {graph.tensors[index].type for each in steep for index in (*each.inputs, *each.outputs)}
    assert types <= {schema.TensorType.FLOAT32, schema.TensorType.INT32}
    _, graph, layers = operators(bytes(artifact), "CONV_2D", "DEPTHWISE_CONV_2D")
    kernels = [graph.tensors[each.inputs[KERNEL]] for each in layers]
    assert {tensor.type for tensor in kernels} == {schema.TensorType.INT8}
    assert artifact.report.verification.rows == len(rows)


def network_with_a_dead_layer():
    """Three layers, the units of the second of which are all 0; rows."""
    layers = [dense(FEATURES, 4, "relu"), dense(4, 4, "relu"), dense(4, 2, "softmax")]
    layers[1]["offset"] = [-1000.0] * 4
    return network(layers), [[float(number), 1.0, 2.0] for number in range(20)]


def test_a_layer_whose_units_are_all_0_is_quantized_so_that_kernels_take_it():
    document, rows = network_with_a_dead_layer()
    artifact = compiled(document, "int8", rows)
    assert artifact.report.verification.difference < 1e-3
    np.testing.assert_allclose(create_model(artifact)(rows), create_model(document)(rows), atol=1e-3)


def test_a_layer_with_much_finer_steps_than_it_is_computed_from_is_refused():
    document, rows = network_with_a_dead_layer()
    tree, graph, layers = operators(bytes(compiled(document, "int8", rows)), "FULLY_CONNECTED")
    verify(bytes(pack(tree)), "the file")
    graph.tensors[layers[1].outputs[0]].quantization.scale = np.array([1e-30], np.float32)
    with pytest.raises(ArtifactError, match="the scales of FULLY_CONNECTED"):
        verify(bytes(pack(tree)), "the file")


@pytest.mark.parametrize(("mode", "most"), [("weights", 127), ("weights4", 7)])
@pytest.mark.parametrize("units", [61, 64])
def test_layers_compute_with_the_weights_that_are_stored(mode, most, units):
    """Of 4 bits, two to a byte, the first in the lower half; their number may be odd."""
    random = np.random.default_rng(3)
    kernel = (random.normal(size=(UNITS + 1, units)) * np.exp(random.normal(size=units))).astype(np.float32)
    graph = graph_of(
        {"x": f32(None, UNITS + 1)}, lambda x: {"y": apply(Dense(kernel=Tensor(kernel)), x).value}
    )
    artifact = build(graph, "tflite", quantize=mode)
    tree, main_graph, layers = operators(bytes(artifact), "DEQUANTIZE")
    tensor = main_graph.tensors[layers[0].inputs[0]]
    stored = np.frombuffer(bytes(tree.buffers[tensor.buffer].data), np.int8)
    if mode == "weights4":
        assert stored.size == -(-kernel.size // 2)
        stored = np.stack([stored << 4 >> 4, stored >> 4], axis=1).reshape(-1)[: kernel.size]
    weights = stored.reshape(tensor.shape).T * tensor.quantization.scale
    assert np.abs(stored).max() == most
    x = random.normal(size=(9, UNITS + 1)).astype(np.float32)
    found = get_target("tflite").load(artifact).run({"x": x})["y"]
    np.testing.assert_allclose(found, x @ weights, rtol=1e-4, atol=1e-4)


def test_inputs_and_outputs_stay_float32_and_the_file_keeps_its_metadata(tmp_path):
    document, rows = wide()
    path = compiled(document, "int8", rows).save(tmp_path / "m.tflite")
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    runner = litert.Interpreter(model_path=str(path)).get_signature_runner("serving_default")
    details = [*runner.get_input_details().values(), *runner.get_output_details().values()]
    assert {detail["dtype"] for detail in details} == {np.float32}
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode().split() == ["yes", "no"]
        assert json.loads(archive.read("sensenet.json"))["classes"] == ["yes", "no"]
    assert create_model(path)(rows).shape == (len(rows), 2)


def test_the_metadata_tools_read_the_file():
    """Where MediaPipe is installed: it is no dependency."""
    metadata = pytest.importorskip("mediapipe.tasks.python.metadata.metadata")
    document, rows = wide()
    displayer = metadata.MetadataDisplayer.with_model_buffer(bytes(compiled(document, "none", rows)))
    described = json.loads(displayer.get_metadata_json())["subgraph_metadata"][0]
    assert described["output_tensor_metadata"][0]["associated_files"][0]["name"] == "labels.txt"
    assert sorted(displayer.get_packed_associated_file_list()) == ["labels.txt", "sensenet.json"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantize": "int4"}, "expected one of none, "),
        ({"quantize": "int8"}, "'int8' chooses from calibration rows"),
        ({"quantize": "int8x16"}, "'int8x16' chooses|expected one of"),
        ({"quantize": "auto"}, "'auto' chooses from calibration rows"),
        ({"quantise": "int8"}, "did you mean 'quantize'"),
        ({"max_difference": 0.1}, "max_difference is a budget of quantize='auto', but quantize is 'none'"),
        ({"quantize": "int8", "min_agreement": 0.9}, "min_agreement is a budget of quantize='auto'"),
        ({"quantize": "auto", "max_difference": 0}, "max_difference is 0; expected a number above 0"),
        ({"quantize": "auto", "max_difference": True}, "max_difference is True; expected a number"),
        ({"quantize": "auto", "max_difference": math.nan}, "max_difference is nan; expected a number"),
        ({"quantize": "auto", "max_difference": "small"}, "expected a number above 0"),
        ({"quantize": "auto", "min_agreement": 1.01}, "expected a number above 0, at most 1"),
    ],
)
def test_wrong_options_are_refused_before_the_document_is_read(options, message):
    with pytest.raises(UnknownTargetError, match=message):
        sensenet.compile("missing.json", "tflite", **options)
    with pytest.raises(UnknownTargetError, match=message):
        sensenet.compile("missing.json", "c", **options)


def test_calibration_rows_are_read_before_anything_is_optimized(tmp_path):
    with pytest.raises(InputError, match=r"rows\.csv cannot be read"):
        sensenet.compile("missing.json", "tflite", quantize="auto", calibration=tmp_path / "rows.csv")
    stages = []
    with pytest.raises(InputError, match="row 0"):
        sensenet.compile(
            ensemble(),
            "tflite",
            quantize="int8",
            calibration=[["x", "red", 1]],
            observe=lambda stage, _: stages.append(stage),
        )
    assert stages == ["imported"]
    with pytest.raises(UnknownTargetError, match="no option 'calibration'"):
        sensenet.compile("missing.json", "numpy", calibration=THRESHOLD_ROWS)


# Auto.


@pytest.mark.parametrize("bounds", [{}, {"max_difference": 0.02}, {"min_agreement": 1}])
def test_a_budget_holds_in_litert_and_the_report_says_which_layers_are_int8(bounds):
    document, rows = wide()
    artifact = sensenet.compile(document, "tflite", quantize="auto", calibration=rows, **bounds)
    schemes = [each.scheme for each in artifact.report.layers]
    expected, found = create_model(document)(rows), create_model(artifact)(rows)
    if "min_agreement" in bounds:
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
    else:
        assert artifact.report.verification.difference <= bounds.get("max_difference", 0.01)
    tree, graph, layers = operators(bytes(artifact), "FULLY_CONNECTED")
    types = {"int8": import_schema().TensorType.INT8, "float32": import_schema().TensorType.FLOAT32}
    kernels = [graph.tensors[each.inputs[KERNEL]] for each in layers]
    assert [tensor.type for tensor in kernels[1:]] == [types[scheme] for scheme in schemes]
    for kernel, each in zip(kernels[1:], artifact.report.layers, strict=True):
        scales = 0 if kernel.quantization is None else len(kernel.quantization.scale)
        offsets = kernel.shape[0]
        assert each.size == len(tree.buffers[kernel.buffer].data) + 4 * scales + 4 * offsets


def test_the_budget_of_classes_is_refused_if_there_are_none():
    document, rows = wide()
    document["output_exposition"] = {"type": "numeric", "mean": 0, "stdev": 1}
    document["layers"][-1]["weights"] = [row[:1] for row in document["layers"][-1]["weights"]]
    document["layers"][-1] |= {"offset": [0.0], "activation_function": "linear"}
    with pytest.raises(UnknownTargetError, match="name none: give max_difference"):
        sensenet.compile(document, "tflite", quantize="auto", min_agreement=0.9, calibration=rows)
    artifact = sensenet.compile(document, "tflite", quantize="auto", max_difference=0.05, calibration=rows)
    assert artifact.report.verification.difference <= 0.05


def test_the_command_line_lists_layers(tmp_path, capsys):
    examples = Path(__file__).parents[2] / "examples"
    given = ["--option", "quantize=auto", "--calibration", str(examples / "iris.csv")]
    output = ["-t", "tflite", "-o", str(tmp_path / "m.tflite")]
    assert main([str(examples / "iris.json"), *output, *given]) == 0
    header, layer, outcome = capsys.readouterr().err.splitlines()
    assert header.split() == ["layer", "stored", "as", "bytes", "effect"]
    assert layer.split()[1:3] == ["int8", "48"]
    assert outcome.startswith("tflite: largest difference")


def test_the_command_line_calibrates_from_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stream = io.StringIO()
    csv.writer(stream).writerows([["width", "colour", "switch"], *THRESHOLD_ROWS])
    (tmp_path / "rows.csv").write_text(stream.getvalue())
    (tmp_path / "m.json").write_text(json.dumps(ensemble()))
    arguments = ["m.json", "-t", "tflite", "--option", "quantize=int8"]
    assert main(arguments) == 1
    assert "--calibration" in capsys.readouterr().err
    assert main([*arguments, "--calibration", "rows.csv"]) == 0
    assert "tflite: largest difference" in capsys.readouterr().err
    assert (tmp_path / "m.tflite").is_file()
