"""create_model's sources, what a model tells of itself, and settings."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

import sensenet
from sensenet.errors import (
    ArtifactError,
    DocumentError,
    SensenetError,
    SettingsError,
    UnknownTargetError,
)
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.models.wrappers import create_image_feature_extractor, create_model
from sensenet.settings import Settings

PREPROCESS = [
    {"type": "numeric", "index": 0, "mean": 1.0, "stdev": 2.0},
    {"type": "categorical", "index": 1, "values": ["a", "b", 3]},
    {"type": "numeric", "index": 2, "zero_value": 0.0, "one_value": 4.0},
]
DENSE = {
    "type": "dense",
    "weights": [[0.5, -1.0], [1.0, 0.25], [-0.5, 2.0], [0.0, 1.0], [1.0, 1.0]],
    "offset": [0.1, 0.2],
    "activation_function": "softmax",
}
CLASSIFIER = {
    "preprocess": PREPROCESS,
    "layers": [DENSE],
    "output_exposition": {"type": "categorical", "values": ["no", "yes"]},
}
REGRESSION = {
    "preprocess": PREPROCESS[:1],
    "layers": [{"type": "dense", "weights": [[2.0]], "offset": [1.0], "activation_function": None}],
    "output_exposition": {"type": "numeric", "mean": 10.0, "stdev": 3.0},
}
RESOURCE = {
    "object": {
        "name": "flowers",
        "input_fields": ["000000", "000001", "000002"],
        "objective_field": "000003",
        "deepnet": {
            "fields": {
                "000000": {"name": "petal length", "optype": "numeric"},
                "000001": {"name": "species", "optype": "categorical"},
                "000002": {"name": "petal width", "optype": "numeric"},
                "000003": {"name": "answer", "optype": "categorical"},
            },
            "network": CLASSIFIER,
        },
    }
}
CONVOLUTION = {
    "type": "convolution_2d",
    "kernel": np.full((1, 1, 3, 2), 0.5).tolist(),
    "bias": [0.0, 1.0],
    "strides": [1, 1],
    "padding": "valid",
    "activation_function": "linear",
}
IMAGES = {
    "preprocess": [{"type": "image", "index": 0}],
    "image_network": {
        "metadata": {"base_image_network": "simple", "input_image_shape": [6, 4, 3], "loading_method": None},
        "layers": [CONVOLUTION, {"type": "global_average_pool_2d"}],
    },
    "layers": [{"type": "dense", "weights": [[1.0], [1.0]], "offset": None, "activation_function": None}],
    "output_exposition": {"type": "numeric", "mean": 0.0, "stdev": 1.0},
}
DETECTOR = {
    "preprocess": [{"type": "image", "index": 0}],
    "image_network": {
        "metadata": {
            "base_image_network": "tinyyolov4",
            "input_image_shape": [4, 4, 3],
            "loading_method": "normalizing",
            "outputs": [{"input": 0, "strides": 4, "anchors": [[2, 2]], "xyscale": 1.0}],
        },
        "layers": [
            {
                **CONVOLUTION,
                "kernel": np.zeros((4, 4, 3, 7)).tolist(),
                "bias": [0, 0, 0, 0, 4.0, 4.0, -4.0],
                "strides": [4, 4],
            }
        ],
    },
    "layers": [],
    "output_exposition": {"type": "bounding_box", "values": ["cat", "dog"]},
}
ROW = [3.0, "b", 2.0]


def expected():
    logits = np.array([1.0, 0.0, 1.0, 0.0, 0.5]) @ DENSE["weights"] + DENSE["offset"]
    return [np.exp(logits) / np.exp(logits).sum()]


@pytest.fixture
def saved(tmp_path):
    """The classifier as every source there is."""
    text = json.dumps(CLASSIFIER)
    (tmp_path / "m.json").write_text(text)
    (tmp_path / "m.json.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "no_suffix").write_text(text)
    numpy = sensenet.compile(CLASSIFIER, "numpy")
    ir = sensenet.compile(CLASSIFIER, "ir")
    numpy.save(tmp_path / "renamed.bin")
    return {
        "dict": CLASSIFIER,
        "text": text,
        "bytes": text.encode(),
        "path": str(tmp_path / "m.json"),
        "Path": tmp_path / "m.json",
        "gzip": tmp_path / "m.json.gz",
        "no suffix": tmp_path / "no_suffix",
        "resource": RESOURCE,
        "artifact": numpy,
        "ir artifact": ir,
        "saved": str(numpy.save(tmp_path / "m.npz")),
        "saved ir": ir.save(tmp_path / "n.ir"),
        "renamed": tmp_path / "renamed.bin",
    }


def test_sources(saved):
    for name, source in saved.items():
        model = create_model(source)
        assert isinstance(model, Deepnet), name
        np.testing.assert_allclose(model(ROW), expected(), rtol=1e-5, err_msg=name)
        assert model.classes == ("no", "yes")


def test_a_model_tells_of_itself():
    model = create_model(RESOURCE)
    assert model._preprocessors == PREPROCESS
    assert model._classes == ["no", "yes"]
    assert (model._ncolumns, model._nimages) == (3, 0)
    assert model.signature.name == "flowers"
    assert model.settings == Settings()
    assert repr(model) == "<Deepnet 'flowers': 3 columns, 2 classes>"
    assert repr(create_model(REGRESSION)) == "<Deepnet: 1 column>"
    assert create_model(REGRESSION)._classes is None
    assert create_model(IMAGES)._nimages == 1


def test_what_is_told_cannot_change_the_model():
    model = create_model(CLASSIFIER)
    model._preprocessors[0]["mean"] = 99
    model._classes.append("maybe")
    assert model._preprocessors == PREPROCESS
    assert model._classes == ["no", "yes"]


def test_a_saved_model_tells_what_it_knows(tmp_path):
    model = create_model(sensenet.compile(RESOURCE, "numpy").save(tmp_path / "m.npz"))
    first, _, last = create_model(RESOURCE)._preprocessors
    values = ["a", "b", None]  # one that is no text matches nothing
    assert model._preprocessors == [first, {"type": "categorical", "index": 1, "values": values}, last]
    assert {"mean", "stdev"} <= set(first)
    assert {"zero_value", "one_value"} <= set(last)
    assert create_model(sensenet.compile(IMAGES, "numpy"))._preprocessors == IMAGES["preprocess"]
    assert [field.name for field in model.signature.fields] == ["petal length", "species", "petal width"]


def test_rows_by_name(tmp_path):
    for source in (RESOURCE, sensenet.compile(RESOURCE, "numpy").save(tmp_path / "m.npz")):
        model = create_model(source)
        row = {"petal length": 3.0, "000001": "b", "petal width": 2.0, "answer": "yes"}
        np.testing.assert_array_equal(model(row), model(ROW))
        np.testing.assert_array_equal(model([row, {}]), model([ROW, [None] * 3]))
        with pytest.raises(SensenetError, match="did you mean 'petal width'"):
            model({"petal widht": 1})
        with pytest.raises(SensenetError, match=r'row 1, column 2 \("petal width"\): cannot read \'x\''):
            model([ROW, [1, "a", "x"]])


def test_regressions():
    assert create_model(REGRESSION)([5.0]).tolist() == [[25.0]]
    assert create_model(REGRESSION, {"regression_normalize": True})([5.0]).tolist() == [[5.0]]


def test_a_missing_number_is_the_mean_or_the_zero_value():
    model = create_model(CLASSIFIER)
    np.testing.assert_array_equal(model([None, "a", None]), model([1.0, "a", 0.0]))


@pytest.mark.parametrize("value", ["a.png", {"color_space": "RGBX"}])
def test_settings_are_checked(value):
    with pytest.raises(SettingsError):
        create_model(CLASSIFIER, value)


def test_settings_of_artifacts_are_fixed(tmp_path):
    artifact = sensenet.compile(REGRESSION, "numpy", settings={"regression_normalize": True})
    path = artifact.save(tmp_path / "m.npz")
    for source in (artifact, path):
        assert create_model(source)([5.0]).tolist() == [[5.0]]
        model = create_model(source, {"regression_normalize": True, "image_path_prefix": "x"})
        assert model.settings == Settings(regression_normalize=True, image_path_prefix="x")
        with pytest.raises(SettingsError, match="'regression_normalize' was fixed as True"):
            create_model(source, {"regression_normalize": False})
    plain = sensenet.compile(REGRESSION, "numpy")
    assert create_model(plain, {"regression_normalize": False})([5.0]).tolist() == [[25.0]]
    with pytest.raises(SettingsError, match="fixed as False"):
        create_model(plain, {"regression_normalize": True})


def test_the_prefix_of_paths(tmp_path):
    from PIL import Image

    Image.fromarray(np.full((2, 2, 3), 8, np.uint8)).save(tmp_path / "a.png")
    settings = {"image_path_prefix": str(tmp_path)}
    assert create_model(IMAGES, settings)("a.png").tolist() == [[25.0]]
    artifact = sensenet.compile(IMAGES, "numpy")
    assert create_model(artifact, settings)(["a.png"]).tolist() == [[25.0]]
    assert create_model(sensenet.compile(IMAGES, "numpy", settings=settings))("a.png").tolist() == [[25.0]]


@pytest.mark.parametrize("source", [None, 3, [], {}, "", "{", b"\xff\xfe", "nowhere.npz", {"layers": 3}])
def test_sources_that_are_none(source):
    with pytest.raises(DocumentError):
        create_model(source)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.npz", b"PK\x03\x04damaged"),
        ("m.tflite", b"\x1c\0\0\0TFL3damaged"),
        ("m.ir", b"sensenet graph\n%x"),
        ("m.smbundle", b"bigml_tensorflow_saved_model_bundle\x01"),
        ("m.bin", b"\0\1\2\3"),
        ("m.json", b""),
    ],
)
def test_damaged_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises((ArtifactError, DocumentError)) as caught:
        create_model(tmp_path / name)
    assert str(tmp_path) in str(caught.value)


def test_every_truncation_of_a_saved_file_is_refused(tmp_path):
    content = bytes(sensenet.compile(CLASSIFIER, "numpy"))
    path = tmp_path / "m.npz"
    for size in range(0, len(content), 97):
        path.write_bytes(content[:size])
        with pytest.raises((ArtifactError, DocumentError)):
            create_model(path)


def test_a_directory_is_no_model(tmp_path):
    with pytest.raises(DocumentError, match="directory"):
        create_model(tmp_path)


def test_an_artifact_of_an_unknown_target():
    import attrs

    artifact = attrs.evolve(sensenet.compile(CLASSIFIER, "numpy"), target="elsewhere")
    with pytest.raises(UnknownTargetError):
        create_model(artifact)


def test_extractors(tmp_path):
    pixels = np.full((4, 6, 3), 2.0)
    expected_features = [[3.0, 4.0]]
    compiled = sensenet.compile(IMAGES, "numpy", settings={"extract_image_features": True})
    for source in (IMAGES, compiled, compiled.save(tmp_path / "x.npz")):
        extractor = create_image_feature_extractor(source, None)
        assert isinstance(extractor, Deepnet)
        for x in (pixels, [pixels], [[pixels]]):
            np.testing.assert_allclose(extractor(x), expected_features)
        assert extractor.settings.extract_image_features is True
    np.testing.assert_allclose(create_model(compiled)(pixels), expected_features)
    with pytest.raises(ArtifactError, match="not a feature extractor"):
        create_image_feature_extractor(sensenet.compile(IMAGES, "numpy"))
    with pytest.raises(DocumentError, match="image_network is missing"):
        create_image_feature_extractor(CLASSIFIER)


def test_detectors(tmp_path):
    pixels = np.zeros((4, 4, 3), np.uint8)
    score = float(1 / (1 + np.exp(-4.0)) ** 2)
    artifact = sensenet.compile(DETECTOR, "numpy")
    for source in (DETECTOR, artifact, artifact.save(tmp_path / "d.npz")):
        model = create_model(source)
        assert isinstance(model, ObjectDetector)
        (found,) = model(pixels)
        assert (found["box"], found["label"]) == ([1, 1, 3, 3], "cat")
        assert found["score"] == pytest.approx(score)
        assert model([pixels, pixels]) == [[found], [found]]
    assert create_model(DETECTOR, {"bounding_box_threshold": 0.99})(pixels) == []
    assert repr(model) == "<ObjectDetector: 1 column, 2 classes>"


@pytest.mark.tensorflow
def test_the_keras_model(tmp_path):
    pytest.importorskip("tensorflow")
    keras = sensenet.compile(CLASSIFIER, "keras")
    saved = sensenet.compile(CLASSIFIER, "numpy").save(tmp_path / "m.npz")
    for source in (
        CLASSIFIER,
        sensenet.compile(CLASSIFIER, "numpy"),
        keras,
        saved,
        keras.save(tmp_path / "m.keras"),
    ):
        model = create_model(source)
        np.testing.assert_allclose(model(ROW), expected(), rtol=1e-5)
        assert model._model is model._model
        np.testing.assert_allclose(model._model(np.array([[3.0, 1.0, 2.0]], "f4")), expected(), rtol=1e-5)


def test_tflite(tmp_path):
    pytest.importorskip("ai_edge_litert")
    artifact = sensenet.compile(RESOURCE, "tflite")
    path = artifact.save(tmp_path / "m.tflite")
    model = create_model(path)
    np.testing.assert_allclose(model(ROW), expected(), rtol=1e-5)
    np.testing.assert_allclose(
        model({"petal length": 3, "species": "b", "petal width": 2}), expected(), rtol=1e-5
    )
    assert model(np.zeros((0, 3))).shape == (0, 2)
    assert model._classes == ["no", "yes"]
    with pytest.raises(ArtifactError, match="without a Keras model or a graph"):
        model._model  # noqa: B018
    assert create_model(artifact)._model is not None
