"""Typical rows: what the document says of each field, spread evenly."""

from __future__ import annotations

import statistics
from collections import Counter

import numpy as np
import pytest
from support.documents import dense, network

import sensenet
from sensenet.explanation import make_background
from sensenet.explanation.marginals import find_marginal
from sensenet.signature import CategoricalColumn, Field, ImageColumn, Items, NumericColumn, Summary, Terms

NUMBER = NumericColumn(index=0)
STANDARD = NumericColumn(index=0, mean=2.0, stdev=0.5)
COLORS = CategoricalColumn(index=0, values=("red", None, "green", "red"))


def marginal(column, summary=None, encoding=None):
    field = Field(id="1", name="field", optype="numeric", encoding=encoding, summary=summary)
    return find_marginal(field, [column])


@pytest.mark.parametrize(
    ("column", "summary", "values", "source"),
    [
        (
            COLORS,
            Summary(counts=[("red", 3), ("blue", 1)]),
            ["red"] * 3 + ["blue"],
            "categories by their counts",
        ),
        (COLORS, Summary(counts=[("red", 2)], missing=2), ["red", "red", None, None], "also missing ones"),
        (COLORS, None, ["red", "red", "green", "green"], "categories equally often"),
        (COLORS, Summary(counts=[("red", 0)]), ["red", "red", "green", "green"], "categories equally often"),
        (COLORS, Summary(counts=[(1, 9)]), ["red", "red", "green", "green"], "categories equally often"),
        (CategoricalColumn(index=0, values=()), None, [None] * 4, "missing"),
        (STANDARD, Summary(counts=[(1, 1), (5.5, 3)]), [1, 5.5, 5.5, 5.5], "values by their counts"),
        (NUMBER, Summary(minimum=0, maximum=8), [1, 3, 5, 7], "evenly from 0 to 8"),
        (NumericColumn(index=0, zero_value=2, one_value=9), None, [2, 2, 9, 9], "2 and 9 equally often"),
        (NUMBER, Summary(median=3, mean=4), [3] * 4, "the median, 3"),
        (NumericColumn(index=0, mean=7, stdev=0), None, [7] * 4, "the mean, 7"),
        (NUMBER, Summary(counts=[("a", 9)], minimum=1), [1] * 4, "the minimum, 1"),
        (NUMBER, None, [None] * 4, "missing"),
        (ImageColumn(index=0), None, [None] * 4, "missing"),
    ],
)
def test_values_of_a_field(column, summary, values, source):
    found = marginal(column, summary)
    assert found.values(4) == values
    assert source in found.source


def test_text_and_items_are_missing():
    assert marginal(NUMBER, Summary(missing=3), Terms(terms=("a",))).values(2) == [None, None]
    assert marginal(NUMBER, None, Items(items=("a",))).source == "missing"


@pytest.mark.parametrize(
    ("summary", "mean", "deviation"),
    [(None, 2.0, 0.5), (Summary(mean=1.0), 1.0, 0.5), (Summary(mean=1.0, standard_deviation=3), 1.0, 3.0)],
)
def test_quantiles_of_a_normal_distribution(summary, mean, deviation):
    wanted = [statistics.NormalDist(mean, deviation).inv_cdf(p) for p in (0.125, 0.375, 0.625, 0.875)]
    assert marginal(STANDARD, summary).values(4) == pytest.approx(wanted)


def test_a_normal_distribution_ends_at_the_range():
    found = marginal(STANDARD, Summary(minimum=1.9, maximum=2.2))
    assert (min(found.values(20)), max(found.values(20))) == (1.9, 2.2)
    assert found.source.endswith("between 1.9 and 2.2")


def test_fields_of_typical_rows_are_independent():
    columns = [{"type": "numeric", "index": number, "mean": 0.0, "stdev": 1.0} for number in range(3)]
    columns.append({"type": "categorical", "index": 3, "values": ["a", "b"]})
    document = network([dense(5, 2, "softmax")], preprocess=columns)
    (numbers,) = make_background(sensenet.create_model(document, engine="numpy")).inputs.values()
    assert numbers.shape == (64, 4)
    assert Counter(numbers[:, 3].tolist()) == {0: 32, 1: 32}
    np.testing.assert_allclose(np.sort(numbers[:, 0]), np.sort(numbers[:, 1]))
    assert np.abs(np.corrcoef(numbers.T) - np.eye(4)).max() < 0.35
