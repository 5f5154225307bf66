"""The seven topologies in the targets, and recorded answers of three of them with drawn weights."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from support.conformance import IMAGES, as_cell, read_recorded

import sensenet
from sensenet.backends import get_target
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.ir.ops.dense import BatchNormalization
from sensenet.models.wrappers import create_image_feature_extractor, create_model
from sensenet.pretrained import NETWORKS, get_pretrained_network
from sensenet.signature import PIXEL_INPUT, PREDICTIONS, VALID

SHARE = 1e-3
"""Of a sample's standard deviation: what recorded answers may differ by."""


SPREADS = {
    "bias": lambda shape: 0.1,
    "offset": lambda shape: 0.1,
    "beta": lambda shape: 0.1,
    "mean": lambda shape: 0.1,
    "kernel": lambda shape: np.sqrt(2 / np.prod(shape[:-1])),
    "depthwise_kernel": lambda shape: np.sqrt(2 / np.prod(shape[:2])),
    "depth_kernel": lambda shape: np.sqrt(1 / np.prod(shape[:2])),
    "point_kernel": lambda shape: np.sqrt(2 / shape[2]),
    "weights": lambda shape: 1 / np.sqrt(shape[0]),
}
"""What normal numbers are multiplied by, for each kind of weight."""


def draw(name, kind, shape):
    """A weight of the recorded networks, before it is scaled for a head; `name` seeds it."""
    z = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if kind == "gamma":
        return 1 + 0.1 * z
    return np.exp(0.2 * z) if kind == "variance" else z * SPREADS[kind](shape)


def drawn_document(name, recorded):
    """The topology with the weights of the recipe."""
    document = get_pretrained_network(name)
    network = document["image_network"]
    outputs = network["metadata"].get("outputs")  # of a classifier, the number of its features
    branches = {branch["input"] for branch in outputs} if isinstance(outputs, list) else set()
    for section, index, key, shape in recorded["weights"]:
        layer = (network["layers"] if section == "image" else document["layers"])[index]
        kind = f"depthwise_{key}" if layer["type"].startswith("depthwise") and key == "kernel" else key
        weight = draw(f"{name}/{section}/{index}/{key}", kind, shape)
        if key == "weights" or (key == "kernel" and index in branches):
            weight = weight * recorded["head_scale"]
        layer[key] = weight.astype(np.float32).tolist()
    return document


def assert_sample(found, sample):
    """The array is the recorded one, at the recorded places and by its statistics."""
    assert list(found.shape) == sample["shape"]
    allowed = SHARE * sample["std"]
    assert np.abs(found.ravel()[sample["index"]] - sample["value"]).max() <= allowed
    assert abs(found.mean() - sample["mean"]) <= allowed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenetv2", "resnet18"])
def test_drawn_classifiers_answer_as_recorded(name):
    recorded = read_recorded("pretrained/golden.json.gz")["networks"][name]
    document = drawn_document(name, recorded)
    model, extract = create_model(document), create_image_feature_extractor(document)
    for cells, result in zip(recorded["inputs"], recorded["results"], strict=True):
        assert_sample(model([as_cell(cells)])[0], result["output"])
        assert_sample(extract([as_cell(cells)])[0], result["features"])


@pytest.mark.slow
def test_the_drawn_detector_answers_as_recorded():
    recorded = read_recorded("pretrained/golden.json.gz")["networks"]["tinyyolov4"]
    detect = create_model(drawn_document("tinyyolov4", recorded))
    for (cell,), result in zip(recorded["inputs"], recorded["results"], strict=True):
        found = detect(str(IMAGES / cell))
        boxes, scores = result["detections_boxes"], result["detections_scores"]
        assert [each["box"] for each in found] == np.asarray(boxes).reshape(-1, 4).astype(int).tolist()
        assert np.allclose([each["score"] for each in found], np.ravel(scores), atol=1e-4)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NETWORKS)
def test_topologies_run_in_keras_and_tflite(name):
    pytest.importorskip("tensorflow")
    document = get_pretrained_network(name)
    imported = import_graph(document, {"max_objects": 8})
    pixels = np.random.default_rng(0).integers(0, 256, (1, 50, 70, 3)).astype(np.float32)
    expected = evaluate(imported, {PIXEL_INPUT: pixels})
    for target in ("keras", "tflite"):
        artifact = sensenet.compile(imported, target)
        assert not any(isinstance(node.op, BatchNormalization) for node in artifact.graph.nodes)
        found = get_target(target).load(artifact).run({PIXEL_INPUT: pixels})
        if PREDICTIONS in expected:
            assert np.allclose(found[PREDICTIONS], expected[PREDICTIONS], atol=2e-6, rtol=2e-5)
        else:
            assert found[VALID].tolist() == expected[VALID].tolist()
