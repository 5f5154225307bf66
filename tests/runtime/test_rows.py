"""Rows of every form, cell by cell: what becomes of them, and what is said of those that can't be read."""

from __future__ import annotations

import decimal
import itertools
import math
from collections import OrderedDict, namedtuple
from types import MappingProxyType

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.row_encoders import COLUMNS, ENCODER, FIELDS, NAMELESS, NAMES, encode, encode_list

from sensenet.errors import InputError, InputTypeError
from sensenet.runtime.rows import ENCODED_AT_ONCE, row_encoder
from sensenet.runtime.tables import as_table
from sensenet.signature import (
    CategoricalColumn,
    Field,
    ImageColumn,
    NumericColumn,
    Signature,
)

ROW = namedtuple("ROW", "x y z")


@pytest.mark.parametrize(
    "x",
    [
        [3.0, "b", 0.5],
        (3.0, "b", 0.5),
        ROW(3.0, "b", 0.5),
        [3, "b", "0.5"],
        [" 3e0 ", "b", b"0.5"],
        [np.float32(3), np.str_("b"), np.float64(0.5)],
        [np.int64(3), "b", decimal.Decimal("0.5")],
        [np.array(3), "b", 0.5, "more", None],
        np.array([3.0, "b", 0.5], object),
        np.array(["3", "b", "0.5"]),
        [[3.0, "b", 0.5]],
        [(3.0, "b", 0.5)],
        ([3.0, "b", 0.5],),
        [np.array([3.0, "b", 0.5], object)],
        np.array([[3.0, "b", 0.5]], object),
        {"petal length": 3.0, "species": "b", "petal width": 0.5},
        {"000000": 3.0, "species": "b", "000002": 0.5, "color": "red", "000009": "red"},
        OrderedDict(zip(NAMES, [3.0, "b", 0.5], strict=True)),
        MappingProxyType(dict(zip(NAMES, [3.0, "b", 0.5], strict=True))),
        [{"petal length": 3.0, "species": "b", "petal width": 0.5}],
        pd.DataFrame([[3.0, "b", 0.5]], columns=NAMES),
        pd.DataFrame([["b", 0.5, 3]], columns=["species", "petal width", "petal length"]),
        pd.DataFrame([[3.0, "b", 0.5]]),
        pd.DataFrame([[3.0, "b", 0.5]], columns=NAMES).iloc[0],
        [pd.DataFrame([[3.0, "b", 0.5]], columns=NAMES).iloc[0]],
        pd.DataFrame([["3", "b", 0.5]], columns=NAMES).astype({"species": "category"}),
        pd.DataFrame([[3, "b", 0.5]], columns=NAMES).convert_dtypes(),
    ],
    ids=lambda x: type(x).__name__,
)
def test_forms_of_one_row(x):
    np.testing.assert_array_equal(encode(x), [[3.0, 1.0, 0.5]])
    assert encode(x).dtype == np.float32


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (None, 1.5),
        (True, 1.0),
        (False, 0.0),
        ("1_0", 10.0),
        ("nan", math.nan),
        ("-inf", -math.inf),
        (math.nan, math.nan),
        (1e300, math.inf),
        (0.1, np.float32(0.1)),
        (16777217, 16777216.0),
    ],
)
def test_numbers(cell, number):
    np.testing.assert_array_equal(encode_list([cell, "a", 0])[0], np.float32(number))


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("a", 0),
        ("b", 1),  # the first of equal values
        (1, 2),
        (1.0, 5),
        (np.float32(1), 5),
        (True, 6),
        (None, 7),
        (math.nan, 8),
        (" a", -1),
        ("A", -1),
        ("", -1),
        (["a"], -1),
        (2, -1),
    ],
)
def test_categories(cell, code):
    assert encode_list([0, cell, 0])[1] == code


def nested(depth):
    cell = []
    for _ in range(depth):
        cell = [cell]
    return cell


class Hostile:
    def __str__(self):
        raise KeyError("text")

    __repr__ = __float__ = __str__


PLAIN = 'row 0, column 0 ("petal length"): cannot read '


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (["abc", "a", 0], PLAIN + "'abc' as a number"),
        (["", "a", 0], PLAIN + "'' as a number"),
        ([[1, "a", 0], ["x", "a", 0]], PLAIN.replace("row 0", "row 1") + "'x' as a number"),
        ([[[1.0], "a", 0]], PLAIN + "[1.0] as a number"),
        ([{}, "a", 0], "expected a dict by field name"),
        ([1j, "a", 0], PLAIN + "1j as a number"),
        ([10**5000, "a", 0], PLAIN + "an object of type int as a number"),
        (["x" * 500, "a", 0], PLAIN + "an object of type str as a number"),
        ([pd.NA, "a", 0], PLAIN + "<NA> as a number"),
        ([0, 10**5000, 0], 'row 0, column 1 ("species"): cannot read an object of type int as a category'),
        (["x", nested(100_000), 0], PLAIN + "'x' as a number"),
        ([[nested(100_000), "a", 0]], PLAIN + "an object of type list as a number"),
        ([0, nested(100_000), 0], "cannot read an object of type list as a category"),
        ([Hostile(), "a", 0], PLAIN + "an object of type Hostile as a number"),
        ([0, Hostile(), 0], "cannot read an object of type Hostile as a category"),
        (np.array([["x", "a", "0"]]), PLAIN + "'x' as a number"),
        ({"petal length": "x"}, PLAIN + "'x' as a number"),
        (pd.DataFrame({"petal length": ["1", "x"]}), PLAIN.replace("row 0", "row 1") + "'x' as a number"),
        ([], "the list is empty"),
        ((), "the list is empty"),
        ([[]], "row 0 is too short: it has 0 of the 3 cells that the model reads"),
        ([1.0, "a"], "row 0 is too short: it has 2 of the 3 cells"),
        ([[1.0, "a", 0], [1.5]], "row 1 is too short: it has 1 of the 3 cells"),
        (np.zeros((4, 2)), "each row is too short: it has 2 of the 3 cells"),
        (np.zeros(0), "each row is too short: it has 0 of the 3 cells"),
        (pd.DataFrame([[1, 2]]), "each row is too short: it has 2 of the 3 cells"),
        (np.zeros((2, 2, 2)), "found [2, 2, 2]"),
        (np.zeros(()), "found []"),
        ({"petal lenght": 1}, "unknown field 'petal lenght': did you mean 'petal length'"),
        ([{"species": "a"}, {"zzz": 1}], "unknown field 'zzz'; expected one of: 'petal length', 'species'"),
        ({3: 1}, "unknown field 3"),
        (pd.DataFrame({"Species": ["a"]}), "unknown field 'Species': did you mean 'species'"),
        (pd.DataFrame([[1, 2]], columns=["species", "species"]), "several columns 'species'"),
    ],
    ids=itertools.count(),
)
def test_refusals(x, message):
    with pytest.raises(InputError) as caught:
        encode(x)
    assert message in str(caught.value)


class Odd(np.ndarray):
    """A class of arrays with ways of its own, as np.matrix has them."""

    def __getitem__(self, index):
        raise KeyError("item")

    def __array_function__(self, *_, **__):
        raise KeyError("function")

    def __array_ufunc__(self, *_, **__):
        raise KeyError("ufunc")

    def __len__(self):
        raise KeyError("length")


@pytest.mark.parametrize("rows", [[[1.0, 1.0, 2.0]], [[1.0, 1.0, 2.0], [3.0, 0.0, math.nan]]])
@pytest.mark.parametrize("view", [np.matrix, lambda x: x.view(Odd), lambda x: x.view(np.memmap), np.ma.array])
def test_other_classes_of_arrays_are_read_as_plain_ones(rows, view):
    expected = encode(np.array(rows))
    numeric = row_encoder(Signature(columns=[NumericColumn(index=index, missing=9.0) for index in range(3)]))
    for dtype in (np.float64, np.float32, object):
        x = view(np.array(rows, dtype))
        np.testing.assert_array_equal(encode(x), expected)
        np.testing.assert_array_equal(encode(x, numeric), encode(np.array(rows), numeric))


def test_structured_arrays_are_read_by_name():
    types = [("petal width", "f4"), ("species", "U3"), ("petal length", "i2")]
    array = np.array([(0.5, "b", 3), (math.nan, "zzz", 4)], types)
    expected = [[3, 1, 0.5], [4, -1, -2]]
    for x in (array, array.view(np.recarray), list(array), list(array.view(np.recarray)), array[::-1][::-1]):
        np.testing.assert_array_equal(encode(x), expected)
    for x in (array[0], array.view(np.recarray)[0], np.array(array[0])):
        np.testing.assert_array_equal(encode(x), expected[:1])
    with pytest.raises(InputError, match="unknown field 'q'"):
        encode(np.array([(1,)], [("q", "f4")]))
    with pytest.raises(InputError, match="column 'petal width' of the array has values of shape \\[2\\]"):
        encode(np.array([((1, 2),)], [("petal width", "f4", 2)]))
    np.testing.assert_array_equal(
        encode(array[["petal length", "species", "petal width"]], NAMELESS), expected
    )


class Tensor:
    """An array of another library, which may be anything."""

    def __array__(self, dtype=None, copy=None):
        return np.array([[1.0, 2.0, 3.0]])


@pytest.mark.parametrize(
    "x",
    [
        None,
        3,
        1.5,
        "abc",
        b"abc",
        {1, 2, 3},
        iter([1, 2, 3]),
        (cell for cell in [1, "a", 2]),
        range(3),
        object(),
        [[1, "a", 0], None],
        [[1, "a", 0], "abc"],
        [[1, "a", 0], {"species": "a"}],
        [{"species": "a"}, [1, "a", 0]],
        [[1, "a", 0], np.zeros((2, 2))],
        np.array([1j, 2j, 3j]),
        np.array(["2020-01-01"] * 3, "M8[D]"),
        Tensor(),
        pl.Series([1, 2, 3]),
        pl.LazyFrame({"petal length": [1]}),
        pd.Index([1, 2, 3]),
        pd.array([1, 2, 3]),
    ],
    ids=itertools.count(),
)
def test_arguments_that_hold_no_rows(x):
    with pytest.raises(InputTypeError):
        encode(x)


def test_refusals_without_names():
    with pytest.raises(InputError, match=r"^row 0, column 2: cannot read 'x' as a number$"):
        encode([0, "a", "x"], NAMELESS)
    with pytest.raises(InputError, match="does not name the fields of all its cells: pass a row as a list"):
        encode({"petal length": 1}, NAMELESS)


def test_a_frame_for_a_model_without_names_goes_by_position():
    frame = pd.DataFrame([[3.0, "b", 0.5]], columns=["p", "q", "r"])
    np.testing.assert_array_equal(encode(frame, NAMELESS), [[3.0, 1.0, 0.5]])


def test_names_of_several_fields():
    fields = [Field(id=f"00000{number}", name="x", optype="numeric") for number in range(3)]
    encoder = row_encoder(Signature(columns=COLUMNS, fields=fields))
    with pytest.raises(InputError, match=r"are named 'x': use the field's id \(000000, 000001, 000002\)"):
        encode({"x": 1}, encoder)
    assert encode({"000002": 1}, encoder)[0, 2] == 1


def test_a_name_that_is_another_fields_id():
    fields = [Field(id="b", name="a", optype="numeric"), Field(id="a", name="c", optype="numeric")]
    encoder = row_encoder(Signature(columns=[NumericColumn(index=0), NumericColumn(index=1)], fields=fields))
    assert encode({"a": 5}, encoder).tolist() == [[0, 5]]


def test_fields_that_are_not_all_of_a_rows_cells():
    columns = [NumericColumn(index=number) for number in range(5)]
    encoder = row_encoder(Signature(columns=columns, fields=FIELDS))
    with pytest.raises(InputError, match="columns do not correspond to its fields"):
        encode({"species": "a"}, encoder)
    with pytest.raises(InputError, match=r"row 0, column 4: cannot read 'x'"):
        encode([1, 2, 3, 4, "x"], encoder)


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False),  # its meaning depends on the form of the rows
    st.sampled_from(["1", "a", "b", "1.0", " 2 ", "x"]),
)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=4), min_size=1, max_size=6))
def test_all_ways_of_encoding_agree(rows):
    """Rows together, one by one, and as arrays of objects; or all refuse, maybe for different cells."""

    def attempt(function):
        try:
            return function().tobytes()
        except InputError:
            return "refused"

    together = attempt(lambda: encode(rows))
    assert attempt(lambda: np.concatenate([ENCODER.encode_row(row) for row in rows])) == together
    array = np.array([row[:3] for row in rows], object)
    assert attempt(lambda: encode(array)) == together
    by_name = [dict(zip(NAMES, row, strict=False)) for row in rows]
    assert attempt(lambda: encode(by_name)) == together


def test_more_rows_than_are_written_at_once():
    """Rows go into the tensor block by block; images have one number for all of them."""
    count = ENCODED_AT_ONCE + 3
    encoder = row_encoder(
        Signature(
            columns=(
                NumericColumn(index=0, missing=0.5),
                CategoricalColumn(index=1, values=("a", "b")),
                ImageColumn(index=2),
            )
        )
    )
    rows = [[None if row % 5 == 0 else row, "ab"[row % 2], "no image"] for row in range(count)]
    encoded = encoder.encode(as_table(rows, encoder.layout))
    expected = [[0.5 if row % 5 == 0 else row, row % 2, 0] for row in range(count)]
    np.testing.assert_array_equal(encoded, np.float32(expected))
