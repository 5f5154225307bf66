"""The engine of a call: chosen by the model, or named; each gives the same answers, to all threads."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from support.documents import ROW, detector, image, typed

import sensenet
from sensenet.artifact import Executable
from sensenet.backends import TARGETS
from sensenet.errors import ArtifactError, MissingPackageError, UnknownTargetError, UnsupportedOpError
from sensenet.frontend import import_graph
from sensenet.models import engines
from sensenet.models.engines import ENGINES, choose_engine, run_graph
from sensenet.models.wrappers import create_image_feature_extractor, create_model
from sensenet.pretrained import get_pretrained_network

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WITHOUT_TENSORFLOW = {
    "numpy": (),
    "ir": (),
    "native": pytest.mark.skipif(not find_spec("llvmlite"), reason="needs llvmlite"),
    "tflite": pytest.mark.skipif(not find_spec("ai_edge_litert"), reason="needs LiteRT"),
}
THREADS, CALLS = 8, 25

EACH_ENGINE = pytest.mark.parametrize(
    "engine",
    [pytest.param(name, marks=WITHOUT_TENSORFLOW.get(name, pytest.mark.tensorflow)) for name in ENGINES],
)


OF_IMAGES = pytest.mark.parametrize(
    "engine",
    [
        pytest.param(name, marks=WITHOUT_TENSORFLOW.get(name, pytest.mark.tensorflow))
        for name, target in ENGINES.items()
        if target.runs
    ],
)
"""The engines that take any graph; others take those of rows."""


def images(count):
    """Images of three sizes."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (20 + number % 3, 30, 3), np.uint8) for number in range(count)]


@pytest.fixture
def heavy(monkeypatch):
    """Any network of images counts as one with many multiplications."""
    monkeypatch.setattr(engines, "LARGE_IMAGE", 1)


def test_every_target_that_runs_is_an_engine():
    assert set(TARGETS) - set(ENGINES) == {"c", "h5", "wasm", "web"}


@EACH_ENGINE
def test_engines_agree(engine):
    model = create_model(typed(), engine=engine)
    assert model.engine == engine
    rows = [list(ROW), [None, "red", 3], [1e3, "no such colour", 10]]
    np.testing.assert_allclose(model(rows), create_model(typed())(rows), 1e-5, 1e-6)


@OF_IMAGES
def test_engines_agree_on_images(engine):
    found = images(5)
    model, extract = (make(image(), engine=engine) for make in (create_model, create_image_feature_extractor))
    expected = create_model(image())
    rows = [[pixels, 2.5] for pixels in found]
    np.testing.assert_allclose(model(rows), expected(rows), 1e-4, 1e-5)
    features = create_image_feature_extractor(image())
    alone = [[pixels] for pixels in found]
    np.testing.assert_allclose(extract(alone), features(alone), 1e-4, 1e-5)


@OF_IMAGES
def test_engines_agree_on_detections(engine):
    found = images(5)
    answers, expected = (create_model(detector(), engine=name)(found) for name in (engine, None))
    assert [[box["label"] for box in boxes] for boxes in answers] == [
        [box["label"] for box in boxes] for boxes in expected
    ]


@EACH_ENGINE
def test_threads_share_a_model(engine):
    """Each thread asks for other rows, of another number, and gets the answers to those."""
    model = create_model(typed(), engine=engine)
    random = np.random.default_rng(0)
    rows = [[[value, "green", value] for value in random.normal(size=1 + n).tolist()] for n in range(THREADS)]
    expected = [model(each) for each in rows]
    begin = threading.Barrier(THREADS)

    def call(number):
        begin.wait()
        return [model(rows[number]) for _ in range(CALLS)]

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(call, range(THREADS)))
    for given, wanted in zip(answers, expected, strict=True):
        for answer in given:
            np.testing.assert_allclose(answer, wanted, 1e-5, 1e-6)


def test_rows_are_answered_in_machine_code():
    pytest.importorskip("llvmlite")
    assert choose_engine(import_graph(typed())) == "native"
    assert create_model(typed()).engine == "native"


def test_rows_are_interpreted_without_llvmlite(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None)
    assert create_model(typed()).engine == "numpy"
    with pytest.raises(MissingPackageError, match="native"):
        create_model(typed(), engine="native")


def test_small_images_are_interpreted():
    for document in (image(), detector()):
        assert choose_engine(import_graph(document)) == "numpy"
        assert create_model(document).engine == "numpy"


def test_images_have_no_machine_code():
    with pytest.raises(UnsupportedOpError, match="native code"):
        create_model(image(), engine="native")


@pytest.mark.parametrize("name", ["mobilenetv2", "resnet50", "tinyyolov4"])
@pytest.mark.parametrize("package", ["ai_edge_litert", "tensorflow"])
def test_large_networks_of_images_run_in_litert_where_something_runs_its_files(name, package, monkeypatch):
    graph = import_graph(get_pretrained_network(name))
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: wanted == package or None)
    assert choose_engine(graph) == "tflite"
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None)
    assert choose_engine(graph) == "numpy"


def test_a_chosen_engine_is_made_at_the_first_call(heavy, monkeypatch):
    made = []

    def make(graph, engine):
        made.append(engine)
        answers = {"predictions": np.zeros((1, 2), np.float32)}
        return Executable(signature=graph.signature, run=lambda inputs: answers)

    monkeypatch.setattr(engines, "make_executable", make)
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: True)
    executable = run_graph(import_graph(image()))
    assert (executable.engine, made) == ("tflite", [])
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(executable.run, [{}] * THREADS))
    assert made == ["tflite"]
    run_graph(import_graph(image()), "keras")
    assert made == ["tflite", "keras"]


def test_a_chosen_engine_answers(heavy):
    pytest.importorskip("ai_edge_litert")
    model = create_model(image())
    found = images(3)
    rows = [[pixels, 2.5] for pixels in found]
    assert model.engine == "tflite"
    np.testing.assert_allclose(model(rows), create_model(image(), engine="numpy")(rows), 1e-4, 1e-5)


def test_unknown_engines_are_refused(tmp_path):
    artifact = sensenet.compile(typed(), "numpy")
    path = artifact.save(tmp_path / "m.npz")
    for source in (typed(), artifact, path):
        for engine in ("h5", "unknown", ""):
            with pytest.raises(
                UnknownTargetError, match=f"unknown engine '{engine}'; expected one of: ir, numpy, keras"
            ):
                create_model(source, engine=engine)
    with pytest.raises(UnknownTargetError, match="unknown engine"):
        create_image_feature_extractor(image(), engine="torch")


def test_an_engine_that_is_not_installed_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'sensenet-compiler\[tensorflow\]'"):
        create_model(typed(), engine="keras")


def test_artifacts_run_in_their_own_runtime_unless_an_engine_is_named(tmp_path):
    artifact = sensenet.compile(typed(), "ir")
    path = artifact.save(tmp_path / "m.ir")
    expected = create_model(typed())(list(ROW))
    for source in (artifact, path):
        own, other = create_model(source), create_model(source, engine="numpy")
        assert (own.engine, other.engine) == ("ir", "numpy")
        np.testing.assert_allclose(own(list(ROW)), expected, 1e-5)
        np.testing.assert_allclose(other(list(ROW)), expected, 1e-5)


@pytest.mark.tensorflow
def test_saved_files_run_in_another_engine_if_they_keep_their_graph(tmp_path):
    expected = create_model(typed())(list(ROW))
    bundle = sensenet.compile(typed(), "smbundle").save(tmp_path / "m.smbundle")
    model = create_model(bundle, engine="numpy")
    assert model.engine == "numpy"
    np.testing.assert_allclose(model(list(ROW)), expected, 1e-5)
    flatbuffer = sensenet.compile(typed(), "tflite").save(tmp_path / "m.tflite")
    assert create_model(flatbuffer).engine == create_model(flatbuffer, engine="tflite").engine == "tflite"
    with pytest.raises(ArtifactError, match="compiled for tflite and does not contain its graph"):
        create_model(flatbuffer, engine="numpy")


def test_loading_weights_keeps_the_engine(tmp_path):
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("h5py")
    model = create_model(typed(), engine="tflite")
    model.save_weights(tmp_path / "w.h5")
    before = model(list(ROW))
    model.load_weights(tmp_path / "w.h5")
    assert model.engine == "tflite"
    np.testing.assert_allclose(model(list(ROW)), before, 1e-6)


def test_rows_import_no_tensorflow(tmp_path):
    """Also where the model has categories, and many rows are asked for."""
    path = tmp_path / "model.json"
    path.write_text(json.dumps(typed()))
    code = f"""if True:
        import sys
        from sensenet.models.wrappers import create_model
        create_model({str(path)!r})([{list(ROW)!r}] * 10_000)
        print(*({{"tensorflow", "keras", "ai_edge_litert"}} & set(sys.modules)))
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "\n"


ON_LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure memory")


@ON_LINUX
@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize(("engine", "calls"), [("numpy", 50_000), ("tflite", 50_000), ("keras", 10_000)])
def test_predicting_leaks_no_memory(engine, calls):
    """The same, a million calls long, is `benchmarks/soak.py`."""
    command = [sys.executable, BENCHMARKS / "soak.py", "--engines", engine, "--calls", str(calls)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("MB") == 2


def test_a_leak_is_noticed(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    soak = importlib.import_module("soak")
    # what Python has allocated: the memory of a process depends on what ran before
    monkeypatch.setattr(soak, "own_megabytes", lambda: tracemalloc.get_traced_memory()[0] / 1e6)
    tracemalloc.start()
    kept = []
    assert soak.growth(lambda: kept.append(bytearray(20_000)), 1000) > soak.LIMIT
    kept.clear()
    assert soak.growth(lambda: bytearray(20_000), 1000) < soak.LIMIT
    tracemalloc.stop()
