"""Tensors of a request are the rows that a model reads by name, and its answers are tensors."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.documents import ROW, detector, ensemble, image, typed

from sensenet.errors import InputError
from sensenet.models.create import create_image_feature_extractor, create_model
from sensenet.serve.answers import answer_tensors, join_answers, predict
from sensenet.serve.interface import make_interface
from sensenet.serve.served import make_catalog, serve_model
from sensenet.serve.tensors import make_tensor

EXAMPLES = Path(__file__).parents[2] / "examples"


def with_fields(document, *fields):
    """A document as a resource whose fields have names and types."""
    described = {
        f"{number:06}": {"name": name, "optype": optype} for number, (name, optype) in enumerate(fields)
    }
    resource = {
        "name": "named",
        "description": "",
        "input_fields": [*described],
        "objective_fields": ["0000ff"],
        "deepnet": {
            "network": document,
            "fields": described | {"0000ff": {"name": "objective", "optype": "categorical"}},
        },
    }
    return {"code": 200, "object": resource}


def photo(seed=0, size=(20, 10), kind="png"):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def in_base64(content):
    return base64.b64encode(content).decode()


def answer(model, inputs):
    """The arrays of a model's answer to tensors, by name."""
    tensors = [
        make_tensor(name, value if isinstance(value, np.ndarray) else np.array(value, object))
        for name, value in inputs.items()
    ]
    rows = make_interface(model).read_rows(tensors)
    return {tensor.name: tensor.array for tensor in answer_tensors(model.signature, predict(model, rows))}


def names(declared):
    return [(each.name, each.datatype, each.shape) for each in declared]


def test_fields_are_inputs_in_any_datatype():
    model = create_model(EXAMPLES / "diabetes.json")
    expected = model([{"age": 50, "sex": "2"}, {"sex": "1"}])
    for age in (
        np.array([[50], [np.nan]], np.float32),
        np.array([50, np.nan], np.float64),
        ["50", None],
        [b"50", None],
    ):
        for sex in (["2", "1"], [["2"], ["1"]], [b"2", b"1"], np.array([2, 1], np.int32), np.float32([2, 1])):
            found = answer(model, {"age": age, "sex": sex})
            np.testing.assert_array_equal(found["predictions"], expected)


def test_a_field_may_be_named_by_its_id():
    model = create_model(ensemble())
    expected = model({"width": 1.5, "colour": "green"})
    found = answer(model, {"000000": np.float32([1.5]), "colour": ["green"]})
    np.testing.assert_array_equal(found["predictions"], expected)
    with pytest.raises(InputError, match="'width' is given twice, also as '000000'"):
        answer(model, {"000000": np.float32([1]), "width": np.float32([1])})


def test_fields_of_one_name_are_inputs_by_id():
    document = with_fields(typed(), ("x", "numeric"), ("x", "categorical"), ("y", "numeric"))
    interface = make_interface(create_model(document))
    assert names(interface.inputs) == [
        ("000000", "FP32", (-1, 1)),
        ("000001", "BYTES", (-1, 1)),
        ("y", "FP32", (-1, 1)),
    ]


def test_a_classification_answers_probabilities_and_the_best_class():
    model = create_model(typed())
    assert names(make_interface(model).inputs) == [("row", "BYTES", (-1, 3))]
    found = answer(model, {"row": [["2.5", "green", None], ["1", "blue", "3"]]})
    np.testing.assert_array_equal(found["probabilities"], model([ROW, (1, "blue", 3)]))
    assert found["label"].tolist() == [
        model.classes[number] for number in found["probabilities"].argmax(axis=1)
    ]


def test_there_is_no_best_class_without_probabilities():
    model = create_model(typed())
    probabilities = np.float32([[np.nan, 1], [0.25, 0.75]])
    _, label = answer_tensors(model.signature, probabilities)
    assert label.array.tolist() == ["", model.classes[1]]


def test_rows_of_numbers_are_an_array():
    document = typed()
    document["preprocess"] = [
        {"type": "numeric", "index": index, "mean": 1, "stdev": 2} for index in range(5)
    ]
    model = create_model(document)
    assert names(make_interface(model).inputs) == [("row", "FP32", (-1, 5))]
    rows = np.arange(10, dtype=np.float32).reshape(2, 5)
    np.testing.assert_array_equal(answer(model, {"row": rows})["probabilities"], model(rows))
    texts = rows.astype(str).astype(object)
    np.testing.assert_array_equal(answer(model, {"row": texts})["probabilities"], model(rows))


def image_models():
    named = with_fields(image(), ("photo", "image"), ("size", "numeric"))
    return create_model(image()), create_model(named)


def test_images_are_bytes_base64_or_pixels():
    bare, named = image_models()
    photos = [photo(1), photo(2, (7, 9), "jpeg")]
    expected = bare([[cell, 0.5] for cell in photos])
    sizes = np.float32([0.5, 0.5])
    for cells in (photos, [in_base64(each) for each in photos]):
        found = answer(named, {"photo": cells, "size": sizes})
        np.testing.assert_array_equal(found["probabilities"], expected)
    unnamed = answer(bare, {"row": [[in_base64(each), "0.5"] for each in photos]})
    np.testing.assert_array_equal(unnamed["probabilities"], expected)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3), np.uint8)
    found = answer(named, {"photo": pixels, "size": sizes})
    np.testing.assert_array_equal(found["probabilities"], bare([[each, 0.5] for each in pixels]))


@pytest.mark.parametrize("kind", ["text", "bytes"])
def test_paths_are_never_read(kind, tmp_path, monkeypatch):
    bare, named = image_models()
    place = tmp_path / "a.png"
    place.write_bytes(photo())
    path = str(place) if kind == "text" else str(place).encode()
    for model, inputs in (
        (named, {"photo": [path]}),
        (bare, {"row": [[path, "1"]]}),
        (bare, {"row": [["1", path]]}),
        (create_model(detector()), {"image": [path]}),
    ):
        with pytest.raises(InputError) as caught:
            answer(model, inputs)
        assert "no such file" not in str(caught.value)
    # letters that are base64, too, are bytes, not a path
    (tmp_path / "abcd").write_bytes(photo())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        answer(named, {"photo": ["abcd"]})


def test_an_extractor_answers_features_of_its_only_input():
    model = create_image_feature_extractor(image())
    assert names(make_interface(model).inputs) == [("image", "BYTES", (-1, 1))]
    found = answer(model, {"image": [photo(1), photo(2)]})
    np.testing.assert_array_equal(found["predictions"], model([photo(1), photo(2)]))


@pytest.mark.parametrize(
    "settings", [{}, {"output_unfiltered_boxes": True}, {"pad_bounding_box_output": True}]
)
def test_a_detector_answers_arrays_filled_with_zeros(settings):
    model = create_model(detector(), {"bounding_box_threshold": 0.01, **settings})
    photos = [photo(1), photo(2, (30, 40)), photo(3)]
    found = answer(model, {"image": photos})
    assert list(found) == [each.name for each in make_interface(model).outputs]
    for number, content in enumerate(photos):
        alone = answer(model, {"image": [content]})
        (valid,) = alone["valid"]
        assert found["valid"][number] == valid
        assert alone["boxes"].shape == (1, valid, 4)
        for name in ("boxes", "scores", "classes", "labels"):
            np.testing.assert_array_equal(found[name][number, :valid], alone[name][0])
            assert not found[name][number, valid:].any()
        objects = model(content)
        if not settings:
            assert valid == len(objects)
            assert alone["labels"][0].tolist() == [each["label"] for each in objects]
            assert alone["boxes"][0].tolist() == [each["box"] for each in objects]
            np.testing.assert_array_equal(alone["scores"][0], np.float32([each["score"] for each in objects]))


def test_answers_of_parts_are_joined():
    np.testing.assert_array_equal(join_answers([np.ones((2, 3)), np.ones((1, 3))]), np.ones((3, 3)))
    assert join_answers([[1, 2], [3]]) == [1, 2, 3]


WRONG = {
    "unknown": ({"petal lenght": np.float32([1])}, "did you mean 'petal length'"),
    "different rows": (
        {"petal length": np.float32([1]), "petal width": np.float32([1, 2])},
        "different numbers of rows",
    ),
    "no rows": ({"petal length": np.float32([])}, "no rows"),
    "two columns": ({"petal length": np.float32([[1, 2]])}, r"expected the shape \[rows, 1\]"),
    "not UTF-8": ({"petal length": [b"\xff"]}, "not UTF-8"),
    "no number": ({"petal length": ["long"]}, "cannot read 'long'"),
    "only the objective": ({"species": ["setosa"]}, "no field that the model reads"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_tensors_are_refused(case):
    inputs, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        answer(create_model(EXAMPLES / "iris.json"), inputs)


@pytest.mark.parametrize(
    "inputs",
    [
        {"rows": [["1", "a", None]]},
        {"row": ["1", "a", None]},
        {"row": [["1", "a"]]},
        {"row": np.empty((0, 3), object)},
        {"row": [["1", "a", None]], "x": ["1"]},
    ],
)
def test_wrong_rows_are_refused(inputs):
    with pytest.raises(InputError):
        answer(create_model(typed()), inputs)


def test_pixels_need_their_axes():
    _, named = image_models()
    with pytest.raises(InputError, match="expected pixels"):
        answer(named, {"photo": np.zeros((1, 6), np.uint8)})


def test_a_catalog_has_the_highest_version_last():
    model = create_model(typed())
    catalog = make_catalog([serve_model(model, "m", version) for version in ("10", "9", "beta")])
    assert list(catalog.models["m"]) == ["beta", "9", "10"]
    assert catalog.find("m").version == "10"
    assert catalog.find("m", "beta").version == "beta"
    assert catalog.find("m", "1") is None
    assert catalog.find("n") is None
