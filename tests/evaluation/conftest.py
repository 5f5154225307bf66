"""Models and rows to evaluate."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pytest
from support.resources import PRICE, number, predict_number, whole

import sensenet

EXAMPLES = Path(__file__).parents[2] / "examples"
IRIS, FLOWERS = EXAMPLES / "iris.json", EXAMPLES / "iris.csv"


@pytest.fixture(scope="module")
def iris():
    return sensenet.create_model(IRIS)


@pytest.fixture(scope="module")
def flowers():
    with FLOWERS.open() as stream:
        rows = list(csv.DictReader(stream))
    return pa.table({name: [row[name] for row in rows] for name in rows[0]})


@pytest.fixture(scope="module")
def prices():
    return sensenet.create_model(whole([number("a"), number("b")], predict_number, PRICE))
