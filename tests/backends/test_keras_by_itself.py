"""Keras opens saved files in a fresh process: most by itself, the others after one import of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from support.documents import FEATURES, ROW, dense, detector, ensemble, image, legacy_network, network, typed
from support.keras_2 import LEGACY

import sensenet
from sensenet.backends import get_target
from sensenet.ir.activation import ActivationFunction

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

SAVE = """if True:
    import sys, sensenet
    sys.path.insert(0, "tests")
    from support import documents
    sensenet.compile(getattr(documents, sys.argv[2])(), "keras", optimize=int(sys.argv[3])).save(sys.argv[1])
"""
OPEN = """if True:
    import sensenet.keras
    import importlib, json, sys
    keras = importlib.import_module(sys.argv[2])
    model = keras.models.load_model(sys.argv[1])
    rows = json.loads(sys.argv[3])
    import numpy
    print(json.dumps(numpy.asarray(model(numpy.asarray(rows, numpy.float32))).tolist()))
"""
SAVERS = {"typed": typed, "ensemble": ensemble}


@pytest.mark.parametrize(("package", "legacy"), [("keras", "0"), ("tf_keras", "1")])
@pytest.mark.parametrize(("name", "level"), [("typed", 0), ("ensemble", 2)])
def test_keras_opens_files_after_one_import(tmp_path, package, legacy, name, level):
    pytest.importorskip(package)
    path = tmp_path / "model.keras"
    model = sensenet.create_model(SAVERS[name]())
    rows = model.encode([list(ROW)] * 2)["numeric_inputs"].tolist()

    def run(code, *arguments):
        command = [sys.executable, "-c", code, str(path), *arguments]
        environment = os.environ | {LEGACY: legacy}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    run(SAVE, name, str(level))
    found = np.array(json.loads(run(OPEN, package, json.dumps(rows)).splitlines()[-1]))
    np.testing.assert_allclose(found, model([list(ROW)] * 2), rtol=1e-4, atol=1e-6)


ALONE = """if True:
    import keras, numpy, pathlib, sys
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.keras")):
        model = keras.saving.load_model(path)
        with numpy.load(path.with_suffix(".inputs.npz")) as feed:
            inputs = dict(feed)
        results = model(inputs if len(inputs) > 1 else next(iter(inputs.values())))
        numpy.save(path.with_suffix(".npy"), results)
    print("sensenet" in sys.modules)
"""

IN_LAYERS = [function.value for function in ActivationFunction]


def activations():
    """A layer for each activation function, and each as a layer of its own."""
    layers = [
        layer
        for name in IN_LAYERS
        for layer in (dense(FEATURES, FEATURES, name), {"type": "activation", "activation_function": name})
    ]
    return network([*layers, dense(FEATURES, 2, "softmax")])


def warped():
    """An image and a number, with the image scaled in either direction."""
    document = image()
    document["image_network"]["metadata"]["rescale_type"] = "warp"
    return document


TABLES = {
    "typed": typed(),
    "legacy": legacy_network(),
    "ensemble": ensemble(),
    "iris": "examples/iris.json",
    "diabetes": "examples/diabetes.json",
    "warped": warped(),
}
SAVED = {
    **{f"{name}-{level}": (document, level) for name, document in TABLES.items() for level in (0, 1, 2)},
    **{f"activations-{level}": (activations(), level) for level in (1, 2)},
}


def draw(model):
    """Rows for a model's inputs, with images of another size than the network's."""
    generator = np.random.default_rng(0)
    shapes = {tensor.name: [7 if size is None else size for size in tensor.shape] for tensor in model.inputs}
    return {
        name: generator.choice(np.float32([-3, 0, 0.5, 1, 2, 3.25]), size=shape)
        for name, shape in shapes.items()
    }


def test_keras_opens_files_by_itself(tmp_path):
    pytest.importorskip("keras")
    wanted = {}
    for name, (document, level) in SAVED.items():
        artifact = sensenet.compile(document, "keras", optimize=level)
        feed = draw(artifact.model)
        path = artifact.save(tmp_path / f"{name}.keras")
        np.savez(path.with_suffix(".inputs.npz"), **feed)
        (wanted[name],) = get_target("keras").open(path).run(feed).values()
    environment = {key: value for key, value in os.environ.items() if key != LEGACY}
    command = [sys.executable, "-c", ALONE, str(tmp_path)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.stdout == "False\n", result.stderr[-3000:]
    for name, want in wanted.items():
        found = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(found, want, rtol=2e-5, atol=2e-6, err_msg=name)


def test_layers_of_ours_are_in_the_files_of_detectors_only_where_it_says_so():
    """docs/targets.md lists what keeps a file from being opened without the import."""
    kinds = {type(layer).__name__ for layer in sensenet.compile(detector(), "keras").model.layers}
    assert "OpLayer" in kinds
    for document in TABLES.values():
        kinds = {type(layer).__name__ for layer in sensenet.compile(document, "keras").model.layers}
        assert not kinds & {"OpLayer", "BlockDropout"}
