"""Small files and arguments that ask for much memory are refused, before the memory is taken."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from support.documents import DOCUMENTS, dense, network

from sensenet.compile import compile
from sensenet.errors import LimitError, SensenetError
from sensenet.frontend import import_graph
from sensenet.ir.memory import activation_bytes
from sensenet.limits import VARIABLE, memory_errors_reported
from sensenet.models.wrappers import create_model


@pytest.fixture(autouse=True)
def small_limit(monkeypatch):
    monkeypatch.setenv(VARIABLE, "64MiB")


def image_model(layers, size=(32, 32)):
    """A regression of an image network."""
    return network(
        [{"type": "dense", "number_of_nodes": 1, "weights": "zeros", "offset": "zeros"}],
        preprocess=[{"type": "image", "index": 0}],
        output_exposition={"type": "numeric", "mean": 0.0, "stdev": 1.0},
        image_network={
            "layers": [*layers, {"type": "global_average_pool_2d"}],
            "metadata": {"input_image_shape": [*size, 3], "loading_method": "normalizing"},
        },
    )


def named(units, name="glorot_uniform"):
    return {"type": "dense", "number_of_nodes": units, "weights": name, "offset": "zeros"}


@pytest.mark.parametrize("name", ["zeros", "ones", "glorot_uniform", "glorot_normal"])
def test_named_weights_count_together(name):
    create_model(network([named(1000, name), dense(1000, 2)]))
    with pytest.raises(LimitError, match=r"names, without giving its numbers, needs .* limit is 64\.0 MiB"):
        create_model(network([named(1000, name)] * 8))


def test_lists_that_an_ensemble_repeats_count_each(monkeypatch):
    monkeypatch.setenv(VARIABLE, "4MiB")
    part = {"layers": [dense(5, 2)], "trees": False}
    document = network([dense(5, 2)])
    del document["layers"]
    create_model({**document, "networks": [part] * 3})
    with pytest.raises(LimitError):
        create_model({**document, "networks": [part] * 1000})


def test_rows_that_a_weight_repeats_count_each():
    layer = dense(5, 2)
    layer["weights"] = [[1.0] * 20_000] * 20_000
    with pytest.raises(LimitError, match="the repetitions of one list"):
        create_model(network([layer]))


def test_trees_that_share_their_nodes():
    """Of 60 nodes, that are 2⁶⁰ where each is in two places."""
    tree = [[0.5], None]
    for _ in range(60):
        tree = [0, 0.5, tree, tree]
    with pytest.raises(LimitError, match="the repetitions of one node"):
        create_model(network([dense(6, 2)], trees=[[[0, 5], [tree]]]))


def test_a_tree_within_itself():
    tree = [0, 0.5, [[0.5], None], None]
    tree[3] = tree
    with pytest.raises(SensenetError):
        create_model(network([dense(6, 2)], trees=[[[0, 5], [tree]]]))


@pytest.mark.parametrize(
    "layers",
    [
        [{"type": "upsampling_2d", "size": [300, 300], "method": "nearest"}],
        [{"type": "upsampling_2d", "size": [300, 300], "method": "bilinear"}],
        [{"type": "padding_2d", "padding": [[0, 10_000], [0, 10_000]]}],
        [{"type": "upsampling_2d", "size": [4, 4], "method": "nearest"}] * 6,
        [{"type": "concatenate", "inputs": [-1, -1]}] * 18,
    ],
    ids=["nearest", "bilinear", "padding", "many", "doubled"],
)
def test_activations_that_shapes_imply(layers):
    first = {"type": "activation", "activation_function": "relu"}
    with pytest.raises(LimitError, match="a row of this model needs"):
        create_model(image_model([first, *layers]))


def test_images_of_a_size_that_the_document_implies():
    with pytest.raises(LimitError, match="a row of this model needs"):
        create_model(image_model([], size=(100_000, 100_000)))


def test_a_pool_larger_than_its_image_takes_no_more_than_the_image():
    for kind in ("max_pool_2d", "average_pool_2d"):
        pool = {"type": kind, "pool_size": [2**30, 2**30], "strides": [1, 1], "padding": "same"}
        model = create_model(image_model([pool]))
        assert np.isfinite(model(np.zeros((32, 32, 3), np.uint8))).all()


def test_rows_are_as_many_at_once_as_the_limit_allows():
    """200,000 rows of 1000 numbers are 800 MB together, a row 4 kB."""
    model = create_model(
        network(
            [named(1000), dense(1000, 2)],
            preprocess=[{"type": "numeric", "index": index, "mean": 0.0, "stdev": 1.0} for index in range(5)],
        )
    )
    assert model._predict.most_rows({"numeric_inputs": (1, 5)}) < 65_536
    rows = np.random.default_rng(0).normal(size=(3000, 5)).astype(np.float32)
    np.testing.assert_allclose(model(rows)[::100], [model(list(row))[0] for row in rows[::100]], rtol=1e-4)


def test_images_in_arrays_are_run_in_parts():
    model = create_model(image_model([{"type": "upsampling_2d", "size": [4, 4], "method": "nearest"}]))
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(
        model(images), np.concatenate([model(image[None]) for image in images]), rtol=1e-4
    )


def test_compressed_text_that_expands(tmp_path):
    path = tmp_path / "document.json.gz"
    for text in (
        b" " * (100 << 20),
        b'{"layers": ' + b"[" * (100 << 20),
        b'{"weights": [' + b"0," * (50 << 20),
    ):
        path.write_bytes(gzip.compress(text, 1))
        with pytest.raises(LimitError, match="the content of its"):
            create_model(path)


def test_text_whose_value_is_much_larger(tmp_path):
    path = tmp_path / "document.json"
    path.write_text('{"layers": [' + "[]," * 4_000_000 + "[]]}")
    with pytest.raises(LimitError, match="the content of its"):
        create_model(path)


def test_ordinary_compressed_documents_are_read(tmp_path):
    document = network([dense(5, 300), dense(300, 2)])
    path = tmp_path / "document.json.gz"
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    assert create_model(path).classes == ("yes", "no")


def test_one_hot_depths_of_a_text(tmp_path):
    path = compile(DOCUMENTS["typed"](), "ir", optimize=0).save(tmp_path / "model.ir")
    text = path.read_text().replace("depths=(3)", f"depths=({10**9})")
    path.write_text(text)
    with pytest.raises(SensenetError):
        create_model(path)


def test_the_bytes_of_activations():
    """Per row: 5 inputs, 300 and 300 results of two layers, of which two stay at a time."""
    graph = import_graph(network([dense(5, 300), dense(300, 300), dense(300, 2)]))
    found = activation_bytes(graph, {})
    assert 2 * 300 * 4 <= found <= 5 * 300 * 4


def test_memory_errors_become_ours():
    @memory_errors_reported()
    def ask():
        np.empty(1 << 60, np.uint8)

    with pytest.raises(LimitError, match="not enough memory") as caught:
        ask()
    assert isinstance(caught.value.__cause__, MemoryError)
