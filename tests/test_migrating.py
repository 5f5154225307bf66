"""What docs/migrating.md says of this package, difference by difference, as far as no other test shows it."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from support.documents import detector, image

from sensenet.errors import ArtifactError, DocumentError, SensenetError, SettingsError
from sensenet.models.settings import Settings
from sensenet.models.wrappers import create_image_feature_extractor, create_model

PAGE = " ".join((Path(__file__).resolve().parent.parent / "docs" / "migrating.md").read_text("utf-8").split())

NUMBER = {"type": "numeric", "mean": 0.0, "stdev": 1.0}
DENSE = {"type": "dense", "weights": [[1.0, 0.5], [0.0, -1.0]], "offset": [0.0, 0.0]}
OLD = {"weights": [[1.0, 0.0], [0.0, 1.0]], "offset": [1.0, 0.0], "scale": None, "mean": None, "stdev": None}
STANDARDIZED = {**OLD, "scale": [1.0, 1.0], "mean": [0.0, 0.0], "stdev": [1.0, 2.0]}
BLOCK = {"type": "dense_residual_block", "dense_path": [DENSE], "identity_path": []}
NORMALIZATION = {"type": "batch_normalization"}
CLASSES = {"type": "categorical", "values": ["no", "yes"]}
LEAF, PAIR = [[1.0], None], [[1.0, 2.0], None]


def document(*layers, **others):
    columns = [{**NUMBER, "index": 0}, {**NUMBER, "index": 1}]
    return {"preprocess": columns, "layers": list(layers), "output_exposition": CLASSES} | others


def forest(*trees):
    return document({**DENSE, "weights": [[1.0]] * 3, "offset": [0.0]}, trees=[[[0, 2], list(trees)]])


FLAGS = [{"type": "numeric", "index": 0, "zero_value": 3.0, "one_value": 5.0}, {**NUMBER, "index": 1}]

ANSWERED = {
    "a residual block, or an old layer with `stdev` or `residuals`, as the last layer": [
        document(BLOCK),
        document(STANDARDIZED),
        document(OLD, {**OLD, "residuals": True}),
    ],
    "an old layer whose `offset` is null": [document({**OLD, "offset": None}, OLD)],
    "a missing number in a column with `zero_value` and `one_value`": [document(DENSE, preprocess=FLAGS)],
    "`networks`, or `object`, that is null": [document(DENSE, networks=None), document(DENSE, object=None)],
    "a wrapper without a network": [{"deepnet": {"name": "x"}, "network": document(DENSE)}],
}

REFUSED = {
    "a numeric column without statistics": [document(DENSE, preprocess=[{"type": "numeric", "index": 0}])],
    "a tree that reads a feature outside of its range": [
        forest([2, 0.5, LEAF, LEAF]),
        forest([-1, 0.5, LEAF, LEAF]),
    ],
    "trees of a forest with leaves of several lengths": [forest([0, 0.5, PAIR, PAIR], LEAF)],
    "a batch normalization without its four arrays": [document(NORMALIZATION, DENSE)],
    "an old layer with a `stdev` of 0, or with a `stdev` and no `mean`": [
        document({**STANDARDIZED, "stdev": [0.0, 1.0]}, OLD),
        document({**STANDARDIZED, "mean": None}, OLD),
    ],
    "names of Keras classes as activations, such as `LeakyReLU`": [
        document({**DENSE, "activation_function": "LeakyReLU"})
    ],
    "any `type` of `output_exposition`": [document(DENSE, output_exposition={"type": "ranking"})],
}


def each(cases):
    return [pytest.param(words, made, id=words) for words, several in cases.items() for made in several]


@pytest.mark.parametrize(("words", "made"), each(ANSWERED))
def test_documents_that_are_answered_here(words, made):
    assert words in PAGE
    answer = create_model(made)([None, 2.0])
    assert answer.shape == (1, 2)
    assert np.isfinite(answer).all()


@pytest.mark.parametrize(("words", "made"), each(REFUSED))
def test_documents_that_are_refused_here(words, made):
    assert words in PAGE
    with pytest.raises(DocumentError):
        create_model(made)


def test_a_missing_flag_is_its_zero_value():
    model = create_model(document(DENSE, preprocess=FLAGS))
    np.testing.assert_array_equal(model([None, 2.0]), model([3.0, 2.0]))


@pytest.mark.parametrize("form", ["text", "bytes", "path", "pathlib", "gzip"])
def test_documents_come_in_these_forms(form, tmp_path):
    text = json.dumps(document(DENSE))
    plain, packed = tmp_path / "a.json", tmp_path / "a.json.gz"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    forms = {"text": text, "bytes": text.encode(), "path": str(plain), "pathlib": plain, "gzip": str(packed)}
    assert create_model(forms[form])([1.0, 2.0]).shape == (1, 2)


@pytest.mark.parametrize(
    "settings", [{"max_objects": -1}, {"iou_threshold": True}, {"bounding_box_threshold": False}]
)
def test_settings_that_are_refused_here(settings):
    with pytest.raises(SettingsError):
        create_model(detector(), settings)


def test_settings_are_equal_where_their_values_are():
    assert Settings({"max_objects": 3}) == Settings({"max_objects": 3}) != Settings({"max_objects": 4})


def test_arrays_of_a_detector():
    pixels = np.zeros((20, 30, 3), np.uint8)
    assert list(create_model(detector(), {"output_unfiltered_boxes": True})(pixels)) == [
        "boxes",
        "scores",
        "classes",
    ]
    assert "num_valid" in create_model(detector(), {"pad_bounding_box_output": True})(pixels)
    with pytest.raises(SettingsError):
        create_model(detector(), {"pad_bounding_box_output": True, "output_unfiltered_boxes": True})


def test_images_are_left_as_they_are():
    model = create_image_feature_extractor(image())
    pixels = np.linspace(0, 1, 6 * 5 * 3, dtype=np.float32).reshape(6, 5, 3)
    copy = pixels.copy()
    model(pixels)
    np.testing.assert_array_equal(pixels, copy)
    flags = pixels > 0.5
    np.testing.assert_array_equal(model(flags), model(flags * np.uint8(255)))


def test_padded_images_do_not_depend_on_the_others_of_a_call():
    assert "`pad` fills all images of one call with the mean of all" in PAGE
    model = create_image_feature_extractor(image(), {"rescale_type": "pad"})
    pixels = np.random.default_rng(0).integers(0, 256, (2, 9, 4, 3)).astype(np.uint8)
    pixels[1] //= 9
    np.testing.assert_allclose(model(pixels), np.concatenate([model(pixels[:1]), model(pixels[1:])]), 1e-5)


def test_no_file_is_replaced(tmp_path):
    model = create_model(document(DENSE))
    model.save_as("numpy", tmp_path / "model.npz")
    with pytest.raises(ArtifactError, match="already exists"):
        model.save_as("numpy", tmp_path / "model.npz")


def test_weights_are_an_h5_file_whatever_the_name(tmp_path):
    pytest.importorskip("h5py")
    create_model(document(DENSE)).save_weights(tmp_path / "weights")
    assert (tmp_path / "weights").read_bytes().startswith(b"\x89HDF")


def test_no_prediction_prints(capfd):
    create_model(document(DENSE))([1.0, 2.0])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["layers", "preprocess", "importers"])
def test_modules_that_are_not_there(name):
    assert f"`sensenet.{name}`" in PAGE
    assert importlib.util.find_spec(f"sensenet.{name}") is None


@pytest.mark.parametrize("name", ["SaveableModel", "model_from_dictionary", "model_from_bundle", "to_tflite"])
def test_names_that_are_not_there(name):
    assert f"`{name}`" in PAGE
    assert not hasattr(importlib.import_module("sensenet.models.wrappers"), name)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: create_model("nowhere.json"), ValueError),
        (lambda: create_model(document(DENSE))([1.0]), ValueError),
        (lambda: create_model(document(DENSE))(3), TypeError),
        (lambda: create_model(document(DENSE), {"nothing": 1}), ValueError),
    ],
)
def test_errors_are_what_a_program_catches(make, kind):
    with pytest.raises(kind) as caught:
        make()
    assert isinstance(caught.value, SensenetError)
