"""h5 files: their layout, the order of their layers, and what is read back."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from support.conformance import DATA, as_cell, assert_close, assert_same_objects, recorded_cases
from support.documents import (
    DOCUMENTS,
    FEATURES,
    dense,
    image,
    legacy,
    network,
    normalization,
    typed,
    weights,
)
from support.h5_files import LAYERS, editing, load, replace_dataset, write

import sensenet
from sensenet.backends import get_target
from sensenet.backends.keras.h5 import load_weights, write_weights
from sensenet.errors import ArtifactError, UnknownTargetError
from sensenet.frontend import import_graph
from sensenet.frontend.strip import strip_weights
from sensenet.ir.graph import Graph, apply, same_graph
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Dense
from sensenet.ir.types import Tensor, f32
from sensenet.models.wrappers import create_model
from sensenet.signature import Signature


@pytest.fixture
def path(tmp_path):
    """A file with the weights of LAYERS."""
    return write(network(LAYERS), tmp_path / "weights.h5")


def layer_names(path):
    with h5py.File(path) as file:
        return list(file.attrs["layer_names"])


# What the published package wrote


@pytest.mark.parametrize("case", recorded_cases("h5"))
def test_recorded_files_give_the_network(case):
    record = case.read()
    loaded = load(record["model_without_weights"], DATA / "h5" / record["h5"])
    assert same_graph(loaded, import_graph(record["model"]))


@pytest.mark.parametrize("case", recorded_cases("h5"))
def test_recorded_files_give_the_recorded_answers(case):
    record = case.read()
    file = DATA / "h5" / record["h5"]
    model = create_model(sensenet.compile(record["model_without_weights"], "numpy", weights=file))
    for row, want in zip(record["inputs"], record["outputs"], strict=True):
        got = model([as_cell(row)])[0]
        if record["kind"] == "detector":
            assert_same_objects(got, want)
        else:
            assert_close(got, want, record["tolerance"])


@pytest.mark.parametrize("case", recorded_cases("h5"))
def test_files_are_laid_out_as_recorded(case, tmp_path):
    """Up to the layers without weights, which the published package lists too, and the layers' names."""
    record = case.read()
    with (
        h5py.File(write(record["model"], tmp_path / "written.h5")) as written,
        h5py.File(DATA / "h5" / record["h5"]) as recorded,
    ):
        assert describe_attributes(written) == describe_attributes(recorded)
        assert {name: written.attrs[name] for name in ("backend", "keras_version")} == {
            name: recorded.attrs[name] for name in ("backend", "keras_version")
        }
        pairs = list(zip(weighted_groups(written), weighted_groups(recorded), strict=True))
        for ours, theirs in [
            *pairs,
            (written["top_level_model_weights"], recorded["top_level_model_weights"]),
        ]:
            assert describe_attributes(ours) == describe_attributes(theirs)
            assert describe_weights(ours) == describe_weights(theirs)


def weighted_groups(file):
    groups = [file[name] for name in file.attrs["layer_names"]]
    return [group for group in groups if len(group.attrs["weight_names"])]


def describe_attributes(group):
    """The types of attributes in the file, not just as h5py shows them."""
    ids = {name: group.attrs.get_id(name) for name in group.attrs}
    return {name: (each.get_type().encode(), len(each.shape)) for name, each in ids.items()}


def describe_weights(group):
    datasets = {name.partition("/")[2]: group[name] for name in group.attrs["weight_names"]}
    return [
        (name, each.dtype, each.shape, each.id.get_create_plist().get_layout(), each[()].tobytes())
        for name, each in datasets.items()
    ]


# The order of the layers


def path_names(prefix, count):
    return [f"{prefix}_{index}" for index in range(count)]


def test_layers_of_a_block_are_in_order_of_their_distance_from_the_output(tmp_path):
    block = {
        "type": "dense_residual_block",
        "dense_path": [dense(3, 4), normalization(4), dense(4, 3)],
        "identity_path": [dense(3, 3)],
        "activation_function": None,
    }
    file = write(network([dense(FEATURES, 3), block, dense(3, 2)]), tmp_path / "m.h5")
    inner = [*path_names("layer_1_dense_path", 3), "layer_1_identity_path_0"]
    assert layer_names(file) == ["layer_0", *inner, "layer_2"]


def test_layers_of_one_depth_are_in_the_order_of_what_reads_them(tmp_path):
    branch = {**dense(3, 2), "inputs": [0]}
    joined = [dense(FEATURES, 3), branch, branch, {"type": "concatenate", "inputs": [2, 1]}, dense(4, 2)]
    file = write(network(joined), tmp_path / "m.h5")
    assert layer_names(file) == ["layer_0", "layer_2", "layer_1", "layer_4"]


def test_networks_of_an_ensemble_are_interleaved_from_their_ends(tmp_path):
    short, long = [dense(FEATURES, 2)], [dense(FEATURES, 4), dense(4, 4), dense(4, 2)]
    document = network([], networks=[{"layers": short}, {"layers": long}])
    names = layer_names(write(document, tmp_path / "m.h5"))
    assert names == [*path_names("network_1_layer", 2), "network_0_layer_0", "network_1_layer_2"]


def test_the_linear_activation_of_a_block_counts(tmp_path):
    block = {"type": "dense_residual_block", "dense_path": [], "identity_path": []}
    networks = [
        {"layers": [dense(FEATURES, 2), {**block, "activation_function": None}]},
        {"layers": [dense(FEATURES, 2), dense(2, 2), dense(2, 2)]},
    ]
    names = layer_names(write(network([], networks=networks), tmp_path / "m.h5"))
    assert names == ["network_0_layer_0", *path_names("network_1_layer", 3)]


def test_the_linear_activation_inside_a_legacy_pair_counts(tmp_path):
    networks = [
        {"layers": [legacy(FEATURES, 3), legacy(3, 2, stdev=True, residuals=True)]},
        {"layers": [dense(FEATURES, 2), *[dense(2, 2)] * 3]},
    ]
    names = layer_names(write(network([], networks=networks), tmp_path / "m.h5"))
    pair = ["network_0_layer_0", "network_0_layer_1_dense", "network_0_layer_1_batch_normalization"]
    assert names == [*pair, *path_names("network_1_layer", 4)]


def test_every_image_of_a_row_has_its_own_weights(tmp_path):
    document = image()
    document["preprocess"].append({"type": "image", "index": 2})
    document["layers"] = [dense(7, 2, "softmax")]
    file = write(document, tmp_path / "m.h5")
    names = layer_names(file)
    assert names[:4] == ["image_layer_1", "image_layer_1_2", "image_layer_2", "image_layer_2_2"]
    with editing(file) as opened:
        opened["image_layer_1_2/image_layer_1_2/bias:0"][:] = 5
    loaded = load(strip_weights(document), file)
    assert (loaded.node("image_layer_1_2").op.bias.array == 5).all()
    assert loaded.node("image_layer_1").op == import_graph(document).node("image_layer_1").op


# There and back


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_stripped_document_and_its_file_are_the_document(document, tmp_path):
    file = write(document(), tmp_path / "m.h5")
    assert same_graph(load(strip_weights(document()), file), import_graph(document()))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_weights_are_those_trained_at_every_level(level):
    artifact = sensenet.compile(typed(), "h5", optimize=level)
    assert artifact.report.level == 0
    assert bytes(artifact) == write_weights(import_graph(typed()))


def test_a_layer_without_offset_has_zeros_in_the_file(tmp_path):
    document = network([{**dense(FEATURES, 2), "offset": None}])
    file = write(document, tmp_path / "m.h5")
    assert load(document, file).node("layer_0").op.bias is None
    with editing(file) as opened:
        opened["layer_0/layer_0/bias:0"][1] = 0.5
    assert load(document, file).node("layer_0").op.bias == Tensor.float32([0, 0.5])


def test_names_that_one_attribute_does_not_hold_are_split(tmp_path):
    """As Keras splits them, which reads them so: see test_h5_keras."""
    chain = make_chain(700)
    file = tmp_path / "m.h5"
    file.write_bytes(write_weights(chain))
    with h5py.File(file) as opened:
        assert sorted(opened.attrs) == ["backend", "keras_version", "layer_names0", "layer_names1"]
    assert same_graph(load_weights(chain, file), chain)


def make_chain(length):
    node = apply(Input(type=f32(None, 1)), name="x")
    inputs = [node]
    for index in range(length):
        kernel = Tensor.float32([[index]])
        node = apply(Dense(kernel=kernel), node.value, name=f"layer_{index:0100}")
    return Graph.create(inputs, {"y": node.value}, Signature())


def test_weights_of_a_whole_keras_model_are_found(path, tmp_path):
    whole = tmp_path / "whole.h5"
    with h5py.File(path) as source, h5py.File(whole, "w") as file:
        source.copy(source, file, name="model_weights")
        file.attrs["model_config"] = "{}"
    assert same_graph(load(network(LAYERS), whole), load(network(LAYERS), path))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_other_floating_point_numbers_are_read(path, dtype):
    replace_dataset(path, np.array([1.5, -2.0, 0.0], dtype))
    assert load(network(LAYERS), path).node("layer_0").op.bias == Tensor.float32([1.5, -2, 0])


def test_the_file_can_be_run_with_the_graph_that_it_was_made_of():
    artifact = sensenet.compile(network(LAYERS), "h5")
    inputs = {"numeric_inputs": np.ones((2, 3), np.float32)}
    expected = get_target("numpy").load(sensenet.compile(network(LAYERS), "numpy")).run(inputs)
    found = get_target("h5").load(artifact).run(inputs)
    np.testing.assert_allclose(found["predictions"], expected["predictions"], rtol=1e-5)


# The target, and compile(weights=…)


def test_compile_takes_weights(path):
    document = network(LAYERS)
    bare = strip_weights(document)
    rows = [[1.0, "red", 3.0], [None, "blue", 0.0]]
    expected = create_model(document, engine="numpy")(rows)
    assert not np.allclose(create_model(bare)(rows), expected)
    for weights_path in (path, str(path)):
        model = create_model(sensenet.compile(bare, "numpy", weights=weights_path))
        np.testing.assert_array_equal(model(rows), expected)


def test_weights_replace_those_of_a_document(path):
    other = network(
        [{**layer, **({"offset": weights(3, seed=9)} if i == 0 else {})} for i, layer in enumerate(LAYERS)]
    )
    graph = sensenet.compile(other, "ir", weights=path, optimize=0).graph
    assert same_graph(graph, import_graph(network(LAYERS)))


def test_a_saved_graph_may_be_optimized(tmp_path):
    saved = sensenet.compile(typed(), "numpy").save(tmp_path / "m.npz")
    with pytest.raises(ArtifactError, match=r"m\.npz is not a document: .* compile its document"):
        sensenet.compile(saved, "h5")


def test_options_are_refused():
    with pytest.raises(UnknownTargetError, match="h5 has no option 'by_name'; it has none"):
        sensenet.compile(typed(), "h5", by_name=True)


def test_weights_alone_do_not_run(path):
    with pytest.raises(ArtifactError, match="contains only weights: make the model from its document"):
        create_model(path)


def test_the_same_file_every_time():
    assert bytes(sensenet.compile(image(), "h5")) == bytes(sensenet.compile(image(), "h5"))
