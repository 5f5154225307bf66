"""The versions that .tflite files declare, compared with TensorFlow's, and runs in an old runtime."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from support import documents
from support.lowered import build, graph_of, has_inputs
from support.op_cases import ALL_CASES, case_name, floats, weights

import sensenet
from sensenet.backends import get_target
from sensenet.backends.silence import silence
from sensenet.backends.tflite.flatbuffer import import_schema, kind_of, names_of, read_buffer, unpack
from sensenet.backends.tflite.versions import VERSIONS, Usage, declare_versions
from sensenet.compiler.verify.inputs import given_inputs
from sensenet.ir.graph import apply
from sensenet.ir.ops import dense
from sensenet.ir.types import f32

pytest.importorskip("ai_edge_litert")

MODES = ("none", "float16", "weights", "weights4", "dynamic", "int8", "int8x16")
UNITS = 64

OLD_PYTHON = "OLD_LITERT_PYTHON"
OLD_RUNTIME = (2, 14, 0)
"""The release of tflite-runtime in the environment whose Python the variable names."""


def find_operators(content):
    """The kind of every operator, its version, and the types of its first input and result."""
    tree = unpack(content)
    kinds = names_of(import_schema().BuiltinOperator)
    for graph in tree.subgraphs:
        for operator in graph.operators:
            tensors = (graph.tensors[each[0]] for each in (operator.inputs, operator.outputs))
            version = tree.operatorCodes[operator.opcodeIndex].version
            yield kinds[kind_of(tree, operator)], version, tuple(tensor.type for tensor in tensors)


def declared(content):
    """The highest version of each kind of operator."""
    versions = {}
    for kind, version, _ in find_operators(content):
        versions[kind] = max(version, versions.get(kind, 0))
    return versions


def oldest_runtime(content):
    """What the metadata says."""
    tree = unpack(content)
    (entry,) = [each for each in tree.metadata if each.name == b"min_runtime_version"]
    text = bytes(read_buffer(tree.buffers[entry.buffer]))
    assert len(text) == 16
    return text.rstrip(b"\0").decode()


def written_by_tensorflow(content):
    """The file as TensorFlow's exporter writes it; some operators it replaces by others."""
    from tensorflow.lite.python.convert import mlir_quantize

    tree = unpack(content)
    names = [
        graph.tensors[index].name.decode()
        for graph in tree.subgraphs
        for operator in graph.operators
        for index in operator.outputs
    ]
    with silence("tensorflow", "absl"):
        return mlir_quantize(content, denylisted_nodes=names)


def types_by_kind(content):
    """The types that operators of each kind have: TensorFlow moves pools from before `QUANTIZE` behind it."""
    types = defaultdict(set)
    for kind, _, found in find_operators(content):
        types[kind].add(found)
    return types


REWRITTEN = {"FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "SUB"}
"""What TensorFlow writes otherwise if it has 16 bits: it names the type of a bias, loses that scales are no
powers of two, and counts depthwise convolutions as the first version."""


def assert_same_versions(content):
    other = written_by_tensorflow(content)
    ours, theirs = declared(content), declared(other)
    types, others = types_by_kind(content), types_by_kind(other)
    common = {kind for kind in ours.keys() & theirs.keys() if types[kind] == others[kind]}
    int16 = import_schema().TensorType.INT16
    common -= {kind for kind in REWRITTEN if any(int16 in each for each in types[kind])}
    assert {kind: ours[kind] for kind in common} == {kind: theirs[kind] for kind in common}
    return common


@pytest.mark.tensorflow
def test_versions_of_every_op_are_those_of_tensorflow():
    pytest.importorskip("tensorflow")
    compared = set()
    for case in filter(has_inputs, ALL_CASES):
        try:
            compared |= assert_same_versions(bytes(build(case.graph(), "tflite")))
        except AssertionError as error:
            raise AssertionError(case_name(case)) from error
    assert len(compared) > 40


def perceptron(columns=4):
    """Layers large enough that every mode stores them otherwise, of channels that differ in magnitude."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=(UNITS, UNITS)) * np.exp(random.normal(0, 1.5, UNITS))
    layers = [
        documents.dense(columns, UNITS),
        {**documents.dense(UNITS, UNITS), "weights": kernel.round(4).tolist(), "offset": None},
        documents.dense(UNITS, 3, "softmax"),
    ]
    preprocess = [{"type": "numeric", "index": i, "mean": 0.0, "stdev": 1.0} for i in range(columns)]
    outputs = {"type": "categorical", "values": ["a", "b", "c"]}
    return documents.network(layers, preprocess=preprocess, output_exposition=outputs)


def convolutions():
    """An image network with large kernels of both kinds of convolutions."""
    document = documents.image()
    depthwise = {
        "type": "depthwise_convolution_2d",
        "kernel": documents.weights(3, 3, 128, 1),
        "depth_multiplier": 1,
        "bias": None,
        "strides": [1, 1],
        "padding": "same",
        "activation_function": "relu6",
    }
    document["image_network"]["layers"] = [
        documents.convolution(3, 128, activation_function="tanh"),
        depthwise,
        documents.convolution(128, 16, size=1, padding="valid", activation_function="leaky_relu"),
        {"type": "max_pool_2d", "pool_size": [2, 2], "strides": None, "padding": "same"},
        {"type": "global_average_pool_2d"},
    ]
    document["layers"] = [documents.dense(17, UNITS), documents.dense(UNITS, 2, "softmax")]
    return document


@pytest.fixture(scope="module")
def image_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(path)
    return str(path)


def find_document(kind, image_path):
    """A document and rows for it."""
    return {
        "perceptron": (perceptron(), [[1.0, -1.0, 0.5, 2.0], [0.0, 0.0, 0.0, 1.0], [3.0, 1.0, -2.0, 0.1]]),
        "forest": (documents.ensemble(), [[0.1, "red", 0.2], [0.2, "green", 0.1], [0.3, "blue", None]]),
        "image": (documents.image(), [[image_path, 1.0], [image_path, None]]),
        "convolutions": (convolutions(), [[image_path, 1.0], [image_path, None]]),
        "detector": (documents.detector(), [[image_path]]),
    }[kind]


DOCUMENTS = ("perceptron", "forest", "image", "convolutions", "detector")


@pytest.mark.tensorflow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", DOCUMENTS)
def test_versions_of_files_are_those_of_tensorflow(kind, mode, image_path):
    tf = pytest.importorskip("tensorflow")
    document, rows = find_document(kind, image_path)
    content = bytes(sensenet.compile(document, "tflite", quantize=mode, calibration=rows))
    try:
        assert_same_versions(content)
    except RuntimeError:
        if mode != "float16" or tf.__version__.startswith("2.19."):
            raise
        pytest.skip(f"the quantizer of TensorFlow {tf.__version__} refuses float16, of its own converter too")


@pytest.mark.parametrize(
    ("kind", "mode", "versions", "runtime"),
    [
        ("perceptron", "none", {"FULLY_CONNECTED": 1}, "1.14.0"),
        ("perceptron", "float16", {"FULLY_CONNECTED": 1, "DEQUANTIZE": 3}, "1.15.0"),
        ("perceptron", "weights", {"FULLY_CONNECTED": 1, "DEQUANTIZE": 5}, "2.7.0"),
        ("perceptron", "weights4", {"FULLY_CONNECTED": 1, "DEQUANTIZE": 6}, "2.18.0"),
        ("perceptron", "dynamic", {"FULLY_CONNECTED": 12}, "2.17.0"),
        ("perceptron", "int8", {"FULLY_CONNECTED": 4}, "1.14.0"),
        ("perceptron", "int8x16", {"FULLY_CONNECTED": 7, "QUANTIZE": 2, "DEQUANTIZE": 3}, "2.3.0"),
        ("convolutions", "int8x16", {"CONV_2D": 4, "DEPTHWISE_CONV_2D": 5, "TANH": 3}, "2.3.0"),
        ("convolutions", "dynamic", {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6}, "2.4.0"),
    ],
)
def test_files_declare_the_oldest_runtime(kind, mode, versions, runtime, image_path):
    document, rows = find_document(kind, image_path)
    content = bytes(sensenet.compile(document, "tflite", quantize=mode, calibration=rows))
    assert declared(content).items() >= versions.items()
    assert oldest_runtime(content) == runtime


def test_operators_of_one_kind_may_have_several_versions():
    graph = graph_of(
        {"x": f32(None, 3), "y": f32(None, 2, 3)},
        lambda x, y: {
            name: apply(dense.Dense(kernel=weights(3, 4)), value).value
            for name, value in (("flat", x), ("deep", y))
        },
    )
    tree = unpack(bytes(build(graph, "tflite")))
    assert sorted(code.version for code in tree.operatorCodes) == [1, 5]
    again = declare_versions(tree)
    assert sorted(code.version for code in again.operatorCodes) == [1, 5]
    assert [each.name for each in again.metadata].count("min_runtime_version") == 1


def usage(inputs, options=None, **more):
    plain = {"output": "FLOAT32", "rank": 2, "broadcasts": False, "per_channel": False, "rescaling": 0.0}
    return Usage(inputs=inputs, options=options, **{**plain, **more})


FLOATS = ("FLOAT32", "FLOAT32")
HYBRID = ("FLOAT32", "INT8")


@pytest.mark.parametrize(
    ("kind", "used", "expected"),
    [
        ("ADD", usage(FLOATS, rank=5, broadcasts=True), 1),
        ("SUB", usage(FLOATS, rank=5, broadcasts=True), 3),
        ("SUB", usage(FLOATS, rank=5), 1),
        ("DIV", usage(FLOATS, rank=5, broadcasts=True), 2),
        ("MAXIMUM", usage(FLOATS, rank=5, broadcasts=True), 3),
        ("MAXIMUM", usage(("INT8", "INT8"), rank=4, broadcasts=True), 2),
        ("MUL", usage(("INT8", "INT8"), rescaling=0.5), 2),
        ("MUL", usage(("INT8", "INT8"), rescaling=1.0), 3),
        ("GATHER", usage(("BOOL", "INT32"), SimpleNamespace(batchDims=0)), 3),
        ("GATHER", usage(("BOOL", "INT32"), SimpleNamespace(batchDims=1)), 5),
        ("STRIDED_SLICE", usage(("FLOAT32",), rank=5), 4),
        ("STRIDED_SLICE", usage(("BOOL",)), 3),
        ("PAD", usage(FLOATS, rank=5), 4),
        ("TRANSPOSE", usage(("FLOAT32",), rank=5), 4),
        ("TRANSPOSE", usage(("FLOAT32",), rank=6), 6),
        ("FULLY_CONNECTED", usage(HYBRID, SimpleNamespace(asymmetricQuantizeInputs=True)), 9),
        ("FULLY_CONNECTED", usage(HYBRID, SimpleNamespace(asymmetricQuantizeInputs=False)), 3),
        ("FULLY_CONNECTED", usage(HYBRID, per_channel=True), 12),
        ("CONV_2D", usage(HYBRID), 2),
        ("CONV_2D", usage(HYBRID, per_channel=True), 5),
        ("DEPTHWISE_CONV_2D", usage(HYBRID), 4),
        ("DEPTHWISE_CONV_2D", usage(HYBRID, per_channel=True), 6),
        ("BATCH_MATMUL", usage(HYBRID, SimpleNamespace(asymmetricQuantizeInputs=True)), 4),
        ("DEQUANTIZE", usage(("FLOAT16",)), 3),
        ("DEQUANTIZE", usage(("INT8",)), 2),
        ("DEQUANTIZE", usage(("INT8",), per_channel=True), 5),
        ("RELU", usage(("INT8",), output="INT8"), 2),
    ],
)
def test_versions_of_uses_that_few_models_have(kind, used, expected):
    rule, runtimes = VERSIONS[kind]
    assert rule(used) == expected
    assert expected in runtimes


FUNCTIONS = {
    "ABS": lambda tf, x: tf.abs(x),
    "ADD": lambda tf, x: x + x[:, :1],
    "ARG_MAX": lambda tf, x: tf.argmax(x, -1, tf.int32),
    "AVERAGE_POOL_2D": lambda tf, x: tf.nn.avg_pool2d(x[None, ..., None], 2, 1, "SAME"),
    "BATCH_MATMUL": lambda tf, x: tf.stack([x, x + 1]) @ tf.transpose(tf.stack([x, x * 2]), (0, 2, 1)),
    "CAST": lambda tf, x: tf.cast(x, tf.int32),
    "CONCATENATION": lambda tf, x: tf.concat([x, tf.exp(x)], -1),
    "CONV_2D": lambda tf, x: tf.nn.conv2d(x[None, ..., None], floats(2, 2, 1, 3), 1, "SAME"),
    "DEPTHWISE_CONV_2D": lambda tf, x: tf.nn.depthwise_conv2d(
        tf.reshape(x, (1, 2, 2, 3)), floats(2, 2, 3, 1), (1, 1, 1, 1), "SAME"
    ),
    "DIV": lambda tf, x: x / tf.exp(x),
    "ELU": lambda tf, x: tf.nn.elu(x),
    "EQUAL": lambda tf, x: tf.equal(x, x[:1]),
    "EXP": lambda tf, x: tf.exp(x),
    "FLOOR": lambda tf, x: tf.floor(x),
    "FULLY_CONNECTED": lambda tf, x: tf.matmul(x, floats(3, 5)) + floats(5),
    "GATHER": lambda tf, x: tf.gather(x, [1, 0], axis=1),
    "GELU": lambda tf, x: tf.nn.gelu(x),
    "GREATER": lambda tf, x: x > x[:1],
    "GREATER_EQUAL": lambda tf, x: x >= x[:1],
    "LEAKY_RELU": lambda tf, x: tf.nn.leaky_relu(x),
    "LESS": lambda tf, x: x < x[:1],
    "LESS_EQUAL": lambda tf, x: x <= x[:1],
    "LOG": lambda tf, x: tf.math.log(x),
    "LOGICAL_AND": lambda tf, x: tf.logical_and(x > 0, x < 1),
    "LOGISTIC": lambda tf, x: tf.sigmoid(x),
    "LOG_SOFTMAX": lambda tf, x: tf.nn.log_softmax(x),
    "MAXIMUM": lambda tf, x: tf.maximum(x, x[:1]),
    "MAX_POOL_2D": lambda tf, x: tf.nn.max_pool2d(x[None, ..., None], 2, 1, "SAME"),
    "MEAN": lambda tf, x: tf.reduce_mean(x, 0),
    "MINIMUM": lambda tf, x: tf.minimum(x, x[:1]),
    "MUL": lambda tf, x: x * x[:1],
    "NEG": lambda tf, x: -x,
    "NOT_EQUAL": lambda tf, x: tf.not_equal(x, x[:1]),
    "PACK": lambda tf, x: tf.stack([x, tf.exp(x)]),
    "PAD": lambda tf, x: tf.pad(x, ((0, 1), (2, 0))),
    "REDUCE_ANY": lambda tf, x: tf.reduce_any(x > 0, 0),
    "REDUCE_MAX": lambda tf, x: tf.reduce_max(x, 0),
    "REDUCE_MIN": lambda tf, x: tf.reduce_min(x, 0),
    "RELU": lambda tf, x: tf.nn.relu(x),
    "RELU6": lambda tf, x: tf.nn.relu6(x),
    "RESHAPE": lambda tf, x: tf.reshape(x, (2, 6)),
    "RESIZE_BILINEAR": lambda tf, x: tf.image.resize(x[None, ..., None], (5, 5)),
    "RESIZE_NEAREST_NEIGHBOR": lambda tf, x: tf.image.resize(x[None, ..., None], (5, 5), "nearest"),
    "ROUND": lambda tf, x: tf.round(x),
    "RSQRT": lambda tf, x: tf.math.rsqrt(x),
    "SELECT_V2": lambda tf, x: tf.where(x > 0, x, x[:1]),
    "SLICE": lambda tf, x: tf.slice(x, (0, 1), (2, 2)),
    "SOFTMAX": lambda tf, x: tf.nn.softmax(x),
    "SQRT": lambda tf, x: tf.sqrt(x),
    "SQUARE": lambda tf, x: tf.square(x),
    "STRIDED_SLICE": lambda tf, x: x[:, ::2],
    "SUB": lambda tf, x: x - x[:1],
    "SUM": lambda tf, x: tf.reduce_sum(x, 0),
    "TANH": lambda tf, x: tf.tanh(x),
    "TRANSPOSE": lambda tf, x: tf.transpose(x),
}


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_runtimes_are_those_of_tensorflow(kind):
    """What TensorFlow's converter makes of a function, and the oldest runtime that it claims."""
    tf = pytest.importorskip("tensorflow")
    function = tf.function(lambda x: FUNCTIONS[kind](tf, x), [tf.TensorSpec((4, 3), tf.float32)])
    with silence("tensorflow", "absl"):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
        content = bytes(converter.convert())
    versions = declared(content)
    assert kind in versions
    ours = [VERSIONS[name][1][version] for name, version in versions.items()]
    assert max(ours, key=as_numbers) == oldest_runtime(content)


def as_numbers(runtime):
    return tuple(map(int, runtime.split(".")))


TOLERANCES = {
    "none": 1e-4,
    "float16": 1e-4,
    "weights": 1e-4,
    "weights4": 1e-4,
    "dynamic": 0.01,
    "int8": 0.03,
    "int8x16": 1e-3,
}
"""Between runtimes: they round to 8 bits differently."""

PROGRAM = """
import sys, numpy
from tflite_runtime.interpreter import Interpreter
path, inputs, outputs = sys.argv[1:]
runner = Interpreter(model_path=path).get_signature_runner()
numpy.savez(outputs, **runner(**numpy.load(inputs)))
"""


@pytest.mark.skipif(OLD_PYTHON not in os.environ, reason=f"{OLD_PYTHON} is not set")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", DOCUMENTS)
def test_an_old_runtime_answers_as_a_new_one_or_refuses(kind, mode, image_path, tmp_path):
    """It runs what claims to run there, and refuses what claims to need a newer one."""
    document, rows = find_document(kind, image_path)
    artifact = sensenet.compile(document, "tflite", quantize=mode, calibration=rows)
    executable = get_target("tflite").load(artifact)
    (feed,) = given_inputs(executable.signature, rows)
    np.savez(tmp_path / "inputs.npz", **feed)
    path = artifact.save(tmp_path / "model.tflite")
    command = [os.environ[OLD_PYTHON], "-I", "-c", PROGRAM, path, tmp_path / "inputs.npz", tmp_path / "o.npz"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if as_numbers(oldest_runtime(bytes(artifact))) > OLD_RUNTIME:
        assert "version" in process.stderr
        assert process.returncode == 1
        return
    assert process.returncode == 0, process.stderr
    found, expected = dict(np.load(tmp_path / "o.npz")), executable.run(feed)
    assert found.keys() == expected.keys()
    for name, answer in expected.items():
        np.testing.assert_allclose(found[name], answer, rtol=1e-3, atol=TOLERANCES[mode])
