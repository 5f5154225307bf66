"""Values given by their fields' names, of every type of field: the cells that they become."""

from __future__ import annotations

import datetime
import decimal
import math

import numpy as np
import pandas as pd
import pytest

from sensenet.errors import InputError
from sensenet.runtime.rows import row_encoder
from sensenet.runtime.tables import as_table
from sensenet.signature import (
    Booleans,
    CategoricalColumn,
    Field,
    Items,
    Number,
    NumericColumn,
    Signature,
    Terms,
)

FIELDS = (
    Field(
        id="000000",
        name="Message",
        optype="text",
        encoding=Terms(terms=("free", "call"), forms={"calls": 1}, case_sensitive=False),
    ),
    Field(id="000001", name="price", optype="numeric", encoding=Number(prefix="$", suffix=" each")),
    Field(id="000002", name="age", optype="numeric", encoding=Number(flags_missing=True)),
    Field(id="000003", name="tags", optype="items", encoding=Items(items=("a", "b c"), separator=";")),
    Field(id="000004", name="member", optype="categorical", encoding=Booleans(true="yes", false="no")),
    Field(id="000005", name="size", optype="numeric", encoding=Number(default=7.5, flags_missing=True)),
    Field(id="000006", name="color", optype="categorical"),
    Field(id="000007", name="date.year", optype="numeric"),
)
CATEGORICAL = {7: ("no", "yes"), 10: ("red", "NA")}
SIGNATURE = Signature(
    columns=[
        CategoricalColumn(index=index, values=CATEGORICAL[index])
        if index in CATEGORICAL
        else NumericColumn(index=index, missing=-1.0)
        for index in range(12)
    ],
    fields=FIELDS,
    missing_tokens=("", "NA"),
)
ENCODER = row_encoder(SIGNATURE)
NOTHING = [0, 0, -1, 0, 1, 0, 0, -1, 7.5, 0, -1, -1]


def encode(x, encoder=ENCODER):
    return encoder.encode(as_table(x, encoder.layout)).tolist()


def changed(**cells):
    """The cells of a row without values, but for these: `c3=…` is the fourth."""
    return [cells.get(f"c{index}", cell) for index, cell in enumerate(NOTHING)]


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ({}, changed()),
        ({"Message": None, "price": None, "age": None, "tags": None, "member": None}, changed()),
        ({"Message": "NA", "price": "", "age": "NA", "tags": "NA", "color": "NA", "size": ""}, changed()),
        ({"Message": "FREE Calls, call!"}, changed(c0=1, c1=2)),
        ({"000000": "free", "Message": "call"}, changed(c0=1)),
        ({"Message": 12}, changed()),
        ({"price": 2}, changed(c2=2)),
        ({"price": "$2.5 each"}, changed(c2=2.5)),
        ({"price": "2.5"}, changed(c2=2.5)),
        ({"age": 30}, changed(c3=30, c4=0)),
        ({"age": 0}, changed(c3=0, c4=0)),
        ({"tags": "b c; a;a;d"}, changed(c5=2, c6=1)),
        ({"member": True}, changed(c7=1)),
        ({"member": np.False_}, changed(c7=0)),
        ({"member": "yes"}, changed(c7=1)),
        ({"member": "maybe"}, changed()),
        ({"size": 3}, changed(c8=3)),
        ({"color": "red"}, changed(c10=0)),
        ({"date.year": 2001}, changed(c11=2001)),
    ],
    ids=str,
)
def test_values_by_name(row, cells):
    assert encode(row) == [cells]
    assert encode([row, {}]) == [cells, NOTHING]
    if row:
        assert encode(pd.DataFrame([row])) == [cells]


def test_frames_of_all_fields():
    frame = pd.DataFrame(
        {
            "Message": ["free", None],
            "price": [1.0, math.nan],
            "age": [math.nan, 4.0],
            "member": [True, False],
            "000006": ["red", "NA"],
        }
    )
    assert encode(frame) == [
        changed(c0=1, c2=1, c7=1, c10=0),
        changed(c3=4, c4=0, c7=0),
    ]


MISSING = (
    math.nan,
    np.float32("nan"),
    decimal.Decimal("NaN"),
    decimal.Decimal("sNaN"),
    pd.NA,
    pd.NaT,
    np.ma.masked,
)


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_what_is_missing_in_a_row_by_name(missing):
    row = dict.fromkeys([field.name for field in FIELDS], missing)
    assert encode(row) == encode([row]) == [NOTHING]
    assert encode([row, {"age": 3}] * 20) == [NOTHING, changed(c3=3, c4=0)] * 20
    assert encode(pd.Series(row, dtype=object)) == [NOTHING]


@pytest.mark.parametrize("text", ["nan", "NaN", " -NAN "])
def test_the_text_of_nan_is_a_missing_number_and_a_text_like_others(text):
    numbers = ("price", "age", "size", "date.year")
    assert encode(dict.fromkeys(numbers, text)) == [NOTHING]
    assert encode([dict.fromkeys(numbers, text), {"date.year": 1}] * 20) == [NOTHING, changed(c11=1)] * 20
    fields = [
        Field(id="0", name="t", optype="text", encoding=Terms(terms=("nan",), case_sensitive=False)),
        Field(id="1", name="c", optype="categorical"),
    ]
    columns = [NumericColumn(index=0), CategoricalColumn(index=1, values=("nan", "NaN", " -NAN "))]
    encoder = row_encoder(Signature(columns=columns, fields=fields))
    assert encode({"t": text, "c": text}, encoder) == [[1, ("nan", "NaN", " -NAN ").index(text)]]


def test_cells_by_position_are_taken_as_they_are():
    row = [3, 0, 1, 2, 0, 1, 1, "yes", 4, 0, "NA", 2001]
    assert encode(row) == [[3, 0, 1, 2, 0, 1, 1, 1, 4, 0, 1, 2001]]
    assert ENCODER.encode_row(row).tolist() == encode(row)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({"Message": ["free"]}, "row 0, field \"Message\": expected text, found ['free']"),
        ([{}, {"tags": b"a"}], "row 1, field \"tags\": expected text, found b'a'"),
        ({"Message": 10**5000}, 'row 0, field "Message": expected text, found an object of type int'),
        ({"color": ["red"]}, "row 0, column 10 (\"color\"): cannot read ['red'] as a category"),
        ([{}, {"color": {"a": 1}}], "row 1, column 10 (\"color\"): cannot read {'a': 1} as a category"),
        ({"color": datetime.datetime(2020, 1, 1)}, 'column 10 ("color"): cannot read datetime'),
        ({"date.year": np.datetime64("2020-01-01", "ns")}, 'column 11 ("date.year"): cannot read'),
        ([{}] * 20 + [{"date.year": np.timedelta64(5)}], 'row 20, column 11 ("date.year"): cannot read'),
        ({"date.year": b"1"}, "row 0, column 11 (\"date.year\"): cannot read b'1' as a number"),
        ([{"date.year": 1}] * 20 + [{"date.year": "x"}], 'row 20, column 11 ("date.year"): cannot read'),
        (
            [{"date.year": 1}] * 20 + [{"date.year": 10**400}],
            'row 20, column 11 ("date.year"): cannot read',
        ),
        ({"price": "two"}, "row 0, column 2 (\"price\"): cannot read 'two' as a number"),
        ({"age": "two"}, "row 0, column 3 (\"age\"): cannot read 'two' as a number"),
        ({"Mesage": "free"}, "unknown field 'Mesage': did you mean 'Message'"),
        ({"free": 1}, "unknown field 'free'"),
        ({"date": "2001-01-01"}, "unknown field 'date': the model reads fields derived from it: 'date.year'"),
        (pd.DataFrame({"Mesage": ["free"]}), "unknown field 'Mesage'"),
        (pd.DataFrame({'"Message"; "age"': [1]}), "these are several columns, so the delimiter is ';'"),
        ({"age of the message": 1}, "unknown field 'age of the message'"),
    ],
)
def test_refusals(x, message):
    with pytest.raises(InputError) as caught:
        encode(x)
    assert message in str(caught.value)


def test_a_separator_that_cannot_be_used_is_told_when_it_is_needed():
    items = Field(id="0", name="tags", optype="items", encoding=Items(items=("a",), separator_regexp="(a+)+"))
    encoder = row_encoder(Signature(columns=[NumericColumn(index=0)], fields=[items]))
    assert encode([1], encoder) == [[1]]
    assert encode({}, encoder) == [[0]]
    with pytest.raises(InputError, match=r"row 0, field \"tags\": the separator of the field's items"):
        encode({"tags": "aaaa"}, encoder)
