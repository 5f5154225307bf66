"""What-if curves: the model's own answers for changed rows."""

from __future__ import annotations

import datetime
import json
import math

import numpy as np
import pytest
from support import resources
from support.documents import ROW, image, typed

import sensenet
from sensenet.errors import InputError
from sensenet.explanation import contributions, what_if
from sensenet.explanation.curves import POINTS

IRIS, DIABETES = "examples/iris.json", "examples/diabetes.json"
FLOWER = {"petal length": 1.4, "petal width": 0.2}


def test_a_curve_has_the_answers_for_the_changed_row():
    model = sensenet.create_model(IRIS)
    others = [[5, 3, 4, 1], [6, 3, 5, 2]]
    found = what_if(model, FLOWER, "petal length", others)
    assert found.numeric
    assert len(found.values) == POINTS + 1
    assert (found.values[0], found.values[-2], found.values[-1]) == (1.0, 6.9, None)
    assert (found.given, found.outputs) == (1.4, model.classes)
    for number in (0, 17, POINTS):
        value = found.values[number]
        np.testing.assert_allclose(
            found.answers[number], model({**FLOWER, "petal length": value})[0], atol=1e-6
        )
        changed = [[row[0], row[1], value, row[3]] for row in others]
        np.testing.assert_allclose(found.average[number], model(changed).mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.answer, model(FLOWER)[0], atol=1e-6)
    record = found.to_json()
    assert record["values"][-1] is None
    assert len(record["answers"]["setosa"]) == POINTS + 1


def test_a_field_may_be_named_by_its_id_and_values_given():
    model = sensenet.create_model(IRIS)
    found = what_if(model, FLOWER, "000002", values=[2, None, 3])
    assert found.field == "petal length"
    assert found.values == (2, 3, None)


def test_categories_are_all_tried():
    found = what_if(sensenet.create_model(DIABETES), {"sex": "2"}, "sex")
    assert not found.numeric
    assert (found.values, found.given) == (("1", "2", None), "2")


def test_cells_without_names_are_described_by_their_position():
    model = sensenet.create_model(typed(), engine="numpy")
    found = what_if(model, list(ROW), "column 0")
    assert found.given == 2.5
    spread = 2.0 * 2.66  # of the normal distribution with this deviation, at 1 of 256 parts
    assert found.values[0] == pytest.approx(1.5 - spread, abs=0.5)
    switch = what_if(model, list(ROW), "column 2")
    assert (switch.values[0], switch.values[-2], switch.given) == (0.0, 10.0, None)
    colors = what_if(model, list(ROW), "column 1")
    assert colors.values == ("red", "green", "blue", None)


def test_terms_and_items_are_tried_alone():
    fields = [resources.text("message", "free", "call"), resources.items("tags", "a", "b")]
    document = resources.whole(fields, resources.classify, resources.KIND)
    model = sensenet.create_model(document, engine="numpy")
    row = {"message": "free call", "tags": "a"}
    found = what_if(model, row, "message")
    assert found.values == ("free", "call", None)
    np.testing.assert_allclose(found.answers[1], model({**row, "message": "call"})[0], atol=1e-6)
    assert what_if(model, row, "tags").values == ("a", "b", None)


def test_what_cannot_be_tried_is_refused():
    model = sensenet.create_model(IRIS)
    with pytest.raises(InputError, match="did you mean 'petal width'"):
        what_if(model, FLOWER, "petal widht")
    with pytest.raises(InputError, match="does not read the field 'species'"):
        what_if(model, FLOWER, "species")
    with pytest.raises(InputError, match="cannot read 'long' as a number"):
        what_if(model, FLOWER, "petal length", values=["long"])
    for wrong in (None, 3, ["petal length"]):
        with pytest.raises(InputError, match="expected the name or id of a field"):
            what_if(model, FLOWER, wrong)
    with pytest.raises(InputError, match="expected a list of values, found 3"):
        what_if(model, FLOWER, "petal length", values=3)
    mixed = sensenet.create_model(image(), engine="numpy")
    cells = [np.zeros((8, 6, 3), np.uint8), 1.0]
    with pytest.raises(InputError, match="is an image"):
        what_if(mixed, [cells], "column 0", [cells])


def test_values_are_plain():
    model = sensenet.create_model(DIABETES)
    day = datetime.date(2026, 1, 2)
    row = {"age": np.float32(60), "sex": day, "body mass index": math.inf, "blood pressure": np.nan}
    found = contributions(model, row)
    assert found.values[:4] == (60.0, "datetime.date(2026, 1, 2)", "inf", None)
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("summary", "values"),
    [
        ({"minimum": 3, "maximum": 3}, (3.0,)),
        ({"minimum": 4, "maximum": 0}, np.linspace(0, 4, POINTS)),
        ({"median": 1.5}, np.linspace(0, 1, POINTS)),
    ],
)
def test_ranges_of_odd_summaries(summary, values):
    document = resources.whole([resources.number("age")], resources.classify, resources.KIND)
    deepnet = document["object"]["deepnet"]
    deepnet["fields"]["000000"]["summary"] = summary
    deepnet["network"]["preprocess"] = [{"type": "numeric", "index": 0, "zero_value": 0.0, "one_value": 1.0}]
    found = what_if(sensenet.create_model(document, engine="numpy"), {"age": 2}, "age")
    assert found.values[-1] is None
    assert found.values[:-1] == pytest.approx(values)
