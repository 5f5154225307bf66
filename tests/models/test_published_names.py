"""The names that clients of the published package import: that they are there, and do what they did."""

from __future__ import annotations

import importlib
import inspect

import numpy as np
import pytest
from PIL import Image
from support.documents import DOCUMENTS, ROW, detector, ensemble, image, typed

import sensenet
from sensenet import accessors, constants
from sensenet.errors import DocumentError, InputError, SettingsError
from sensenet.load import count_types, load_points
from sensenet.models.settings import Settings, ensure_settings
from sensenet.models.wrappers import create_model

SIGNATURES = {
    "sensenet.models.wrappers.create_model": "(source, settings=None, engine=None)",
    "sensenet.models.wrappers.create_image_feature_extractor": "(source, settings=None, engine=None)",
    "sensenet.models.wrappers.convert": "(model, settings, output_path, to_format)",
    "sensenet.models.wrappers.tflite_predict": "(tflite_model, image_file)",
    "sensenet.models.wrappers.Deepnet.__call__": "(self, x)",
    "sensenet.models.wrappers.Deepnet.save_bundle": "(self, path, tfjs_path=None)",
    "sensenet.models.wrappers.Deepnet.save_tfjs": "(self, path)",
    "sensenet.models.wrappers.Deepnet.save_weights": "(self, path)",
    "sensenet.models.wrappers.ObjectDetector.__call__": "(self, x)",
    "sensenet.models.wrappers.ObjectDetector.save_bundle": "(self, path, tfjs_path=None)",
    "sensenet.models.wrappers.ObjectDetector.save_tfjs": "(self, path)",
    "sensenet.models.wrappers.ObjectDetector.save_weights": "(self, path)",
    "sensenet.models.bundle.write_bundle": "(directory)",
    "sensenet.models.bundle.read_bundle": "(path)",
    "sensenet.models.settings.Settings": "(amap)",
    "sensenet.models.settings.ensure_settings": "(avalue)",
    "sensenet.load.load_points": "(preprocessors, points)",
    "sensenet.load.count_types": "(preprocessors)",
    "sensenet.accessors.get_image_shape": "(anobject)",
    "sensenet.accessors.get_image_tensor_shape": "(settings)",
    "sensenet.accessors.get_output_exposition": "(model)",
    "sensenet.accessors.number_of_classes": "(model)",
    "sensenet.accessors.is_yolo_model": "(network)",
    "sensenet.accessors.yolo_outputs": "(network)",
}

VALUES = {
    "sensenet.models.bundle.BUNDLE_EXTENSION": ".smbundle",
    "sensenet.constants.NUMERIC": "numeric",
    "sensenet.constants.CATEGORICAL": "categorical",
    "sensenet.constants.IMAGE": "image",
    "sensenet.constants.BOUNDING_BOX": "bounding_box",
    "sensenet.constants.TRIPLET": "triplet",
    "sensenet.constants.MEAN": "mean",
    "sensenet.constants.STANDARD_DEVIATION": "stdev",
    "sensenet.constants.ZERO": "zero_value",
    "sensenet.constants.ONE": "one_value",
    "sensenet.constants.WARP": "warp",
    "sensenet.constants.PAD": "pad",
    "sensenet.constants.CROP": "crop",
    "sensenet.constants.NUMERIC_INPUTS": "numeric_inputs",
    "sensenet.constants.PIXEL_INPUTS": "image_pixel_inputs",
    "sensenet.constants.SCORE_THRESHOLD": 0.5,
    "sensenet.constants.IGNORE_THRESHOLD": 0.5,
    "sensenet.constants.IOU_THRESHOLD": 0.5,
    "sensenet.constants.MAX_OBJECTS": 32,
    "sensenet.constants.LEAKY_RELU_ALPHA": 0.1,
}


def find(name):
    """What a client gets who imports the longest part of a name that is a module."""
    module, parts = name, []
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, part = module.rpartition(".")
            parts.insert(0, part)
    for part in parts:
        found = getattr(found, part)
    return found


def parameters(function):
    """Its signature without annotations."""
    signature = inspect.signature(function)
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return str(inspect.Signature(plain))


@pytest.mark.parametrize(("name", "expected"), SIGNATURES.items(), ids=SIGNATURES)
def test_functions_take_these_arguments(name, expected):
    assert parameters(find(name)) == expected


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("get_pretrained_network", 1),
        ("load_pretrained_weights", 2),
        ("get_extractor_bundle", 1),
        ("cache_resource_path", 1),
    ],
)
def test_functions_of_pretrained_networks_take_so_many_arguments(name, count):
    inspect.signature(find(f"sensenet.pretrained.{name}")).bind(*range(count))


@pytest.mark.parametrize(("name", "expected"), VALUES.items(), ids=VALUES)
def test_constants_have_these_values(name, expected):
    assert find(name) == expected


ANSWERS = {
    "typed": (3, 0, ["yes", "no"]),
    "legacy": (3, 0, ["yes", "no"]),
    "ensemble": (3, 0, None),
    "image": (2, 1, ["cat", "dog"]),
    "detector": (1, 1, ["cup", "spoon"]),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_attributes_of_models(name):
    columns, images, classes = ANSWERS[name]
    document = DOCUMENTS[name]()
    model = create_model(document)
    network = document["object"]["deepnet"]["network"] if name == "ensemble" else document
    assert (model._ncolumns, model._nimages, model._classes) == (columns, images, classes)
    assert model._preprocessors == network["preprocess"]
    assert type(model).__name__ == ("ObjectDetector" if name == "detector" else "Deepnet")


@pytest.mark.tensorflow
def test_the_keras_model_is_made_when_it_is_touched_and_reads_loaded_points():
    tf = pytest.importorskip("tensorflow")
    model = create_model(typed())
    rows = [list(ROW), [1, "blue", 2]]
    assert model._keras_model is None
    assert isinstance(model._model, tf.keras.Model)
    assert model._model is model._model
    points = load_points(model._preprocessors, rows)
    np.testing.assert_allclose(model._model.predict(points, verbose=0), model(rows), atol=1e-6)


# Loading


NUMERIC = {"type": "numeric", "index": 0, "mean": 1.5, "stdev": 2.0}
CATEGORICAL = {"type": "categorical", "index": 1, "values": ["a", "b"]}
IMAGE = {"type": "image", "index": 2}


@pytest.fixture
def image_path(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)).save(path)
    return str(path)


def test_types_are_counted():
    assert count_types([NUMERIC, CATEGORICAL, IMAGE]) == (3, 1)
    assert count_types([]) == (0, 0)


def test_points_without_images_are_an_array():
    points = load_points([NUMERIC, CATEGORICAL], [[1, "a"], [None, "z"]])
    assert points.dtype == np.float32
    assert points.tolist() == [[1, 0], [1.5, -1]]


def test_points_with_images_are_tensors_by_name(image_path):
    points = load_points([NUMERIC, CATEGORICAL, IMAGE], [[1, "b", image_path]])
    assert points["numeric_inputs"].tolist() == [[1, 1, 0]]
    assert points["image_pixel_inputs"].dtype == np.uint8
    assert points["image_pixel_inputs"].tolist() == [np.arange(60).reshape(4, 5, 3).tolist()]


def test_points_of_images_alone_are_pixels(image_path):
    assert load_points([dict(IMAGE, index=0)], [[image_path], [image_path]]).shape == (2, 4, 5, 3)
    two = [dict(IMAGE, index=0), dict(IMAGE, index=1)]
    assert load_points(two, [[image_path, image_path]]).shape == (1, 2, 4, 5, 3)


@pytest.mark.parametrize(
    ("preprocessors", "points", "error"),
    [
        ([{"type": "numeric", "index": 0}], [[1]], DocumentError),
        ([NUMERIC], [["x"]], InputError),
        ([CATEGORICAL], [["x"]], InputError),
        ([IMAGE], [[1, 2, "nowhere.png"]], InputError),
        ([dict(IMAGE, index=0)], [[np.zeros((2, 2))], [np.zeros((3, 2))]], InputError),
    ],
)
def test_points_that_cannot_be_loaded(preprocessors, points, error):
    with pytest.raises(error):
        load_points(preprocessors, points)


# Accessors


def test_shapes_of_images():
    assert accessors.get_image_shape(image()) == [None, 6, 8, 3]
    assert accessors.get_image_shape(image()["image_network"]) == [None, 6, 8, 3]
    assert accessors.get_image_tensor_shape(ensure_settings(None)) == (None, None, 3)
    assert accessors.get_image_tensor_shape(Settings({"color_space": "BGRA"})) == (None, None, 4)


def test_expositions():
    network = ensemble()["object"]["deepnet"]["network"]
    exposition = network.pop("output_exposition")
    network["networks"][0]["output_exposition"] = exposition
    assert accessors.get_output_exposition(network) == exposition
    assert accessors.number_of_classes(network) == 1
    assert accessors.number_of_classes(typed()) == 2
    assert accessors.number_of_classes(detector()) == 2


def test_detectors():
    network = detector()
    assert accessors.is_yolo_model(network) is True
    assert accessors.is_yolo_model(image()) is False
    assert accessors.is_yolo_model(typed()) is False
    outputs = network["image_network"]["metadata"]["outputs"]
    assert accessors.yolo_outputs(network) == outputs
    assert accessors.yolo_outputs(network["image_network"]) == outputs


@pytest.mark.parametrize(
    "access",
    [
        accessors.get_image_shape,
        accessors.get_output_exposition,
        accessors.number_of_classes,
        accessors.yolo_outputs,
    ],
)
def test_what_is_not_there_is_an_error(access):
    with pytest.raises(ValueError, match="in an object with the keys"):
        access({"layers": []})


# Settings


def test_settings_are_made_of_a_mapping_and_may_be_changed():
    settings = Settings({"color_space": "rgb"})
    assert (settings.color_space, settings.max_objects) == ("rgb", None)
    settings.max_objects = constants.MAX_OBJECTS
    assert settings.max_objects == 32
    assert create_model(detector(), settings).settings.max_objects == 32
    assert settings.override(sensenet.Settings(max_objects=3)).max_objects == 3
    assert ensure_settings(settings) is settings
    assert isinstance(ensure_settings({"max_objects": 3}), Settings)
    assert isinstance(ensure_settings(None), Settings)
    assert isinstance(settings, sensenet.Settings)


@pytest.mark.parametrize(
    ("name", "value"), [("max_object", 3), ("max_objects", -1), ("color_space", "cmyk"), ("given", None)]
)
def test_settings_refuse_other_names_and_values(name, value):
    settings = Settings({"max_objects": 3})
    for change in (
        lambda: Settings({name: value}),
        lambda: ensure_settings({name: value}),
        lambda: setattr(settings, name, value),
    ):
        with pytest.raises(SettingsError, match=name):
            change()
    assert settings.given() == {"max_objects": 3}
