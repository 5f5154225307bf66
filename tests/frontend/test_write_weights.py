"""Documents with other weights: what was read comes back, what was trained is read again."""

from __future__ import annotations

import copy
import json

import attrs
import numpy as np
import pytest
from hypothesis import given
from support.conformance import recorded_cases
from support.document_images import detectors
from support.document_strategies import documents, image_documents
from support.documents import (
    DOCUMENTS,
    FEATURES,
    dense,
    image,
    legacy,
    legacy_network,
    network,
    structure,
    typed,
)
from support.seeds import SEEDS

from sensenet.backends.keras.weights import get_weights, replace_ops, set_weights, weighted_nodes
from sensenet.compiler.verify.inputs import generated_inputs
from sensenet.errors import DocumentError, SensenetError
from sensenet.frontend.document import find_network, read_source
from sensenet.frontend.network import build_graph, import_graph
from sensenet.frontend.strip import strip_weights
from sensenet.frontend.weights import write_weights
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import same_graph
from sensenet.ir.types import Tensor
from sensenet.settings import Settings, ensure_settings


def write(source, change=lambda graph: graph, settings=None):
    """The document of a source with the weights of a changed graph, and that graph."""
    root = read_source(source)
    imported = build_graph(find_network(root), settings or Settings())
    trained = change(imported.graph)
    return write_weights(root, imported, trained), trained


def randomize(seed):
    """Other weights of the same shapes everywhere, variances above 0; biases where Keras has them.

    Weights that several nodes read from one place stay the same ones.
    """

    def draw(random, op):
        scale = random.choice([0.3, 1e-3, 0.7])
        shapes = {name: weight.shape for name, weight in get_weights(op).items()}
        arrays = {name: scale * random.uniform(0.1, 1.5, shape) for name, shape in shapes.items()}
        return set_weights(op, {name: Tensor.float32(array) for name, array in arrays.items()})

    def change(graph):
        random = np.random.default_rng(seed)
        drawn, ops = {}, {}
        for node in weighted_nodes(graph):
            place = id(next(iter(get_weights(node.op).values())))
            ops[node.name] = drawn.setdefault(place, draw(random, node.op))
        return replace_ops(graph, ops)

    return change


def change_op(name, **changes):
    """Other attributes of one node's op."""
    return lambda graph: replace_ops(graph, {name: attrs.evolve(graph.node(name).op, **changes)})


def assert_same_answers(one, other):
    """Up to the rounding of standard deviations, on the scale of each output."""
    for feed in generated_inputs(other):
        got, want = evaluate(one, feed), evaluate(other, feed)
        for name, expected in want.items():
            scale = np.abs(expected).max(initial=1)
            np.testing.assert_allclose(got[name] / scale, expected / scale, atol=1e-5, err_msg=name)


@given(documents() | image_documents() | detectors())
def test_weights_that_did_not_change_are_left_as_they_are(document):
    before = copy.deepcopy(document)
    assert write(document)[0] == document == before
    assert same_graph(import_graph(write(json.dumps(document))[0]), import_graph(document))


@given(documents() | image_documents(), SEEDS)
def test_other_weights_are_read_again(document, seed):
    before = copy.deepcopy(document)
    written, trained = write(document, randomize(seed))
    assert document == before
    assert_same_answers(import_graph(written), trained)
    from_text, _ = write(json.dumps(document), randomize(seed))
    assert same_graph(import_graph(json.loads(json.dumps(from_text))), import_graph(written))


@given(documents(), SEEDS)
def test_all_but_standard_deviations_and_biases_before_them_is_exact(document, seed):
    written, trained = write(document, randomize(seed))
    for node in weighted_nodes(import_graph(written)):
        want = trained.node(node.name).op
        if node.name.endswith(("_dense", "_batch_normalization")):
            continue
        assert node.op == want, node.name


@pytest.mark.parametrize("make", DOCUMENTS.values(), ids=DOCUMENTS)
def test_documents_of_every_kind(make):
    for source in (make(), json.dumps(make())):
        assert same_graph(import_graph(write(source)[0]), import_graph(make()))
        written, trained = write(source, randomize(3))
        assert_same_answers(import_graph(written), trained)


@pytest.mark.parametrize("case", recorded_cases("tabular", "image", "detector", "h5"))
def test_recorded_documents(case):
    record = case.read()
    try:
        settings = ensure_settings(record.get("settings"))
        graph = import_graph(record["model"], settings)
    except SensenetError as error:
        pytest.skip(f"it cannot be imported: {error}")
    if strip_weights(record["model"]) != record["model"]:
        assert write(record["model"], settings=settings)[0] == record["model"]
    written, trained = write(record["model"], randomize(0), settings)
    again, _ = write(written, settings=settings)
    assert again == written
    assert len(import_graph(written, settings).nodes) == len(graph.nodes) == len(trained.nodes)


def test_everything_else_stays_in_its_order():
    written, _ = write(typed(), randomize(0))
    assert list(written) == list(typed())
    for layer, was in zip(written["layers"], typed()["layers"], strict=True):
        assert list(layer) == list(was)
    assert written["layers"][0]["weights"] != typed()["layers"][0]["weights"]
    assert written["preprocess"] == typed()["preprocess"]


def test_numbers_are_the_shortest_of_the_same_float32():
    number = np.float32(1) / np.float32(3)
    written, _ = write(
        network([dense(FEATURES, 2)]), change_op("layer_0", bias=Tensor.float32([number, 0.1]))
    )
    assert json.dumps(written["layers"][0]["offset"]) == "[0.33333334, 0.1]"


def test_initializers_give_way_to_numbers():
    written, _ = write(structure())
    layer = written["layers"][0]
    assert np.shape(layer["weights"]) == (6, 8)
    assert layer["offset"] == [0.0] * 8
    assert (layer["number_of_nodes"], layer["seed"]) == (8, 3)
    assert same_graph(import_graph(written), import_graph(structure()))


@pytest.mark.parametrize("absent", [{}, {"offset": None}], ids=["missing", "null"])
def test_a_bias_that_the_document_left_out_is_added(absent):
    layer = {key: value for key, value in dense(FEATURES, 2).items() if key != "offset"} | absent
    document = network([layer])
    assert write(document)[0] == document
    written, _ = write(document, change_op("layer_0", bias=Tensor.float32([1, 2])))
    assert written["layers"] == [{**layer, "offset": [1.0, 2.0]}]


def test_the_beta_that_a_legacy_layer_left_out_is_its_offset():
    layer = legacy(FEATURES, 2, stdev=True, offset=None)
    name = "layer_0_batch_normalization"
    written, trained = write(network([layer]), change_op(name, beta=Tensor.float32([1, 2])))
    assert written["layers"] == [{**layer, "offset": [1.0, 2.0]}]
    assert same_graph(import_graph(written), trained)


def test_a_bias_before_statistics_lowers_the_mean():
    layer = legacy(FEATURES, 2, stdev=True, mean=[1.0, 2.0])
    written, trained = write(network([layer]), change_op("layer_0_dense", bias=Tensor.float32([0.25, -1])))
    assert written["layers"] == [{**layer, "mean": [0.75, 3.0]}]
    assert_same_answers(import_graph(written), trained)


def test_standard_deviations_have_the_epsilon_in_them():
    name = "layer_0_batch_normalization"
    written, trained = write(legacy_network(), change_op(name, variance=Tensor.float32([0, 1, 4, 1e-6])))
    stdev = np.float32(written["layers"][0]["stdev"])
    np.testing.assert_array_equal(stdev, np.sqrt(np.array([0, 1, 4, np.float32(1e-6)]) + 1e-3).astype("f4"))
    assert written["layers"][1:] == legacy_network()["layers"][1:]
    assert_same_answers(import_graph(written), trained)


def test_a_weight_that_is_not_finite_is_refused():
    with pytest.raises(DocumentError, match=r"layers\[7\].offset: .*not finite"):
        write(typed(), change_op("layer_7", bias=Tensor.float32([np.nan, 0])))


def test_a_variance_without_a_standard_deviation_is_refused():
    change = change_op("layer_0_batch_normalization", variance=Tensor.float32([-1, 1, 1, 1]))
    with pytest.raises(DocumentError, match=r"layers\[0\].stdev: .*not finite"):
        write(legacy_network(), change)


def images():
    """A row of two images, which one image network reads."""
    document = image()
    document["preprocess"] = [{"type": "image", "index": 0}, {"type": "image", "index": 1}]
    document["layers"] = [dense(6, 2, "softmax")]
    return document


def test_one_image_network_for_several_images():
    kernel = Tensor.float32(np.ones((3, 3, 3, 4)))

    def change(graph):
        both = [node for node in graph.nodes if node.name.startswith("image_layer_1")]
        assert len(both) == 2
        return replace_ops(graph, {node.name: attrs.evolve(node.op, kernel=kernel) for node in both})

    assert write(images())[0] == images()
    written, trained = write(images(), change)
    assert same_graph(import_graph(written), trained)
    path = r"image_network.layers\[1\].kernel: .*'image_layer_1' and 'image_layer_1_2'"
    with pytest.raises(DocumentError, match=path):
        write(images(), change_op("image_layer_1", kernel=kernel))


def test_an_extractor_has_the_weights_of_its_layers_alone():
    settings = Settings(extract_image_features=True)
    written, _ = write(image(), randomize(5), settings)
    assert written["layers"] == image()["layers"]
    assert written["image_network"]["layers"][1] != image()["image_network"]["layers"][1]


def test_layers_that_nothing_reads_stay():
    dead = {**dense(FEATURES, 3), "weights": "glorot_uniform", "number_of_nodes": 3}
    document = network([dense(FEATURES, 2), dead, {**dense(2, 2), "inputs": [0]}])
    written, _ = write(document, randomize(1))
    assert written["layers"][1] == dead
