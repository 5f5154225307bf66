"""Several rows at once: lists, dicts, frames and arrays, and what is missing in them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.row_encoders import FIELDS, NAMES, encode, encode_list

from sensenet.errors import InputError
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.types import f32
from sensenet.models.engines import run_graph
from sensenet.runtime.predictor import make_predictor
from sensenet.runtime.rows import row_encoder
from sensenet.signature import (
    NUMERIC_INPUT,
    PREDICTIONS,
    CategoricalColumn,
    ImageColumn,
    NumericColumn,
    Signature,
)


def test_rows():
    rows = [[1, "a", 2], (3, "zzz", None), [None, None, "4", "more"]]
    np.testing.assert_array_equal(encode(rows), [[1, 0, 2], [3, -1, -2], [1.5, 7, 4]])


def test_rows_by_name():
    rows = [{"petal length": 1}, {"000000": 2, "species": "b"}, {}]
    np.testing.assert_array_equal(encode(rows), [[1, 7, -2], [2, 1, -2], [1.5, 7, -2]])


def test_the_id_wins_over_the_name():
    assert encode({"petal length": 1, "000000": 2})[0, 0] == 2
    assert encode({"000000": 2, "petal length": 1})[0, 0] == 2
    assert encode([{"petal length": 1}, {"000000": 2}])[:, 0].tolist() == [1, 2]


def test_a_frame_without_a_column_and_with_the_objective():
    frame = pd.DataFrame({"species": ["a", "b"], "color": ["red", "blue"]})
    np.testing.assert_array_equal(encode(frame), [[1.5, 0, -2], [1.5, 1, -2]])


def test_missing_cells_of_a_frame():
    """NaN is what pandas makes of an empty cell, and its arrays have it, too."""
    frame = pd.DataFrame({"petal length": [1.0, None], "species": [None, "a"], "petal width": [pd.NA, 3]})
    np.testing.assert_array_equal(encode(frame), [[1, 7, -2], [1.5, 0, 3]])
    np.testing.assert_array_equal(encode(frame.iloc[1]), [[1.5, 0, 3]])
    np.testing.assert_array_equal(
        encode(frame[["petal length"]].to_numpy().repeat(3, axis=1)), [[1, 5, 1], [1.5, 7, -2]]
    )


def test_a_frame_of_another_library():
    frame = pl.DataFrame({"petal length": [1.0, None], "petal width": [math.nan, 3.0]})
    np.testing.assert_array_equal(encode(frame), [[1, 7, -2], [1.5, 7, 3]])


def test_a_masked_array():
    x = np.ma.array([[1.0, 1.0, 2.0]], mask=[[True, False, False]])
    np.testing.assert_array_equal(encode(x), [[1.5, 5, 2]])


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "int64", "int8", "uint8", "bool", "longdouble", "object", "U4"]
)
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_arrays_answer_as_lists_of_their_cells(dtype, count):
    """A category in an array of numbers is compared as text: 1 is "1", 1.0 is "1.0"."""
    x = np.resize(np.array([[1, 1, 0], [0, 0, 1], [1, 2, 1]]), (count, 3)).astype(dtype)
    expected = encode([list(row) for row in x])
    np.testing.assert_array_equal(encode(x), expected)
    np.testing.assert_array_equal(encode(np.asfortranarray(x)), expected)
    np.testing.assert_array_equal(encode(pd.DataFrame(x, columns=NAMES)), expected)


@pytest.mark.parametrize("indices", [(0, 1, 2), (0, 2, 1), (0, 1), (1, 2), (0, 0, 1), (-3, -2, -1)])
def test_an_array_that_is_the_tensor_already_is_not_copied(indices):
    encoder = row_encoder(Signature(columns=[NumericColumn(index=index, missing=9.0) for index in indices]))
    x = np.array([[1, -0.0, 3], [4, 5, math.inf]], np.float32)
    encoded = encode(x, encoder)
    np.testing.assert_array_equal(encoded, encode(x.tolist(), encoder))
    assert np.shares_memory(encoded, x) is (indices == (0, 1, 2))
    assert not np.shares_memory(encode(x[:, ::-1], encoder), x)


def test_what_callers_get_is_not_their_own_array():
    """Of a model that gives its columns back as they are, too."""
    x = np.ones((3, 2), np.float32)
    node = apply(Input(type=f32(None, 2)), name=NUMERIC_INPUT)
    signature = Signature(columns=[NumericColumn(index=index, missing=0.0) for index in range(2)])
    graph = Graph.create([node], {PREDICTIONS: node.value}, signature)
    predict = make_predictor(run_graph(graph))
    assert not np.shares_memory(predict(x), x)
    assert not np.shares_memory(predict.encode(x)[NUMERIC_INPUT], x)


@pytest.mark.parametrize("count", [4, 400])
@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble", "object"])
def test_zeros_of_both_signs_and_nan_as_categories(count, dtype):
    values = ("-0.0", "0.0", "nan", "None")
    encoder = row_encoder(Signature(columns=[CategoricalColumn(index=0, values=values)]))
    x = np.resize(np.array([0.0, -0.0, math.nan, 0.0], dtype), (count, 1))
    np.testing.assert_array_equal(encode(x, encoder), np.resize([1.0, 0.0, 3.0, 1.0], (count, 1)))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", "object"])
@pytest.mark.parametrize("count", [2, 3000])
def test_nan_in_an_array_is_missing(dtype, count):
    """Also in one that would be the tensor as it is; infinities stay."""
    x = np.resize(np.array([[math.nan, 5, math.inf], [-math.inf, math.nan, 7]]), (count, 3)).astype(dtype)
    before = x.copy()
    encoder = row_encoder(Signature(columns=[NumericColumn(index=i, missing=i + 0.5) for i in range(3)]))
    expected = np.resize([[0.5, 5, math.inf], [-math.inf, 1.5, 7]], (count, 3))
    np.testing.assert_array_equal(encode(x, encoder), expected)
    np.testing.assert_array_equal(encode(list(x), encoder), expected)
    np.testing.assert_array_equal(x.astype(float), before.astype(float))


def test_nan_in_a_list_is_a_number():
    """As in the published package, which knows only None as missing."""
    assert math.isnan(encode_list([math.nan, "a", 0])[0])
    assert math.isnan(encode([[1, "a", math.nan], [1, "a", 2]])[0, 2])


def test_arrays_are_not_changed():
    x = np.ma.array([[1.0, 2.0, 3.0]], mask=[[True, False, False]])
    frame = pd.DataFrame([[None, 1.0, 2.0]], columns=NAMES)
    before = x.data.copy(), frame.copy()
    encode(x)
    encode(frame)
    np.testing.assert_array_equal(x.data, before[0])
    pd.testing.assert_frame_equal(frame, before[1])


@pytest.mark.parametrize("x", [np.zeros((0, 3)), np.zeros((0, 5), object), pd.DataFrame(columns=NAMES)])
def test_no_rows(x):
    assert encode(x).shape == (0, 3)


def test_indices_from_the_end_and_repeated():
    columns = [NumericColumn(index=index) for index in (-1, 0, 0, -2)]
    encoder = row_encoder(Signature(columns=columns, fields=FIELDS))
    assert encode_list([1, 2, 3], encoder) == [3, 1, 1, 2]
    assert encode(np.array([[1, 2, 3, 4]]), encoder).tolist() == [[4, 1, 1, 3]]
    assert encode([[1, 2, 3], [4, 5]], encoder).tolist() == [[3, 1, 1, 2], [5, 4, 4, 4]]
    by_name = dict(zip(NAMES, [1, 2, 3], strict=True))
    assert encode(by_name, encoder).tolist() == [[3, 1, 1, 2]]
    assert encode(pd.DataFrame([by_name]), encoder).tolist() == [[3, 1, 1, 2]]
    with pytest.raises(InputError, match="row 1 is too short: it has 1 of the 2 cells"):
        encode([[1, 2], [3]], encoder)


def test_image_columns_hold_zero():
    encoder = row_encoder(Signature(columns=[ImageColumn(index=0), NumericColumn(index=1)]))
    assert encode_list(["a.png", 3], encoder) == [0, 3]
    assert encode([["a.png", 3], [None, 4]], encoder).tolist() == [[0, 3], [0, 4]]
    assert encode(np.zeros((0, 2)), encoder).shape == (0, 2)
