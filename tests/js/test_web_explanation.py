"""Contributions of fields on a page are those of `sensenet.explanation`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.documents import ensemble, network, typed
from support.web_pages import category_field, hostile, number_field, resource

import sensenet
from sensenet.explanation import contributions
from sensenet.explanation.background import make_background
from sensenet.explanation.random_numbers import shuffled
from sensenet.signature import NUMERIC_INPUT

pytest.importorskip("llvmlite")

EXAMPLES = Path(__file__).parents[2] / "examples"


def read(name):
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def counted():
    """Fields whose summaries have counts, a range alone, a median alone, one value, or nothing."""
    summaries = [
        {"counts": [[1, 3], [2.5, 1], [7, 9]], "missing_count": 4, "minimum": 1, "maximum": 7},
        {"bins": [[1.25, 40], [3, 10]], "mean": 1.6},
        {"minimum": -2, "maximum": 8},
        {"median": 3.5},
        {"mean": 2.0, "standard_deviation": 0},
        {},
    ]
    pairs = [number_field(f"number {position}") for position in range(len(summaries))]
    for (field, _), summary in zip(pairs, summaries, strict=True):
        field["summary"] = summary
    pairs[3][1].update(type="numeric", zero_value=1.0, one_value=4.0)
    for name in ("mean", "stdev"):
        del pairs[3][1][name]
    field, cell = category_field("color", ["red", "green", "blue"])
    field["summary"] = {"categories": [["red", 8], ["green", 1], ["blue", 3]], "missing_count": 2}
    fields, cells = zip(*pairs, (field, cell), strict=True)
    return resource(list(fields), list(cells), ["a", "b", "c"])


def twelve():
    """Twelve fields, so that contributions are estimated."""
    pairs = [number_field(f"number {position}") for position in range(11)]
    pairs.append(category_field("color", ["red", "green"]))
    fields, cells = zip(*pairs, strict=True)
    return resource(list(fields), list(cells), ["a", "b", "c"])


CASES = {
    "iris": (read("iris"), {"petal length": 1.4, "petal width": None}),
    "diabetes, with forests": (read("diabetes"), {"age": 60, "sex": "2", "blood pressure": 120}),
    "regression": (ensemble(), {"width": 2.5, "colour": "green"}),
    "cells without names": (typed(), [2.5, "purple", None]),
    "all kinds of summaries": (counted(), {"number 0": 9, "color": "blue", "number 5": -3}),
    "estimated": (twelve(), {"number 3": 90, "number 4": 1, "color": "green"}),
}


@pytest.mark.parametrize("name", CASES)
def test_contributions_are_those_of_python(web, name):
    document, row = CASES[name]
    model = sensenet.create_model(document)
    want = contributions(model, row)
    found = web.explain(document, row)
    background = np.reshape(found["background"], want.background.inputs[NUMERIC_INPUT].shape)
    np.testing.assert_allclose(background, want.background.inputs[NUMERIC_INPUT], rtol=1e-6)
    scale = max(1.0, np.abs(want.answer).max())
    for member in ("contributions", "answer", "expectation"):
        np.testing.assert_allclose(found[member], getattr(want, member), atol=1e-5 * scale, err_msg=member)
    assert found["exact"] is (want.method == "exact")
    total = np.sum(found["contributions"], axis=0)
    np.testing.assert_allclose(total, np.subtract(found["answer"], found["expectation"]), atol=1e-6 * scale)


def test_names_of_strangers_do_not_matter(web):
    document = hostile()
    background = make_background(sensenet.create_model(document)).inputs[NUMERIC_INPUT]
    found = web.explain(document, {})
    np.testing.assert_allclose(np.reshape(found["background"], background.shape), background, rtol=1e-6)
    assert len(found["contributions"]) == len(document["input_fields"])


def test_cells_that_several_columns_read_are_one_field(web):
    document = network([{**typed()["layers"][0]}])
    document["preprocess"][2]["index"] = 0
    row = [4.0, "red"]
    want = contributions(sensenet.create_model(document), row)
    found = web.explain(document, row)
    assert len(want.fields) == 2
    np.testing.assert_allclose(found["contributions"], want.contributions, atol=1e-5)


def test_orders_are_those_of_python(web):
    for size, order in ((1, 0), (2, 5), (12, 0), (64, 300)):
        assert web.call("explanation.js", "shuffle", size, order) == shuffled(size, 1, 0, order)[0].tolist()
