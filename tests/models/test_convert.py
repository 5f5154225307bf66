"""Models in other formats: `convert`, the methods that save, and weights that are loaded later."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.documents import FEATURES, dense, detector, image, legacy_network, network, structure, typed

import sensenet
from sensenet.errors import ArtifactError, InputError, UnknownTargetError
from sensenet.frontend.strip import strip_weights
from sensenet.models.wrappers import convert, create_model, tflite_predict

ROWS = [[2.5, "green", 3], [None, "purple", None]]
TOLERANCE = {"atol": 2e-6, "rtol": 2e-5}


@pytest.fixture
def image_path(tmp_path):
    path = tmp_path / "image.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def sources(tmp_path, document):
    """The document in every form that `convert` takes."""
    path = tmp_path / "document.json"
    path.write_text(json.dumps(document))
    bundle = sensenet.compile(document, "smbundle").save(tmp_path / "document.smbundle")
    return {"dict": document, "path": str(path), "wrapper": create_model(document), "bundle": str(bundle)}


@pytest.mark.tensorflow
@pytest.mark.parametrize("form", ["dict", "path", "wrapper", "bundle"])
@pytest.mark.parametrize("suffix", ["tflite", "smbundle"])
def test_every_form_is_converted(tmp_path, form, suffix):
    output = tmp_path / f"made.{suffix}"
    convert(sources(tmp_path, typed())[form], None, output, suffix)
    assert np.allclose(create_model(output)(ROWS), create_model(typed())(ROWS), **TOLERANCE)


def test_weights_are_converted_and_loaded_into_the_document_without_them(tmp_path):
    pytest.importorskip("h5py")
    document = legacy_network()
    convert(document, None, tmp_path / "made.h5", "h5")
    model = create_model(strip_weights(document))
    row = [[1.0, "red", 2.0]]
    expected = create_model(document)(row)
    assert not np.allclose(model(row), expected)
    model.load_weights(tmp_path / "made.h5")
    assert np.array_equal(model(row), expected)
    with pytest.raises(ArtifactError, match=r"made\.h5"):
        create_model(typed()).load_weights(tmp_path / "made.h5")
    assert np.array_equal(model(row), expected)


@pytest.mark.tensorflow
def test_a_wrappers_settings_win(tmp_path):
    regression = typed() | {"output_exposition": {"type": "numeric", "mean": 5.0, "stdev": 2.0}}
    normalized = create_model(regression, {"regression_normalize": True})
    convert(normalized, {"regression_normalize": False}, tmp_path / "a.tflite", "tflite")
    convert(regression, {"regression_normalize": True}, tmp_path / "b.tflite", "tflite")
    for name in ("a.tflite", "b.tflite"):
        assert np.allclose(create_model(tmp_path / name)(ROWS), normalized(ROWS), **TOLERANCE)


@pytest.mark.tensorflow
def test_the_methods_of_the_published_wrappers(tmp_path):
    model = create_model(typed())
    model.save_bundle(tmp_path / "made", tfjs_path=tmp_path / "js")
    model.save_weights(tmp_path / "made.h5")
    assert (tmp_path / "js" / "model.json").is_file()
    assert np.allclose(create_model(tmp_path / "made.smbundle")(ROWS), model(ROWS), **TOLERANCE)
    with pytest.raises(ArtifactError, match="exists"):
        model.save_bundle(tmp_path / "made.smbundle")


@pytest.mark.tensorflow
def test_the_keras_model_is_the_network_as_trained():
    model = create_model(structure())
    names = [layer.name for layer in model._model.layers]
    assert any("layer_1" in name for name in names)
    assert sum("batch" in type(layer).__name__.lower() for layer in model._model.layers) == 1
    assert model._model is model._model


def test_what_sensenet_wrote_is_replaced(tmp_path):
    path = tmp_path / "x.tflite"
    convert(typed(), None, path, "tflite")
    convert(network([dense(FEATURES, 2, "softmax")]), None, path, "tflite")
    assert np.allclose(
        create_model(path)(ROWS), create_model(network([dense(FEATURES, 2, "softmax")]))(ROWS), **TOLERANCE
    )


@pytest.mark.parametrize("content", [b"mine", b"\x1c\0\0\0TFL3" + bytes(64)], ids=["anything", "a model"])
def test_what_sensenet_did_not_write_is_kept(tmp_path, content):
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="already exists"):
        convert(typed(), None, path, "tflite")
    assert path.read_bytes() == content


@pytest.mark.tensorflow
def test_weights_are_not_replaced(tmp_path):
    pytest.importorskip("h5py")
    convert(typed(), None, tmp_path / "x.h5", "h5")
    with pytest.raises(ArtifactError, match="already exists"):
        convert(typed(), None, tmp_path / "x.h5", "h5")


def test_what_cannot_be_converted_is_told(tmp_path):
    with pytest.raises(UnknownTargetError, match="tflite, tfjs, smbundle, h5"):
        convert(typed(), None, tmp_path / "x", "onnx")
    with pytest.raises(ArtifactError, match="directory"):
        convert(typed(), None, tmp_path / "none" / "x.h5", "h5")
    optimized = sensenet.compile(typed(), "numpy").save(tmp_path / "x.npz")
    with pytest.raises(ArtifactError, match="trained"):
        convert(optimized, None, tmp_path / "x.h5", "h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npz"]


@pytest.mark.tensorflow
def test_a_tflite_file_answers_with_its_arrays(tmp_path, image_path):
    document = image()
    document["preprocess"] = document["preprocess"][:1]
    document["layers"][0]["weights"] = document["layers"][0]["weights"][:3]
    convert(document, None, tmp_path / "image.tflite", "tflite")
    (answer,) = tflite_predict(tmp_path / "image.tflite", image_path)
    assert np.allclose(answer, create_model(document)(str(image_path)), **TOLERANCE)
    convert(detector(), None, tmp_path / "detector.tflite", "tflite")
    assert len(tflite_predict(str(tmp_path / "detector.tflite"), str(image_path))) == 4
    with pytest.raises(InputError, match="none"):
        tflite_predict(tmp_path / "image.tflite", tmp_path / "none.png")
    convert(typed(), None, tmp_path / "rows.tflite", "tflite")
    with pytest.raises(ArtifactError, match="does not read one image alone"):
        tflite_predict(tmp_path / "rows.tflite", image_path)


@pytest.mark.tensorflow
@pytest.mark.parametrize("make", [image, detector])
def test_bundles_keep_the_graph_that_they_were_made_of(tmp_path, make, image_path):
    bundle = sensenet.compile(make(), "smbundle").save(tmp_path / "a.smbundle")
    again = sensenet.compile(bundle, "numpy")
    assert again.graph.signature == sensenet.compile(make(), "numpy").graph.signature
    cells = str(image_path) if make is detector else [[str(image_path), 1.0]]
    found, expected = (create_model(source)(cells) for source in (again, make()))
    assert found == expected if make is detector else np.allclose(found, expected, **TOLERANCE)
    assert Path(bundle).stat().st_size > 1000
