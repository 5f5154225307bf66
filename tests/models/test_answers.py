"""Answers in the form of BigML's bindings; tests/bindings compares them with the bindings."""

from __future__ import annotations

import copy

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support.documents import detector
from support.resources import RESOURCES

from sensenet.compiler.driver import compile
from sensenet.errors import InputTypeError, SettingsError
from sensenet.models.wrappers import create_model

ROW = {"width": 1.5, "color": "red", "height": 4}
POINT = {"kind": "probability", "positive_class": "ham", "threshold": 0.5}


@pytest.fixture(scope="module")
def classifier():
    return create_model(RESOURCES["tabular"]())


@pytest.fixture(scope="module")
def regressor():
    return create_model(RESOURCES["regression"]())


def saturated():
    """A classifier that is sure of `other` for every row, so that the probabilities of two classes are 0."""
    document = copy.deepcopy(RESOURCES["tabular"]())
    layer = document["object"]["deepnet"]["network"]["layers"][-1]
    layer["weights"] = np.zeros_like(layer["weights"]).tolist()
    layer["offset"] = [0.0, 50.0, 0.0]
    return document


def test_full_answers(classifier):
    answer = classifier.predict({**ROW, "number": 7, "none": None, "token": "N/A", "kind": "spam"}, full=True)
    probabilities = np.round(classifier(ROW)[0].astype(float), 5)
    assert answer == {
        "prediction": classifier.classes[probabilities.argmax()],
        "probability": pytest.approx(probabilities.max(), abs=1.1e-5),
        "confidence": answer["probability"],
        "distribution": [
            {"category": category, "probability": pytest.approx(probability, abs=1.1e-5)}
            for category, probability in zip(classifier.classes, probabilities, strict=True)
        ],
        "unused_fields": ["number", "000003"],
    }
    assert type(answer["probability"]) is float
    assert classifier.predict(ROW) == answer["prediction"]


def test_full_answers_of_numbers(regressor):
    number = float(regressor(ROW)[0, 0])
    assert regressor.predict(ROW) == number
    assert regressor.predict(ROW, full=True) == {"prediction": round(number, 5), "unused_fields": []}
    assert regressor.predict_probability(ROW) == regressor.predict(ROW, full=True)
    assert regressor.predict_probability(ROW, compact=True) == [number]


def test_probabilities(classifier):
    distribution = classifier.predict(ROW, full=True)["distribution"]
    assert classifier.predict_probability(ROW) == distribution
    assert classifier.predict_probability(ROW, compact=True) == [each["probability"] for each in distribution]


@pytest.mark.parametrize("threshold", [0, 0.25, 0.5, 0.75, 1])
@pytest.mark.parametrize("positive", ["ham", "other", "spam"])
def test_operating_points(classifier, positive, threshold):
    point = {"kind": "probability", "positive_class": positive, "threshold": threshold}
    rows = [{**ROW, "width": width} for width in np.linspace(-9, 9, 25)]
    found = [classifier.predict(row, operating_point=point) for row in rows]
    for answer, row in zip(found, rows, strict=True):
        probabilities = {
            each["category"]: each["probability"] for each in classifier.predict_probability(row)
        }
        above = probabilities.pop(positive) > threshold
        expected = positive if above else max(probabilities, key=probabilities.get)
        assert answer.keys() == {"prediction", "probability", "confidence"}
        assert answer["prediction"] == expected
    assert classifier.predict(rows, operating_point=point).tolist() == [each["prediction"] for each in found]


def test_equal_probabilities_are_decided_by_the_order_of_the_objective():
    document = saturated()
    point = {"kind": "probability", "positive_class": "other", "threshold": 1}
    assert create_model(document).predict(ROW, operating_point=point)["prediction"] == "spam"
    summary = document["object"]["deepnet"]["fields"]["000003"]["summary"]
    summary["categories"].sort()
    assert create_model(document).predict(ROW, operating_point=point)["prediction"] == "ham"
    del summary["categories"]
    assert create_model(document).predict(ROW, operating_point=point)["prediction"] == "ham"


def test_artifacts_keep_the_order_of_the_objective():
    point = {"kind": "probability", "positive_class": "other", "threshold": 1}
    model = create_model(compile(saturated(), "numpy"))
    assert model.predict(ROW, operating_point=point)["prediction"] == "spam"


def test_operating_kinds(classifier):
    answer = classifier.predict(ROW, operating_kind="Probability")
    assert answer["prediction"] == classifier.predict(ROW)
    assert answer["confidence"] == answer["probability"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kind": "confidence"}, "unknown operating kind 'confidence'"),
        (
            {"positive_class": "eggs"},
            "unknown positive_class 'eggs'; expected one of: 'ham', 'other', 'spam'",
        ),
        ({"threshold": 1.5}, "expected a threshold from 0 to 1, found 1.5"),
        ({"threshold": "0.5"}, "expected a threshold"),
        ({"threshold": True}, "expected a threshold"),
        ({"threshold": float("nan")}, "expected a threshold"),
    ],
)
def test_wrong_operating_points(classifier, changed, message):
    with pytest.raises(SettingsError, match=message):
        classifier.predict(ROW, operating_point={**POINT, **changed})


def test_what_is_no_operating_point(classifier, regressor):
    for given in ({"kind": "probability"}, "ham", 0.5, {"threshold": 1}):
        with pytest.raises(SettingsError, match="expected the operating point as"):
            classifier.predict(ROW, operating_point=given)
    with pytest.raises(SettingsError, match="unknown operating kind 'votes'"):
        classifier.predict([[1, "red", 2]], operating_kind="votes")
    for arguments in ({"operating_point": POINT}, {"operating_kind": "probability"}):
        with pytest.raises(SettingsError, match="predicts numbers"):
            regressor.predict(ROW, **arguments)
        with pytest.raises(SettingsError, match="predicts numbers"):
            regressor.batch_predict([], **arguments)


@pytest.mark.parametrize("x", [[1, "red", 2], [ROW], np.ones((2, 3)), None, pd.DataFrame([ROW])])
def test_only_one_row_by_field_name_has_a_full_answer(classifier, x):
    for ask in (lambda: classifier.predict(x, full=True), lambda: classifier.predict_probability(x)):
        with pytest.raises(InputTypeError, match="one row, a dict by field name"):
            ask()


def test_batches_of_dicts(classifier, regressor):
    rows = [ROW, {"width": -3, "number": 7}, {}]
    found = classifier.batch_predict(rows)
    assert [list(each) for each in found][1] == ["width", "number", "prediction", "probability"]
    for row, each in zip(rows, found, strict=True):
        answer = classifier.predict(row, full=True)
        assert each == {**row, "prediction": answer["prediction"], "probability": answer["probability"]}
    assert regressor.batch_predict(rows[:1]) == [
        {**ROW, "prediction": regressor.predict(ROW, full=True)["prediction"]}
    ]
    assert rows[1] == {"width": -3, "number": 7}
    assert classifier.batch_predict([]) == []


def test_chosen_outputs_of_batches(classifier):
    outputs = {"output_fields": ["prediction", "unused_fields", "confidence"], "output_headers": ["class"]}
    (found,) = classifier.batch_predict([{"width": 1, "number": 7}], outputs, all_fields=False)
    assert list(found) == ["class", "unused_fields", "confidence"]
    assert found["unused_fields"] == ["number"]
    (chosen,) = classifier.batch_predict([ROW], operating_point={**POINT, "threshold": 0})
    assert chosen["prediction"] == "ham"


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.Table.from_pylist])
def test_batches_of_frames(classifier, make):
    rows = [{**ROW, "number": 7}, {**ROW, "width": -3.0, "number": 8}]
    found = classifier.batch_predict(make(rows))
    assert type(found) is type(make(rows))
    assert nw.from_native(found).rows(named=True) == classifier.batch_predict(rows)


def test_batches_keep_the_index(classifier):
    found = classifier.batch_predict(pd.DataFrame([ROW, ROW], index=[5, 7]), all_fields=False)
    assert found.index.tolist() == [5, 7]
    assert found.columns.tolist() == ["prediction", "probability"]
    assert len(classifier.batch_predict(pd.DataFrame({"width": []}))) == 0


def test_wrong_batches(classifier):
    with pytest.raises(SettingsError, match="unknown output 'probabilty'; did you mean 'probability'"):
        classifier.batch_predict([ROW], {"output_fields": ["probabilty"]})
    with pytest.raises(SettingsError, match="unknown outputs 'fields'"):
        classifier.batch_predict([ROW], {"fields": ["prediction"]})
    with pytest.raises(SettingsError, match="at most 1 output_headers, found 2"):
        classifier.batch_predict([ROW], {"output_fields": ["prediction"], "output_headers": ["a", "b"]})
    for wrong in ("prediction", None, [1], {"prediction"}):
        for member in ("output_fields", "output_headers"):
            with pytest.raises(SettingsError, match=f"{member}: expected a list of names, found"):
                classifier.batch_predict([ROW], {member: wrong})
    for outputs in ("prediction", ["prediction"], 3):
        with pytest.raises(SettingsError, match="expected outputs as a dict of lists of names, found"):
            classifier.batch_predict([ROW], outputs)
    with pytest.raises(InputTypeError, match="row 1: expected a dict by field name"):
        classifier.batch_predict([ROW, [1, "red", 2]])
    for rows in (np.ones((2, 3)), None, "rows", pd.Series([1])):
        with pytest.raises(InputTypeError, match="list of dicts or a data frame"):
            classifier.batch_predict(rows)


@pytest.fixture(scope="module")
def photos():
    return [np.random.default_rng(size).integers(0, 256, (size, 31, 3), np.uint8) for size in (20, 29)]


def test_regions_are_parts_of_the_image(photos):
    model = create_model(detector(), {"bounding_box_threshold": 0.01})
    objects = model(photos[0])
    assert objects
    assert model.predict(photos[0]) == {
        "prediction": [
            {
                "box": [
                    round(side / size, 5) for side, size in zip(each["box"], (31, 20, 31, 20), strict=True)
                ],
                "label": each["label"],
                "score": round(each["score"], 5),
            }
            for each in objects
        ]
    }
    assert model.predict(photos) == [model.predict(photo) for photo in photos]
    assert model.predict(pd.DataFrame({0: photos})) == model.predict(photos)


@pytest.mark.parametrize("setting", ["output_unfiltered_boxes", "pad_bounding_box_output"])
def test_arrays_of_boxes_are_no_predictions(photos, setting):
    model = create_model(detector(), {setting: True})
    with pytest.raises(SettingsError, match="leave out output_unfiltered_boxes"):
        model.predict(photos[0])
