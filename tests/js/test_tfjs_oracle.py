"""Graph models beside those that tensorflowjs, TensorFlow.js' own converter, makes of the same graphs."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
from support.documents import DOCUMENTS, FEATURES, convolution, dense, image, network
from support.javascript import Node

import sensenet
from sensenet.backends import get_target
from sensenet.backends.silence import silence
from sensenet.backends.tensorflow import make_function
from sensenet.compiler.pipelines import lower, optimize_graph
from sensenet.frontend import import_graph
from sensenet.passes import PIPELINES

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

TOLERANCE = {"atol": 5e-6, "rtol": 5e-5}


def fused_image():
    """A network of images with layers that the converter fuses too."""
    document = image()
    first = convolution(3, 4, activation_function="relu6", padding="same")
    layers = [first, convolution(4, 4, activation_function="relu"), {"type": "global_average_pool_2d"}]
    document["image_network"]["layers"] = layers
    document["layers"] = [dense(5, 2, "softmax")]
    return document


CASES = {
    **DOCUMENTS,
    "fused": lambda: network([dense(FEATURES, 8, "relu"), dense(8, 8, "relu6"), dense(8, 2, "softmax")]),
    "fused image": fused_image,
}

NOT_RUN = {"typed", "ensemble"}
"""The cases in which the converter fuses layers with an activation that TensorFlow.js' fused kernels lack."""


@pytest.fixture(scope="module")
def node():
    process = Node()
    yield process
    process.close()


@pytest.fixture
def converter():
    pytest.importorskip("tensorflow")
    pytest.importorskip("tensorflowjs", reason="tensorflowjs is not installed, which tests compare with")
    return importlib.import_module("tensorflowjs.converters.tf_saved_model_conversion_v2")


def convert(converter, document, directory):
    """Write what the converter makes of a document's graph, in TensorFlow's ops."""
    tf = pytest.importorskip("tensorflow")
    optimized = optimize_graph(import_graph(document), PIPELINES[2])
    graph = lower(optimized, get_target("savedmodel")).graph
    module = tf.Module()
    module.predict = make_function(tf, graph)
    saved = directory.with_name("saved")
    tf.saved_model.save(module, saved, {"tensors": module.predict.get_concrete_function()})
    with silence("tensorflow", "absl"):
        converter.convert_tf_saved_model(
            str(saved),
            str(directory),
            signature_def="tensors",
            use_structured_outputs_names=True,
            control_flow_v2=True,
        )
    name_tensors(directory / "model.json", graph)


def name_tensors(path, graph):
    """Give inputs and outputs the graph's names; the converter gives outputs some in another order."""
    model = json.loads(path.read_bytes())
    found = {part: list(entries.values()) for part, entries in model["signature"].items()}
    found["outputs"].sort(key=lambda entry: (len(entry["name"]), entry["name"]))
    names = sorted(graph.outputs)
    model["signature"] = {
        "inputs": {entry["name"].partition(":")[0]: entry for entry in found["inputs"]},
        "outputs": dict(zip(names, found["outputs"], strict=True)),
    }
    model["userDefinedMetadata"] = {"structuredOutputKeys": names}
    path.write_text(json.dumps(model))


def size_of(directory):
    return sum(path.stat().st_size for path in directory.iterdir())


@pytest.mark.parametrize("case", CASES)
def test_files_are_smaller_and_answer_as_the_converters(converter, node, tmp_path, case):
    theirs = tmp_path / "theirs"
    convert(converter, CASES[case](), theirs)
    artifact = sensenet.compile(CASES[case](), "tfjs")
    ours = artifact.save(tmp_path / "ours")
    assert size_of(ours) <= size_of(theirs)
    rng = np.random.default_rng(0)
    inputs = {}
    for given in artifact.graph.inputs:
        shape = [3, *(24 if size is None else size for size in given.types[0].shape[1:])]
        whole = rng.integers(-1, 3, shape) if len(shape) == 2 else rng.integers(0, 256, shape)
        inputs[given.name] = whole.astype(np.float32)
    method = "predictAsync" if "valid" in artifact.graph.outputs else "predict"
    if case in NOT_RUN:
        with pytest.raises(RuntimeError, match="Activation tanh has not been implemented"):
            node.run(theirs, "cpu", inputs, method)
        return
    answers, wanted = (node.run(each, "cpu", inputs, method) for each in (ours, theirs))
    assert answers.keys() == wanted.keys()
    for name, expected in wanted.items():
        np.testing.assert_allclose(answers[name], expected, **TOLERANCE)
