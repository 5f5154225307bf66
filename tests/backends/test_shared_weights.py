"""A network that several images of a row go through: its weights are stored once, whatever the target."""

from __future__ import annotations

import io

import numpy as np
import pytest
from support.lowered import ABSOLUTE, RELATIVE
from support.op_cases import floats

import sensenet
from sensenet.backends import get_target
from sensenet.frontend.images import repeat_on
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops import basic, convolution, core, dense, image, tabular
from sensenet.ir.printer import tensors_of
from sensenet.ir.types import Tensor, f32
from sensenet.signature import Signature

IMAGES = 3
FILTERS = 1000
WEIGHTS = 3 * 3 * 3 * FILTERS
"""Of the network's kernel, beside which all other weights are few."""


def make_graph() -> Graph:
    """Rescaled, standardised, convolved, normalized and activated images, their averages side by side."""
    node = apply(core.Input(type=f32(None, IMAGES, None, None, 3)), name="pixels")
    sources = [apply(image.Index(axis=1, index=index), node.value).value for index in range(IMAGES)]
    rng = np.random.default_rng(0)
    ones = Tensor.float32(np.ones(FILTERS))
    value = sources[0]
    for op in (
        image.Rescale(height=7, width=6, method=image.RescaleType.WARP),
        tabular.Standardize(mean=Tensor.float32(0.0), stdev=Tensor.float32(255.0)),
        convolution.Convolution2D(kernel=Tensor.float32(rng.normal(size=(3, 3, 3, FILTERS)))),
        dense.BatchNormalization(
            gamma=Tensor.float32(rng.normal(size=FILTERS)), beta=ones, mean=ones, variance=ones
        ),
        dense.Activation(function=ActivationFunction.RELU),
        convolution.GlobalAveragePool2D(),
    ):
        value = apply(op, value).value
    copies = [value, *(repeat_on(value, sources[0], source, "_again") for source in sources[1:])]
    joined = apply(basic.Concatenate(), *copies).value
    return Graph.create([node], {"features": joined}, Signature())


def feed() -> dict[str, np.ndarray]:
    return {"pixels": np.abs(floats(2, IMAGES, 8, 9, 3, scale=255.0))}


@pytest.mark.parametrize("level", [1, 2])
def test_equal_layers_hold_the_same_weights(level):
    graph = sensenet.compile(make_graph(), "ir", optimize=level).graph
    layers = [node.op for node in graph.nodes if isinstance(node.op, convolution.Convolution2D)]
    assert len(layers) == IMAGES
    assert all(layer is layers[0] for layer in layers)
    arrays = [t.array for node in graph.nodes for t in tensors_of(node.op)]
    assert sum(array.size == WEIGHTS for array in {id(array): array for array in arrays}.values()) == 1


@pytest.mark.parametrize("level", [0, 1, 2])
def test_an_npz_file_holds_them_once(level):
    artifact = sensenet.compile(make_graph(), "numpy", optimize=level)
    with np.load(io.BytesIO(bytes(artifact))) as members:
        assert sum(members[name].size == WEIGHTS for name in members) == 1


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_tflite_file_holds_them_once(level):
    pytest.importorskip("ai_edge_litert")
    artifact = sensenet.compile(make_graph(), "tflite", optimize=level)
    kernel = 4 * WEIGHTS
    assert kernel < len(bytes(artifact)) < 1.9 * kernel
    assert_answers(artifact)


@pytest.mark.tensorflow
@pytest.mark.parametrize("level", [1, 2])
def test_a_keras_model_has_one_layer_for_all(level, tmp_path):
    pytest.importorskip("tensorflow")
    artifact = sensenet.compile(make_graph(), "keras", optimize=level)
    assert sum(weight.shape == (3, 3, 3, FILTERS) for weight in artifact.model.weights) == 1
    assert_answers(artifact)
    path = tmp_path / "model.keras"
    artifact.save(path)
    executable = get_target("keras").open(path)
    np.testing.assert_array_equal(
        executable.run(feed())["features"], get_target("keras").load(artifact).run(feed())["features"]
    )


@pytest.mark.tensorflow
def test_a_keras_model_as_trained_has_a_layer_for_each():
    """As the published package has: h5 files hold the weights of each."""
    pytest.importorskip("tensorflow")
    model = sensenet.compile(make_graph(), "keras", optimize=0).model
    assert sum(weight.shape == (3, 3, 3, FILTERS) for weight in model.weights) == IMAGES


def assert_answers(artifact) -> None:
    got = get_target(artifact.target).load(artifact).run(feed())["features"]
    want = evaluate(make_graph(), feed())["features"]
    np.testing.assert_allclose(got, want, atol=ABSOLUTE, rtol=RELATIVE)
