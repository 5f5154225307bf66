"""Keras 2 and Keras 3 load our h5 files by order, and theirs load here."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from support.conformance import DATA, as_cell, assert_close, assert_same_objects, recorded_cases
from support.documents import CLASSES, dense, detector, ensemble, image, legacy_network, normalization, typed
from support.h5_files import load, write
from support.keras_2 import only_under_keras_3, run_under_keras_2

import sensenet
from sensenet.backends.keras.executable import make_executable
from sensenet.backends.keras.weights import get_weights, weighted_nodes
from sensenet.errors import ArtifactError
from sensenet.frontend import import_graph
from sensenet.frontend.strip import strip_weights
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import same_graph

pytestmark = pytest.mark.tensorflow

UNITS = 4
ROWS = np.random.default_rng(0).normal(size=(5, UNITS)).astype(np.float32)


@pytest.fixture(params=["keras", "tf_keras"])
def keras(request):
    """Keras 3, and Keras 2."""
    pytest.importorskip("tensorflow")
    return importlib.import_module(request.param)


def branches():
    """Branches of equal shapes, of which the second one listed is deeper: its layers come first."""
    path = [dense(UNITS, UNITS, "tanh"), normalization(UNITS), dense(UNITS, UNITS, None)]
    block = {"dense_path": [dense(UNITS, UNITS)], "identity_path": path, "activation_function": "relu"}
    return {
        "preprocess": [{"type": "numeric", "index": i, "mean": 0, "stdev": 1} for i in range(UNITS)],
        "layers": [{"type": "dense_residual_block", **block}, dense(UNITS, 2, "softmax")],
        "output_exposition": CLASSES,
        "trees": None,
    }


def make_branches(keras):
    """The same network, as somebody would write it in Keras."""
    layers = keras.layers
    x = keras.Input((UNITS,))
    short = layers.Dense(UNITS, "tanh")(x)
    long = layers.Dense(UNITS, "tanh")(x)
    long = layers.BatchNormalization(epsilon=1e-3)(long)
    long = layers.Dense(UNITS)(long)
    total = layers.Activation("relu")(layers.Add()([short, long]))
    return keras.Model(x, layers.Dense(2, "softmax")(total))


def predict(model):
    return model(ROWS).numpy()


def answers(graph):
    return evaluate(graph, {"numeric_inputs": ROWS})["predictions"]


def test_keras_loads_our_files(keras, tmp_path):
    file = write(branches(), tmp_path / "m.h5")
    model = make_branches(keras)
    expected = answers(import_graph(branches()))
    assert not np.allclose(predict(model), expected, atol=1e-3)
    model.load_weights(str(file))
    np.testing.assert_allclose(predict(model), expected, rtol=1e-5, atol=1e-6)


def test_keras_loads_names_that_are_split(keras, tmp_path, monkeypatch):
    monkeypatch.setattr("sensenet.backends.keras.h5.LARGEST_ATTRIBUTE", 100)
    file = write(branches(), tmp_path / "m.h5")
    model = make_branches(keras)
    model.load_weights(str(file))
    np.testing.assert_allclose(predict(model), answers(import_graph(branches())), rtol=1e-5, atol=1e-6)


def test_files_that_keras_saves_are_read(keras, tmp_path):
    model, file = make_branches(keras), tmp_path / "m.h5"
    model.save(str(file))
    found = answers(load(strip_weights(branches()), file))
    np.testing.assert_allclose(found, predict(model), rtol=1e-5, atol=1e-6)


def test_weights_that_keras_2_saves_are_read(tmp_path):
    tf_keras = pytest.importorskip("tf_keras")
    model, file = make_branches(tf_keras), tmp_path / "m.h5"
    model.save_weights(str(file))
    found = answers(load(strip_weights(branches()), file))
    np.testing.assert_allclose(found, predict(model), rtol=1e-5, atol=1e-6)


def test_weights_files_of_both_are_explained(keras, tmp_path):
    make_branches(keras).save_weights(str(tmp_path / "m.weights.h5"))
    with pytest.raises(ArtifactError, match=r"is a \.weights\.h5 file"):
        load(branches(), tmp_path / "m.weights.h5")


# Our own Keras models


@pytest.mark.parametrize("case", recorded_cases("h5"))
def test_our_models_load_the_recorded_files(case):
    record = case.read()
    artifact = sensenet.compile(record["model_without_weights"], "keras", optimize=0)
    artifact.model.load_weights(DATA / "h5" / record["h5"])
    model = sensenet.create_model(artifact)
    assert model._model is artifact.model
    for row, want in zip(record["inputs"], record["outputs"], strict=True):
        got = model([as_cell(row)])[0]
        if record["kind"] == "detector":
            assert_same_objects(got, want)
        else:
            assert_close(got, want, record["tolerance"])


def test_a_model_that_was_trained_further_can_be_read_back(tmp_path):
    model = sensenet.compile(typed(), "keras", optimize=0).model
    before = [each.copy() for each in model.get_weights()]
    model.compile("sgd", "categorical_crossentropy")
    rows = np.array([[1.0, 2, 3], [0, 1, 4]], np.float32)
    model.fit(rows, np.eye(2, dtype=np.float32), epochs=3, verbose=0)
    assert any(not np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))
    model.save(tmp_path / "m.h5")
    graph = load(typed(), tmp_path / "m.h5")
    assert not same_graph(graph, import_graph(typed()))
    expected = make_executable(model).run({"numeric_inputs": rows})
    found = evaluate(graph, {"numeric_inputs": rows})
    np.testing.assert_allclose(found["predictions"], expected["predictions"], rtol=1e-4, atol=1e-6)


def interleaved():
    """An ensemble whose activations Keras has none of, or not under one name."""
    functions = ["leaky_relu", "hard_sigmoid", "mish", "relu6"]
    networks = [
        {"layers": [dense(UNITS, UNITS, name) for name in functions] + [dense(UNITS, 2, None)]},
        {
            "layers": [dense(UNITS, UNITS, "relu") for _ in range(3)]
            + [dense(UNITS, 2, "softmax", offset=None)]
        },
    ]
    return {**branches(), "layers": [], "networks": networks}


DOCUMENTS = [branches, interleaved, typed, legacy_network, ensemble, image, detector]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_our_models_have_the_layers_of_the_files(document):
    pytest.importorskip("tensorflow")
    graph = import_graph(document())
    model = sensenet.compile(graph, "keras", optimize=0).model
    found = [(each.name, [tuple(w.shape) for w in each.weights]) for each in model.layers if each.weights]
    assert found == [
        (node.name, [weight.shape for weight in get_weights(node.op).values()])
        for node in weighted_nodes(graph)
    ]


@pytest.mark.slow
@only_under_keras_3
def test_our_models_have_the_layers_of_the_files_under_keras_2():
    run_under_keras_2(__file__, "-k", "test_our_models_have_the_layers_of_the_files")
