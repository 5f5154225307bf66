"""Models in other processes: the same answers, settings and engine, whatever they were made from."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
import shutil
import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
from support.pools import predict

import sensenet
from sensenet.artifact import Executable
from sensenet.errors import ArtifactError
from sensenet.ir.printer import print_graph
from sensenet.models.settings import Settings

IRIS = Path(__file__).parents[2] / "examples" / "iris.json"
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, None]]
PACKAGES = {"native": "llvmlite", "tflite": "ai_edge_litert", "onnx": "onnxruntime"}
PACKAGES |= dict.fromkeys(["keras", "savedmodel", "smbundle", "tfjs"], "tensorflow")
ENGINES = ["ir", "numpy", *PACKAGES]
UNREADABLE = ["native"]  # its files are for compilers


def require(engine):
    if engine in PACKAGES:
        pytest.importorskip(PACKAGES[engine])


def image_document(kind="classifier"):
    """A network of images so small that each engine has it at once."""
    kernel = [[[[0.01 * (i + j) for j in range(8)] for i in range(3)]]]
    layer = {
        "type": "convolution_2d",
        "kernel": kernel,
        "bias": None,
        "strides": [1, 1],
        "padding": "valid",
        "activation_function": "linear",
    }
    if kind == "detector":
        metadata = {
            "base_image_network": "tinyyolov4",
            "input_image_shape": [4, 4, 3],
            "outputs": [{"input": 0, "strides": 2, "anchors": [[2, 2]], "xyscale": 1.05}],
            "loading_method": "normalizing",
        }
        layer = {**layer, "strides": [2, 2]}
        layers, dense = [layer], []
        exposition = {"type": "bounding_box", "values": ["a", "b", "c"]}
    else:
        metadata = {"input_image_shape": [4, 4, 3], "loading_method": "normalizing"}
        layers = [layer, {"type": "global_average_pool_2d"}]
        dense = [{"type": "dense", "weights": [[1.0]] * 8, "offset": None, "activation_function": "linear"}]
        exposition = {"type": "numeric", "mean": 0, "stdev": 1}
    return {
        "preprocess": [{"type": "image", "index": 0}],
        "layers": dense,
        "image_network": {"metadata": metadata, "layers": layers},
        "output_exposition": exposition,
    }


def copies(value):
    joblib = pytest.importorskip("joblib")
    stream = io.BytesIO()
    joblib.dump(value, stream)
    stream.seek(0)
    return [
        pickle.loads(pickle.dumps(value)),
        cloudpickle.loads(cloudpickle.dumps(value)),
        copy.deepcopy(value),
        joblib.load(stream),
    ]


def require_same(again, model, x):
    assert type(again) is type(model)
    assert again.engine == model.engine
    assert again.settings == model.settings
    assert type(again.settings) is type(model.settings)
    assert again.signature == model.signature
    assert again._preprocessors == model._preprocessors
    found, wanted = again(x), model(x)
    if isinstance(wanted, list):
        assert found == wanted
    else:
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("engine", ENGINES)
def test_models_of_documents(engine):
    require(engine)
    model = sensenet.create_model(IRIS, engine=engine)
    for again in (
        copies(model) if engine in ("numpy", "native", "tflite") else [pickle.loads(pickle.dumps(model))]
    ):
        require_same(again, model, ROWS)
        require_same(pickle.loads(pickle.dumps(again)), model, ROWS)


def count_calls(action):
    """The calls of functions, those of C too: a measure of work that is the same each time."""
    calls = 0

    def note(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return calls


def test_opening_a_copy_is_no_more_work_than_opening_the_artifact(tmp_path, monkeypatch):
    """With machine code too: LLVM compiles for neither, until there are enough rows."""
    require("native")
    path = sensenet.compile(IRIS, "numpy").save(tmp_path / "model.npz")
    model = sensenet.create_model(path, engine="native")
    content = pickle.dumps(model)
    compiled = []
    monkeypatch.setattr("sensenet.backends.native.compiled.compile_module", lambda _: compiled.append(1))
    counts = []
    for action in (
        lambda: sensenet.create_model(path, engine="native")(ROWS),
        lambda: pickle.loads(content)(ROWS),
    ):
        action()  # imports, and fills caches
        counts.append(count_calls(action))
    assert counts[1] <= counts[0]
    assert not compiled


@pytest.mark.parametrize("engine", ENGINES)
def test_artifacts_and_saved_ones(engine, tmp_path):
    require(engine)
    artifact = sensenet.compile(IRIS, engine)
    path = artifact.save(tmp_path / f"model{'.keras' if engine == 'keras' else ''}")
    saved = [] if engine in UNREADABLE else [path]
    for source in (artifact, pickle.loads(pickle.dumps(artifact)), *saved):
        model = sensenet.create_model(source)
        again = pickle.loads(pickle.dumps(model))
        require_same(again, model, ROWS)
        require_same(pickle.loads(pickle.dumps(again)), model, ROWS)


@pytest.mark.parametrize(
    ("target", "package"),
    [("h5", "h5py"), ("c", "ai_edge_litert"), ("wasm", "llvmlite"), ("web", "llvmlite")],
)
def test_an_artifact_that_is_not_opened(target, package):
    """Its file does not run by itself, so the graph goes along."""
    pytest.importorskip(package)
    model = sensenet.create_model(sensenet.compile(IRIS, target))
    again = pickle.loads(pickle.dumps(model))
    require_same(again, model, ROWS)
    require_same(pickle.loads(pickle.dumps(again)), model, ROWS)


def test_a_saved_model_of_tensorflow_js_by_its_file(tmp_path):
    require("tfjs")
    sensenet.compile(IRIS, "tfjs").save(tmp_path / "model")
    model = sensenet.create_model(tmp_path / "model" / "model.json", engine="tfjs")
    require_same(pickle.loads(pickle.dumps(model)), model, ROWS)


@pytest.mark.parametrize("engine", ["numpy", "ir", "tflite", "savedmodel"])
def test_saved_ones_whose_files_are_gone_or_others(engine, tmp_path):
    require(engine)
    path = sensenet.compile(IRIS, engine).save(tmp_path / "model")
    model = sensenet.create_model(path)
    wanted = model(ROWS)
    sensenet.compile(IRIS, engine, optimize=0).save(path, force=True)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model))(ROWS), wanted, rtol=1e-5)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model))(ROWS), wanted, rtol=1e-5)


def test_trained_weights_come_along():
    require("keras")
    model = sensenet.create_model(sensenet.compile(IRIS, "keras", optimize=0))
    last = next(layer for layer in reversed(model._model.layers) if layer.get_weights())
    last.set_weights([weights + 1 for weights in last.get_weights()[:-1]] + last.get_weights()[-1:])
    require_same(pickle.loads(pickle.dumps(model)), model, ROWS)


@pytest.mark.parametrize("given", [dict, Settings, lambda values: sensenet.Settings(**values)])
@pytest.mark.parametrize("kind", ["classifier", "detector", "extractor"])
def test_images_settings_and_the_prefix(kind, given, tmp_path):
    from PIL import Image

    Image.new("RGB", (5, 3), (200, 100, 50)).save(tmp_path / "image.png")
    values = {"image_path_prefix": str(tmp_path)}
    if kind == "detector":
        values |= {"bounding_box_threshold": 0.1, "max_objects": 3}
    make = sensenet.create_image_feature_extractor if kind == "extractor" else sensenet.create_model
    model = make(image_document(kind), given(values))
    assert model("image.png") is not None
    for again in copies(model):
        require_same(again, model, "image.png")


def test_a_graph_of_many_layers_one_after_the_other():
    """Deeper than pickle follows objects."""
    dense = {"type": "dense", "weights": [[1.0]], "offset": [0.5], "activation_function": "tanh"}
    document = {
        "preprocess": [{"type": "numeric", "index": 0, "mean": 0, "stdev": 1}],
        "layers": [dense] * 1500,
        "output_exposition": {"type": "numeric", "mean": 0, "stdev": 1},
    }
    graph = sensenet.compile(document, "ir", optimize=0).graph
    assert print_graph(pickle.loads(pickle.dumps(graph))) == print_graph(graph)


def test_reports_and_files_of_artifacts():
    artifact = sensenet.compile(IRIS, "ir")
    again = pickle.loads(pickle.dumps(artifact))
    assert again.report == artifact.report
    assert again.files == artifact.files
    assert (again.separate_files, again.bridge, again.layout) == (True, artifact.bridge, None)


def test_an_executable_alone():
    executable = Executable(signature=sensenet.create_model(IRIS).signature, run=dict)
    with pytest.raises(ArtifactError, match="pickle a model from create_model instead"):
        pickle.dumps(executable)


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_pools_of_processes(method):
    models = [sensenet.create_model(IRIS)]
    if "ai_edge_litert" in sys.modules:
        models.append(sensenet.create_model(IRIS, engine="tflite"))
    with multiprocessing.get_context(method).Pool(1) as pool:
        for model in models:
            answers, engine = pool.apply(predict, (model, ROWS))
            assert engine == model.engine
            np.testing.assert_array_equal(answers, model(ROWS))
