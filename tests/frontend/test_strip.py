"""Documents without weights: what is left of them, and that nothing else is lost."""

from __future__ import annotations

import copy
import gzip
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from support.conformance import read_recorded, recorded_cases
from support.document_strategies import documents
from support.documents import (
    DOCUMENTS,
    FEATURES,
    convolution,
    dense,
    ensemble,
    image,
    legacy,
    network,
    normalization,
    typed,
    weights,
)

from sensenet.backends.keras.h5 import load_weights, write_weights
from sensenet.cli.compile import main
from sensenet.errors import DocumentError
from sensenet.frontend import import_graph
from sensenet.frontend.strip import encode_document, strip_weights
from sensenet.ir.graph import same_graph
from sensenet.models.wrappers import create_model


@pytest.mark.parametrize("case", recorded_cases("h5"))
def test_recorded_documents(case):
    record = case.read()
    assert strip_weights(record["model"]) == record["model_without_weights"]


def test_pretrained_topologies_have_no_weights_to_strip():
    for topology in read_recorded("pretrained/networks.json.gz").values():
        assert strip_weights(topology) == topology


@given(documents())
def test_an_h5_file_gives_a_stripped_document_back(document):
    graph = import_graph(document)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "m.h5"
        path.write_bytes(write_weights(graph))
        assert same_graph(load_weights(import_graph(strip_weights(document)), path), graph)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_no_numbers_are_left_in_layers(document):
    stripped = strip_weights(document())
    assert largest_list(layers_of(stripped)) <= 2, "sizes of windows, paddings, inputs"
    assert strip_weights(stripped) == stripped


def layers_of(value):
    """All lists of layers, wherever they stand."""
    if not isinstance(value, dict):
        return [layers_of(entry) for entry in value] if isinstance(value, list) else []
    here = [value[key] for key in value if key == "layers" or key.endswith("_path")]
    return here + [layers_of(member) for member in value.values()]


def largest_list(value):
    if isinstance(value, dict):
        return max(map(largest_list, value.values()), default=0)
    if not isinstance(value, list):
        return 0
    numbers = value if value and isinstance(value[0], float | int) else []
    return max([len(numbers), *map(largest_list, value)])


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_the_source_is_left_as_it_is(document):
    source = document()
    strip_weights(source)
    assert source == document()


def test_everything_else_stays():
    document = ensemble()
    network_of(document)["training_options"] = {"mean": [0.1, 0.2], "layers": 3}
    document["extra"] = [1, "a", None]
    bare = strip_weights(document)
    for part in network_of(bare)["networks"]:
        assert all(layer["weights"] == "glorot_uniform" for layer in part.pop("layers"))
    for part in network_of(document)["networks"]:
        del part["layers"]
    assert bare == document


def network_of(document):
    return document["object"]["deepnet"]["network"]


def test_members_of_a_layer_stay():
    layer = {**dense(FEATURES, 3, "selu", name="hidden", seed=4), "inputs": [0]}
    (bare,) = strip_weights(network([layer]))["layers"]
    sizes = {"number_of_nodes": 3, "weights": "glorot_uniform", "offset": "zeros"}
    assert bare == {**layer, **sizes}
    assert list(bare) == [*layer, "number_of_nodes"]


def test_kernels_tell_their_shapes():
    layers = [
        convolution(3, 5, size=2),
        {**convolution(5, 1), "type": "depthwise_convolution_2d", "kernel": weights(3, 1, 5, 2)},
        {
            "type": "separable_convolution_2d",
            "depth_kernel": weights(3, 2, 10, 1),
            "point_kernel": weights(1, 1, 10, 6),
            "bias": None,
        },
    ]
    document = image()
    document["image_network"]["layers"] = layers
    plain, depthwise, separable = strip_weights(document)["image_network"]["layers"]
    sizes = [(bare["kernel_dimensions"], bare["number_of_filters"]) for bare in (plain, depthwise, separable)]
    assert sizes == [([2, 2], 5), ([3, 1], 2), ([3, 2], 6)]
    assert separable["bias"] is None
    assert (plain["kernel"], plain["bias"]) == ("glorot_uniform", "zeros")
    assert (separable["depth_kernel"], separable["point_kernel"]) == ("glorot_uniform",) * 2


def test_normalizations():
    (bare,) = strip_weights(network([normalization(FEATURES, epsilon=0.5)]))["layers"]
    assert bare == {
        "type": "batch_normalization",
        "gamma": "ones",
        "beta": "zeros",
        "mean": "zeros",
        "variance": "ones",
        "epsilon": 0.5,
    }


def test_legacy_layers():
    layers = strip_weights(network([legacy(FEATURES, 4, stdev=True), legacy(4, 2)]))["layers"]
    first = {"scale": "ones", "mean": "zeros", "stdev": "ones"}
    second = {"scale": None, "mean": None, "stdev": None}
    for bare, nodes, statistics in zip(layers, (4, 2), (first, second), strict=True):
        assert bare == {
            "weights": "glorot_uniform",
            "offset": "zeros",
            "number_of_nodes": nodes,
            "activation_function": "relu",
            "residuals": False,
            **statistics,
        }


# Text


def test_text_and_dict_give_the_same(tmp_path):
    document = image()
    text = json.dumps(document)
    (tmp_path / "m.json.gz").write_bytes(gzip.compress(text.encode()))
    expected = strip_weights(document)
    assert expected["image_network"]["metadata"] == document["image_network"]["metadata"]
    assert strip_weights(text) == strip_weights(str(tmp_path / "m.json.gz")) == expected
    assert json.loads(encode_document(expected)) == expected


def test_a_mean_image_read_from_text_is_the_same_in_float32():
    document = image()
    mean = np.random.default_rng(0).uniform(0, 255, (6, 8, 3))
    document["image_network"]["metadata"]["mean_image"] = mean.tolist()
    bare = strip_weights(json.dumps(document))
    again = np.array(bare["image_network"]["metadata"]["mean_image"], np.float32)
    np.testing.assert_array_equal(again, mean.astype(np.float32))


def test_deep_trees_are_not_walked():
    document = ensemble()
    tree = [[0.0], None]
    for _ in range(20_000):
        tree = [0, 0.5, tree, [[1.0], None]]
    network_of(document)["trees"] = [[[0, 2], [tree]]]
    bare = strip_weights(document)
    assert network_of(bare)["trees"][0][1][0] is tree
    with pytest.raises(DocumentError, match="nested too deep to be written as text"):
        encode_document(bare)


# Faults


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{**dense(FEATURES, 2), "weights": [1.0]}], r"layers\[0\]\.weights: expected 2-D numbers"),
        ([{**dense(FEATURES, 2), "offset": [["a"]]}], r"layers\[0\]\.offset: expected 1-D numbers"),
        ([dense(FEATURES, 2), legacy(2, 2)], r"layers\[1\]: this layer has no type"),
        ([{"type": 3}], r"layers\[0\]\.type: expected text"),
        ({}, "layers: expected a list"),
        ([dense(FEATURES, 2), 7], r"layers\[1\]: expected an object"),
    ],
)
def test_faults_are_told_with_their_path(layers, message):
    with pytest.raises(DocumentError, match=message):
        strip_weights(network(layers))


def test_what_is_no_document():
    with pytest.raises(DocumentError, match="this document contains no deepnet"):
        strip_weights({"a": 1})


def test_the_paths_of_blocks_are_found():
    document = typed()
    bare = strip_weights(document)
    path = bare["layers"][2]["dense_path"]
    assert path[0]["weights"] == "glorot_uniform"
    assert path[2] == document["layers"][2]["dense_path"][2]
    broken = copy.deepcopy(document)
    broken["layers"][2]["dense_path"][0]["weights"] = 5
    with pytest.raises(DocumentError, match=r"layers\[2\]\.dense_path\[0\]\.weights"):
        strip_weights(broken)


# The command


@pytest.fixture
def in_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text(json.dumps(typed()))
    return tmp_path


@pytest.mark.usefixtures("in_directory")
def test_weights_apart_from_the_document_predict_the_same():
    row = [2.5, "green", 4.0]
    assert main(["m.json", "-o", "m.h5"]) == 0
    assert main(["m.json", "--strip-weights"]) == 0
    assert main(["m.stripped.json", "--weights", "m.h5", "-o", "again.npz"]) == 0
    np.testing.assert_allclose(create_model("again.npz")(row), create_model(typed())(row), rtol=1e-5)
    assert not np.allclose(create_model("m.stripped.json")(row), create_model(typed())(row))


def test_where_a_stripped_document_is_written(in_directory, capsysbinary):
    expected = strip_weights(typed())
    assert main(["m.json", "--strip-weights", "-o", "bare.json.gz"]) == 0
    assert json.loads(gzip.decompress((in_directory / "bare.json.gz").read_bytes())) == expected
    assert main(["m.json", "--strip-weights", "-o", "-"]) == 0
    assert json.loads(capsysbinary.readouterr().out) == expected
    before = (in_directory / "m.json").read_bytes()
    assert main(["m.json", "--strip-weights", "-o", "m.json"]) == 1
    assert b"m.json already exists" in capsysbinary.readouterr().err
    assert (in_directory / "m.json").read_bytes() == before
    assert main(["m.json", "--strip-weights", "-o", "m.json", "--force"]) == 0
    assert json.loads((in_directory / "m.json").read_bytes()) == expected


@pytest.mark.usefixtures("in_directory")
@pytest.mark.parametrize("option", [["-t", "numpy"], ["--weights", "m.h5"], ["--print-ir"]])
def test_stripping_is_all_that_is_done(option, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["m.json", "--strip-weights", *option])
    assert caught.value.code == 2
    assert "--strip-weights writes a document alone" in capsys.readouterr().err


def test_a_dict_in_many_places_is_visited_once():
    """In 2³⁰ places, which would take hours."""
    shared = {}
    for _ in range(30):
        shared = {"left": shared, "right": shared}
    stripped = strip_weights({**DOCUMENTS["typed"](), "more": shared})
    assert stripped["more"]["left"] is stripped["more"]["right"]
