"""A network that several images of a row go through: its weights are stored once, whatever the target."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest
from support.documents import dense as dense_layer
from support.documents import image
from support.lowered import ABSOLUTE, RELATIVE
from support.op_cases import floats

import sensenet
from sensenet.backends import get_target
from sensenet.backends.keras.h5 import load_weights
from sensenet.backends.keras.weights import replace_ops
from sensenet.frontend.images import repeat_on
from sensenet.frontend.network import import_graph
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply, same_graph
from sensenet.ir.ops import convolution, core, dense, pooling, rearrangement, tabular
from sensenet.ir.ops.image import Index, Rescale, RescaleType
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph, tensors_of, weights
from sensenet.ir.sharing import Part, Shares
from sensenet.ir.types import Tensor, f32
from sensenet.ir.verify import verify
from sensenet.signature import Signature

IMAGES = 3
FILTERS = 1000
WEIGHTS = 3 * 3 * 3 * FILTERS
"""Of the network's kernel, beside which all other weights are few."""


def make_graph() -> Graph:
    """Rescaled, standardised, convolved, normalized and activated images, their averages side by side."""
    node = apply(core.Input(type=f32(None, IMAGES, None, None, 3)), name="pixels")
    sources = [apply(Index(axis=1, index=index), node.value).value for index in range(IMAGES)]
    rng = np.random.default_rng(0)
    ones = Tensor.float32(np.ones(FILTERS))
    value = sources[0]
    for op in (
        Rescale(height=7, width=6, method=RescaleType.WARP),
        tabular.Standardize(mean=Tensor.float32(0.0), stdev=Tensor.float32(255.0)),
        convolution.Convolution2D(kernel=Tensor.float32(rng.normal(size=(3, 3, 3, FILTERS)))),
        dense.BatchNormalization(
            gamma=Tensor.float32(rng.normal(size=FILTERS)), beta=ones, mean=ones, variance=ones
        ),
        dense.Activation(function=ActivationFunction.RELU),
        pooling.GlobalAveragePool2D(),
    ):
        value = apply(op, value).value
    copies = [value, *(repeat_on(value, sources[0], source, "_again") for source in sources[1:])]
    joined = apply(rearrangement.Concatenate(), *copies).value
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


def make_document() -> dict[str, object]:
    """A row of two images, all layers of the network with weights, a block, and layers of numbers."""
    document = image()
    document["preprocess"] = [{"type": "image", "index": index} for index in range(2)]
    document["layers"] = [dense_layer(6, 2, "softmax")]
    return document


def saved(target: str) -> Callable[[Graph, Path], Graph]:
    """Through a file of the target, which is opened as the source of another compilation."""

    def save_and_read(graph: Graph, folder: Path) -> Graph:
        path = sensenet.compile(graph, target, optimize=0).save(folder / f"{target}{SUFFIXES[target]}")
        return sensenet.compile(path, "ir", optimize=0).graph

    return save_and_read


SUFFIXES = {"ir": ".ir", "numpy": ".npz"}

COPIES: dict[str, Callable[[Graph, Path], Graph]] = {
    "text": lambda graph, _: parse_graph(print_graph(graph), weights(graph)),
    "pickle": lambda graph, _: pickle.loads(pickle.dumps(graph)),
    "deepcopy": lambda graph, _: copy.deepcopy(graph),
    "ir": saved("ir"),
    "numpy": saved("numpy"),
}


def describe_keras(graph: Graph, **options) -> tuple[object, ...]:
    """Names, classes and weights of the layers of the model as trained."""
    model = sensenet.compile(graph, "keras", optimize=0, **options).model
    layers = [(layer.name, type(layer).__name__, len(layer.weights)) for layer in model.layers]
    return layers, [(tuple(weight.shape), np.asarray(weight).tobytes()) for weight in model.weights]


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_graph_shares_its_layers_when_it_is_copied(copied, level, tmp_path):
    graph = sensenet.compile(make_document(), "ir", optimize=level).graph
    part = Part.LAYER if level else Part.WEIGHTS
    shared = [node.shares for node in graph.nodes if node.shares]
    assert shared
    assert all(shares.part is part and shared.count(shares) == 2 for shares in shared)
    assert same_graph(copied(graph, tmp_path), graph)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_an_h5_file_of_a_copy_is_the_same(copied, tmp_path):
    pytest.importorskip("h5py")
    graph = import_graph(make_document())
    again = copied(graph, tmp_path)
    assert bytes(sensenet.compile(again, "h5")) == bytes(sensenet.compile(graph, "h5"))


@pytest.mark.tensorflow
@pytest.mark.parametrize("level", [0, 2])
def test_a_keras_model_of_a_copy_has_the_same_layers(level, tmp_path):
    pytest.importorskip("tensorflow")
    graph = sensenet.compile(make_document(), "ir", optimize=level).graph
    apart, together = describe_keras(graph), describe_keras(graph, share_weights=True)
    assert (len(together[1]) < len(apart[1])) is (level == 0)
    for name, copied in COPIES.items():
        again = copied(graph, tmp_path)
        assert describe_keras(again) == apart, name
        assert describe_keras(again, share_weights=True) == together, name


def test_equal_numbers_alone_share_nothing():
    document = make_document()
    document["layers"] = [dense_layer(6, 6, seed=3), dense_layer(6, 6, seed=3)]
    first, second = (import_graph(document).node(name) for name in ("layer_0", "layer_1"))
    assert first.op == second.op
    assert first.shares is second.shares is None


def test_layers_share_the_weights_of_a_file_unless_these_differ(tmp_path):
    """A file of h5 holds those of each image's layers."""
    pytest.importorskip("h5py")
    graph = import_graph(make_document())
    path = sensenet.compile(graph, "h5").save(tmp_path / "weights.h5")
    assert same_graph(load_weights(graph, path), graph)
    first, *_ = (node for node in graph.nodes if node.shares)
    kernel = Tensor.float32(first.op.kernel.array + 1)
    trained = replace_ops(graph, {first.name: attrs.evolve(first.op, kernel=kernel)})
    path = sensenet.compile(trained, "h5").save(tmp_path / "trained.h5")
    for apart in (trained, load_weights(graph, path)):
        verify(apart)
        sharing = {node.name: node.shares for node in apart.nodes if node.shares}
        assert first.name not in sharing
        assert len(sharing) == sum(node.shares is not None for node in graph.nodes) - 2


def test_copies_of_layers_of_one_name_share_by_layer():
    source = apply(core.Input(type=f32(None, 2)), name="x")
    others = [apply(core.Input(type=f32(None, 2)), name=name) for name in ("y", "z")]
    value = source.value
    for number in range(2):
        value = apply(dense.Dense(kernel=Tensor.float32(np.full((2, 2), number))), value, name="a").value
    copies = [value, *(repeat_on(value, source.value, other.value, "_again") for other in others)]
    graph = Graph.create(
        [source, *others], {"o": apply(rearrangement.Concatenate(), *copies).value}, Signature()
    )
    verify(graph)
    shared = [node.shares for node in graph.nodes if node.op.trainable]
    assert shared == [Shares(Part.WEIGHTS, "a"), Shares(Part.WEIGHTS, "a_2")] * 3


def test_of_three_images_two_may_still_share():
    graph = make_graph()
    convolutions = [node for node in graph.nodes if isinstance(node.op, convolution.Convolution2D)]
    kernel = Tensor.float32(np.zeros((3, 3, 3, FILTERS)))
    changed = attrs.evolve(convolutions[0].op, kernel=kernel)
    trained = replace_ops(graph, {convolutions[0].name: changed})
    verify(trained)
    _, second, third = (trained.node(node.name) for node in convolutions)
    assert trained.node(convolutions[0].name).shares is None
    assert second.shares == third.shares == Shares(Part.WEIGHTS, second.name)


def assert_answers(artifact) -> None:
    got = get_target(artifact.target).load(artifact).run(feed())["features"]
    want = evaluate(make_graph(), feed())["features"]
    np.testing.assert_allclose(got, want, atol=ABSOLUTE, rtol=RELATIVE)
