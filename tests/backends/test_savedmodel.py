"""The targets savedmodel and smbundle: both signatures, the assets, and damaged or foreign files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.documents import detector, ensemble, image, typed

import sensenet
from sensenet.backends.formats.smbundle import pack, unpack
from sensenet.errors import ArtifactError
from sensenet.models.wrappers import create_model

pytestmark = pytest.mark.tensorflow

IRIS = Path(__file__).parents[2] / "examples" / "iris.json"
ROWS = [[2.5, "green", 3], [None, "purple", None], [-1, "blue", 10]]


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Paths of two images of different sizes."""
    directory = tmp_path_factory.mktemp("images")
    paths = []
    for number, size in enumerate([(40, 60), (31, 17)]):
        pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)
        paths.append(directory / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def saved(tmp_path, document, **options):
    """The path of a document's SavedModel."""
    path = tmp_path / "model"
    sensenet.compile(document, target="savedmodel", **options).save(path)
    return path


@pytest.mark.parametrize("target", ["savedmodel", "smbundle"])
@pytest.mark.parametrize("make", [typed, ensemble])
def test_saved_models_predict_as_the_interpreter_does(tmp_path, target, make):
    artifact = sensenet.compile(make(), target=target)
    path = artifact.save(tmp_path / "model")
    expected = create_model(make())(ROWS)
    for model in (create_model(artifact), create_model(path), create_model(path, engine=target)):
        assert np.allclose(model(ROWS), expected, atol=2e-6, rtol=2e-5)
        assert model(np.zeros((0, 3))).shape == (0, expected.shape[1])


def test_rows_are_given_by_the_names_of_their_fields(tf, tmp_path):
    serve = tf.saved_model.load(saved(tmp_path, IRIS)).signatures["predict_row"]
    assert set(serve.structured_input_signature[1]) == {
        "sepal_length",
        "sepal_width",
        "petal_length",
        "petal_width",
    }
    cells = {"sepal_length": [5.1, np.nan], "sepal_width": [3.5, 3.0], "petal_length": [1.4, np.nan]}
    tensors = {name: tf.constant(values, tf.float32) for name, values in cells.items()}
    answer = serve(**tensors, petal_width=tf.constant([0.2, 1.8]))
    model = create_model(IRIS)
    expected = model([[5.1, 3.5, 1.4, 0.2], [None, 3.0, None, 1.8]])
    assert np.allclose(answer["scores"], expected, atol=2e-6, rtol=2e-5)
    assert [label.decode() for label in answer["label"].numpy()] == [
        model.classes[best] for best in expected.argmax(axis=1)
    ]
    assert answer["classes"].numpy().tolist() == [[name.encode() for name in model.classes]] * 2


def test_categories_are_looked_up_in_the_graph(tf, tmp_path):
    serve = tf.saved_model.load(saved(tmp_path, typed())).signatures["predict_row"]
    numbers = {
        "column_0": tf.constant([2.5, np.nan, -1.0]),
        "column_2": tf.constant([3.0, np.nan, 10.0]),
    }
    answer = serve(column_1=tf.constant(["green", "purple", "blue"]), **numbers)
    assert np.allclose(answer["scores"], create_model(typed())(ROWS), atol=2e-6, rtol=2e-5)


def test_images_of_any_size_are_decoded_in_the_graph(tf, tmp_path, images):
    serve = tf.saved_model.load(saved(tmp_path, image())).signatures["predict_row"]
    encoded = tf.constant([path.read_bytes() for path in images] + [b""])
    answer = serve(column_0=encoded, column_1=tf.constant([2.5, np.nan, 1.0]))
    rows = [[str(images[0]), 2.5], [str(images[1]), None], [None, 1.0]]
    assert np.allclose(answer["scores"], create_model(image())(rows), atol=2e-6, rtol=2e-5)


def test_a_detector_takes_encoded_images_and_gives_labels(tf, tmp_path, images):
    settings = {"bounding_box_threshold": 0.01}
    path = saved(tmp_path, detector(), settings=settings)
    serve = tf.saved_model.load(path).signatures["predict_row"]
    answer = serve(column_0=tf.constant([path.read_bytes() for path in images]))
    expected = create_model(detector(), settings)([str(path) for path in images])
    for row, objects in enumerate(expected):
        valid = int(answer["valid"][row])
        assert answer["boxes"][row, :valid].numpy().tolist() == [each["box"] for each in objects]
        assert [label.decode() for label in answer["labels"][row, :valid].numpy()] == [
            each["label"] for each in objects
        ]
    assert create_model(path)([str(path) for path in images]) == [
        [{**each, "score": pytest.approx(each["score"], abs=1e-5)} for each in objects]
        for objects in expected
    ]


def test_an_extractor_gives_features(tf, tmp_path, images):
    settings = {"extract_image_features": True}
    path = saved(tmp_path, image(), settings=settings)
    serve = tf.saved_model.load(path).signatures["predict_row"]
    answer = serve(column_0=tf.constant([path.read_bytes() for path in images]))
    expected = create_model(image(), settings)([[str(path)] for path in images])
    assert np.allclose(answer["features"], expected, atol=2e-6, rtol=2e-5)


def test_names_of_cells_are_distinct_and_can_be_arguments(tf, tmp_path):
    resource = json.loads(IRIS.read_text())
    names = ["1st width", "température °C", "Width", "width"]
    fields = resource["deepnet"]["fields"] if "fields" in resource["deepnet"] else resource["fields"]
    for id_, name in zip(resource["input_fields"], names, strict=True):
        fields[id_]["name"] = name
    serve = tf.saved_model.load(saved(tmp_path, resource)).signatures["predict_row"]
    assert set(serve.structured_input_signature[1]) == {"column_0", "temp_rature_C", "Width", "width_2"}


def test_the_assets_say_what_a_caller_must_know(tmp_path):
    path = saved(tmp_path, typed())
    settings = json.loads((path / "assets" / "settings.json").read_text())
    assert settings["_classes"] == ["yes", "no"]
    assert (settings["_ncolumns"], settings["_nimages"], settings["deepnet_type"]) == (3, 0, "Deepnet")
    assert settings["_preprocessors"][1] == {
        "type": "categorical",
        "index": 1,
        "values": ["red", "green", "blue"],
    }
    assert create_model(path).classes == ("yes", "no")


def without_statistics(path):
    """Rewrite a SavedModel's signature as earlier releases wrote it."""
    file = path / "assets" / "sensenet.json"
    record = json.loads(file.read_text())
    for column in record["columns"]:
        for name in ("mean", "stdev", "zero_value", "one_value"):
            column.pop(name, None)
    file.write_text(json.dumps(record))


def test_columns_keep_their_statistics(tmp_path):
    path = saved(tmp_path, typed())
    assert create_model(path)._preprocessors == typed()["preprocess"]
    without_statistics(path)
    model = create_model(path, engine="savedmodel")
    assert model._preprocessors == [
        {"type": "numeric", "index": 0},
        typed()["preprocess"][1],
        {"type": "numeric", "index": 2},
    ]
    assert np.allclose(model(ROWS), create_model(typed())(ROWS), atol=2e-6, rtol=2e-5)


def test_every_numeric_column_has_a_mean_for_the_published_package(tmp_path):
    settings = json.loads((saved(tmp_path, typed()) / "assets" / "settings.json").read_text())
    numeric = [column for column in settings["_preprocessors"] if column["type"] == "numeric"]
    assert [column["mean"] for column in numeric] == [1.5, 0.0]


@pytest.fixture(scope="module")
def keras_2(tf):
    return pytest.importorskip("tf_keras")


@pytest.mark.parametrize("make", [typed, ensemble])
def test_keras_2_opens_it_without_classes_of_ours(keras_2, tmp_path, make):
    model = keras_2.models.load_model(saved(tmp_path, make()))
    assert model.input_names == ["numeric_inputs"]
    found = model.predict(create_model(make()).encode(ROWS)["numeric_inputs"], verbose=0)
    assert np.allclose(found, create_model(make())(ROWS), atol=2e-6, rtol=2e-5)


def test_keras_2_takes_pixels_of_any_type_and_size(keras_2, tmp_path):
    model = keras_2.models.load_model(saved(tmp_path, image()))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3), np.uint8)
    numbers = np.float32([[0, 2.5], [0, 1.5]])
    found = model.predict({"numeric_inputs": numbers, "image_pixel_inputs": pixels}, verbose=0)
    expected = create_model(image())([[pixels[0], 2.5], [pixels[1], 1.5]])
    assert np.allclose(found, expected, atol=2e-6, rtol=2e-5)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"bounding_box_threshold": 0.01}, ("boxes", "scores", "classes")),
        ({"output_unfiltered_boxes": True}, ("boxes", "scores", "classes")),
        ({"pad_bounding_box_output": True}, ("boxes", "scores", "classes", "num_valid")),
    ],
)
def test_keras_2_answers_with_a_detectors_arrays_in_order(keras_2, tmp_path, settings, names):
    model = keras_2.models.load_model(saved(tmp_path, detector(), settings=settings))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    found = model.predict(pixels[None], verbose=0)
    expected = create_model(detector(), settings)(pixels)
    if isinstance(expected, list):
        expected = {
            "boxes": [[each["box"] for each in expected]],
            "scores": [[each["score"] for each in expected]],
            "classes": [[create_model(detector()).classes.index(each["label"]) for each in expected]],
        }
    assert len(found) == len(names)
    for name, array in zip(names, found, strict=True):
        assert np.allclose(array, expected[name], atol=2e-5), name


@pytest.mark.parametrize("damage", ["missing", "signature", "graph", "foreign", "empty"])
def test_damaged_directories_are_refused(tmp_path, damage):
    path = saved(tmp_path, typed())
    if damage == "missing":
        (path / "assets" / "sensenet.json").unlink()
        (path / "assets" / "settings.json").unlink()
    elif damage == "signature":
        (path / "assets" / "sensenet.json").write_text("{")
    elif damage == "graph":
        (path / "saved_model.pb").write_bytes((path / "saved_model.pb").read_bytes()[:999])
    elif damage == "foreign":
        (path / "assets" / "sensenet.json").write_text('{"format_version": 1}')
    elif damage == "empty":
        (path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ArtifactError, match="model"):
        create_model(path)


def test_truncated_bundles_are_refused(tmp_path):
    bundle = bytes(sensenet.compile(typed(), target="smbundle"))
    path = tmp_path / "model.smbundle"
    for length in (35, 36, 500, 1060, 1061, len(bundle) // 2, len(bundle) - 1):
        path.write_bytes(bundle[:length])
        with pytest.raises(ArtifactError, match=r"model\.smbundle"):
            create_model(path)
    files = unpack(bundle)
    path.write_bytes(pack({name: files[name] for name in files if name != "saved_model.pb"}))
    with pytest.raises(ArtifactError, match=r"saved_model\.pb"):
        create_model(path)


def test_tensorflows_own_command_shows_and_runs_it(tf, tmp_path):
    path = saved(tmp_path, IRIS)
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"]

    model = ["--dir", str(path), "--tag_set", "serve", "--signature_def", "predict_row"]

    def call(action, *options):
        arguments = [*command, action, *model, *options]
        return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout

    assert "petal_width" in call("show")
    cells = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    expressions = ";".join(f"{name}=[{value}]" for name, value in cells.items())
    assert "b'setosa'" in call("run", "--input_exprs", expressions)


def test_outputs_that_do_not_fit_the_signature_are_refused(tmp_path):
    path = sensenet.compile(IRIS, "savedmodel").save(tmp_path / "m")
    model = path / "saved_model.pb"
    model.write_bytes(model.read_bytes().replace(b"predictions", b"predicti3ns"))
    with pytest.raises(ArtifactError, match="its tensors do not fit its signature"):
        create_model(path, engine="savedmodel")
