"""Rows of Python cells read by machine code are the numbers that `sensenet.runtime.rows` reads."""

from __future__ import annotations

import math
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensenet.backends.native.cells import CellReader
from sensenet.errors import InputError
from sensenet.runtime.rows import FEW_ROWS, row_encoder
from sensenet.runtime.tables import as_table
from sensenet.signature import CategoricalColumn, ImageColumn, NumericColumn, Signature

pytest.importorskip("llvmlite")

COLUMNS = (
    NumericColumn(index=0, mean=1.5, stdev=2.0),
    CategoricalColumn(index=2, values=("a", "None", None, "1", "1.0", "a")),
    NumericColumn(index=1),
    ImageColumn(index=3),
)

numbers = st.one_of(
    st.none(),
    st.floats(width=64),
    st.integers(-(10**9), 10**9),
    st.booleans(),
    st.fractions(),
    st.floats(width=32).map(np.float32),
)
categories = st.one_of(
    st.none(), st.sampled_from(["a", "b", "1"]), st.integers(0, 2), st.sampled_from([1.0, True])
)


@pytest.fixture(scope="module")
def reader():
    return CellReader(COLUMNS)


def read_slowly(rows):
    encoder = row_encoder(Signature(columns=COLUMNS))
    return encoder.encode(as_table(rows, encoder.layout))


@given(rows=st.lists(st.tuples(numbers, numbers, categories, st.just("image.png")), max_size=30))
def test_cells_are_read_as_in_python(reader, rows):
    if not rows:
        assert reader(rows).shape == (0, len(COLUMNS))
        return
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(reader(rows), read_slowly(rows))


def test_rows_are_lists_or_tuples_and_may_be_longer(reader):
    rows = [[1.0, None, "a", None], (2, 3, "None", b"", "more")]
    np.testing.assert_array_equal(reader(rows), [[1.0, 0.0, 0.0, 0.0], [2.0, 1.0, 3.0, 0.0]])


class Doubled(float):
    """A number whose class says that it is another."""

    def __float__(self):
        return 2 * super().__float__()


class DoubledCount(int):
    def __float__(self):
        return 2.0 * int(self)


class Kelvin(float):
    """A number with a unit."""


@pytest.mark.parametrize(
    ("cell", "number"),
    [(Doubled(1.5), 3), (DoubledCount(2), 4), (Kelvin(1.5), 1.5), (np.float64(1.5), 1.5), (True, 1)],
)
def test_a_number_is_what_its_class_says(reader, cell, number):
    rows = [[cell, cell, "a", 0]]
    np.testing.assert_array_equal(reader(rows), read_slowly(rows))
    assert reader(rows)[0, 0] == number


class Odd:
    """A cell whose class raises."""

    def __float__(self):
        raise KeyError("odd")

    def __str__(self):
        raise KeyError("odd")


class OddFloat(float):
    def __float__(self):
        raise KeyError("odd")


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ([1.0], IndexError),
        ([1.0, "x", "a", 0], TypeError),
        ([1.0, Odd(), "a", 0], KeyError),
        ([1.0, OddFloat(), "a", 0], KeyError),
        ([1.0, 2.0, Odd(), 0], KeyError),
        ([10**400, 2.0, "a", 0], OverflowError),
        ([[], 2.0, "a", 0], TypeError),
        (object(), TypeError),
    ],
)
def test_what_cells_raise_is_raised(reader, row, error):
    with pytest.raises(error):
        reader([[1.0, 2.0, "a", 0], row])


def test_nothing_is_kept(reader):
    cell, other = Decimal("1.5"), Kelvin(2)
    rows = [[cell, other, "a", 0] for _ in range(100)]
    counts = lambda: [sys.getrefcount(x) for x in (cell, other, Kelvin, float, rows[0])]  # noqa: E731
    before = counts()
    for _ in range(10):
        reader(rows)
        with pytest.raises(TypeError):
            reader([*rows, [cell, "x", "a"]])
    assert counts() == before


def test_texts_of_numbers_are_read_the_other_way():
    encoder = row_encoder(Signature(columns=COLUMNS), CellReader(COLUMNS))
    rows = [["1.5", Fraction(1, 2), "a", None]] * (FEW_ROWS + 1)
    np.testing.assert_array_equal(
        encoder.encode(as_table(rows, encoder.layout)), [[1.5, 0.0, 0.5, 0.0]] * len(rows)
    )


def test_a_cell_that_none_can_read_is_named():
    encoder = row_encoder(Signature(columns=COLUMNS), CellReader(COLUMNS))
    rows = [[1.0, 2.0, "a", None]] * FEW_ROWS + [[1.0, "x", "a", None]]
    with pytest.raises(InputError, match=f"row {FEW_ROWS}, .*'x'"):
        encoder.encode(as_table(rows, encoder.layout))


def test_numbers_beyond_float32_are_infinite(reader):
    found = reader([[1e300, -1e300, "a", 0], [math.nan, math.inf, "a", 0]])
    np.testing.assert_array_equal(found[:, [0, 2]], [[math.inf, -math.inf], [math.nan, math.inf]])
