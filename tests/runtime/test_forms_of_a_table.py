"""One table as dicts, JSON, CSV, and frames of any dtype: the answers are the same, row by row."""

from __future__ import annotations

import csv
import datetime
import decimal
import enum
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from support.profiles import examples

from sensenet.errors import InputError
from sensenet.runtime.row_files import RowFile
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

CODES = ("0", "1", "2", "10")
WORDS = ("red", "blue", "1.0", "nan")
DATES = ("2020-01-01", "2021-12-31")
MISSING = -1.0


@frozen
class Kind:
    """A field, the columns that its cells feed, what a table may hold of it, and the cells of a value."""

    field: Field
    columns: list
    values: list
    cells: dict


def field(name, optype, encoding=None):
    return Field(id=f"id {name}", name=name, optype=optype, encoding=encoding)


def numeric(name, cells, missing=(MISSING,), encoding=None):
    return Kind(
        field(name, "numeric", encoding), [None] * len(missing), list(cells), {**cells, None: missing}
    )


def categorical(name, values, cells, encoding=None):
    return Kind(field(name, "categorical", encoding), [values], list(cells), {**cells, None: [-1]})


def counted(name, optype, encoding, cells):
    size = len(next(iter(cells.values())))
    return Kind(field(name, optype, encoding), [None] * size, list(cells), {**cells, None: [0] * size})


TERMS = Terms(terms=("0", "1", "free"), token_mode="all", case_sensitive=False)
ITEMS = Items(items=("0", "1", "a"), separator=";")
FLAGGED = Number(flags_missing=True)
YES_NO = Booleans(true="true", false="false")
COUNTS = {0: [1, 0, 0], 1: [0, 1, 0], 7: [0, 0, 0]}
DATED = {datetime.date(2020, 1, 1): [0], datetime.date(2000, 1, 1): [-1]}

KINDS = {
    "float": numeric("float", {0.5: [0.5], -2.0: [-2], 1e6: [1e6]}),
    "integer": numeric("integer", {number: [number] for number in (0, 1, 7)}),
    "flagged": numeric("flagged", {number: [number, 0] for number in (0, 1, 7)}, (0, 1), FLAGGED),
    "code": categorical("code", CODES, {0: [0], 1: [1], 2: [2], 7: [-1]}),
    "fraction": categorical("fraction", ("0.5", "1"), {0.5: [0], 1.0: [1], 3.0: [-1]}),
    "word": categorical("word", WORDS, {**{word: [code] for code, word in enumerate(WORDS)}, "Red": [-1]}),
    "date": categorical("date", DATES, DATED),
    "flag": categorical("flag", ("true", "false"), {True: [0], False: [1]}, YES_NO),
    "text": counted("text", "text", TERMS, {"free 1": [0, 1, 1], "FREE": [0, 0, 1], "x": [0, 0, 0]}),
    "text of integers": counted("text of integers", "text", TERMS, COUNTS),
    "items": counted("items", "items", ITEMS, {"a;1": [0, 1, 1], "b": [0, 0, 0]}),
    "items of integers": counted("items of integers", "items", ITEMS, COUNTS),
}


def make_encoder():
    columns = [values for kind in KINDS.values() for values in kind.columns]
    return row_encoder(
        Signature(
            columns=[
                NumericColumn(index=index, missing=MISSING)
                if values is None
                else CategoricalColumn(index=index, values=values)
                for index, values in enumerate(columns)
            ],
            fields=[kind.field for kind in KINDS.values()],
            missing_tokens=("", "NA"),
        )
    )


ENCODER = make_encoder()


def encode(x):
    return ENCODER.encode(as_table(x, ENCODER.layout))


def expected_cells(table):
    """f32[rows, cells]: what the fields' meanings make of a table."""
    absent = [None] * length_of(table)
    columns = [[kind.cells[value] for value in table.get(name, absent)] for name, kind in KINDS.items()]
    return np.float32([[cell for cells in row for cell in cells] for row in zip(*columns, strict=True)])


def rows_of(table):
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def through_json(table):
    """Lines of JSON: dates are texts there."""
    lines = [json.dumps(row, default=str) for row in rows_of(table)]
    return [json.loads(line) for line in lines]


def write_csv(table, path):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(table), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows_of(table))


def plain_pandas(table):
    """As `pandas.read_csv` has it: integers next to a missing one are floats."""
    return pd.DataFrame(table)


def nullable_pandas(table):
    return pd.DataFrame(table, dtype=object).convert_dtypes()


def arrow_pandas(table):
    return arrow(table).to_pandas(types_mapper=pd.ArrowDtype)


def categorical_pandas(table):
    return pd.DataFrame({name: pd.Categorical(cells) for name, cells in table.items()})


def arrow(table):
    return pa.table({name: pa.array(cells) for name, cells in table.items()})


def dictionaries(table):
    return pa.table({name: pa.array(cells).dictionary_encode() for name, cells in table.items()})


def joined_dictionaries(table):
    """Two chunks, each with its own dictionary."""
    table = arrow(table)
    chunks = [table.slice(0, 1), table.slice(1)]
    return pa.table(
        {
            name: pa.chunked_array([chunk[name].combine_chunks().dictionary_encode() for chunk in chunks])
            for name in table.column_names
        }
    )


def large_strings(table):
    frame = arrow(table)
    types = [pa.large_string() if pa.types.is_string(kind) else kind for kind in frame.schema.types]
    return frame.cast(pa.schema(list(zip(frame.column_names, types, strict=True))))


def record_batch(table):
    return pa.RecordBatch.from_pydict({name: pa.array(cells) for name, cells in table.items()})


def polars(table):
    return pl.DataFrame({name: pl.Series(name, cells, strict=False) for name, cells in table.items()})


def polars_categories(table):
    return polars(table).with_columns(pl.col(pl.String).cast(pl.Categorical))


def polars_decimals(table):
    return polars(table).with_columns(pl.col(pl.Int64).cast(pl.Decimal(20, 2)))


def polars_wide_integers(table):
    return polars(table).with_columns(pl.col(pl.Int64).cast(pl.Int128))


def small_numbers(table):
    return polars(table).with_columns(pl.col(pl.Int64).cast(pl.Int8), pl.col(pl.Float64).cast(pl.Float32))


def records(table):
    """A structured array, in which missing cells are masked."""
    array = np.ma.masked_all(length_of(table), [(name, record_type(cells)) for name, cells in table.items()])
    for name, cells in table.items():
        for row, cell in enumerate(cells):
            if cell is not None:
                array[name][row] = cell
                array.mask[name][row] = False
    return array


def record_type(cells):
    types = {type(cell) for cell in cells if cell is not None}
    return types.pop() if types in ({int}, {float}, {bool}) else object


FORMS = {
    "dicts": rows_of,
    "dicts without what is missing": lambda table: [
        {name: value for name, value in row.items() if value is not None} for row in rows_of(table)
    ],
    "JSON": through_json,
    "records": records,
    **{
        function.__name__: function
        for function in (
            *(plain_pandas, nullable_pandas, arrow_pandas, categorical_pandas),
            *(arrow, dictionaries, joined_dictionaries, large_strings, record_batch),
            *(polars, polars_categories, polars_decimals, polars_wide_integers, small_numbers),
        )
    },
    "dicts of pandas": lambda table: plain_pandas(table).to_dict("records"),
    "Series of pandas": lambda table: [row for _, row in plain_pandas(table).iterrows()],
    "chosen columns of Arrow": lambda table: arrow(table).select(list(reversed(table))),
    "slices of Arrow": lambda table: pa.concat_tables([arrow(table).slice(0, 1), arrow(table).slice(1)]),
}
FILES = {
    "CSV": write_csv,
    "CSV of pandas": lambda table, path: plain_pandas(table).to_csv(path, index=False, quoting=csv.QUOTE_ALL),
    "CSV of Polars": lambda table, path: polars(table).write_csv(path, quote_style="always"),
}


@st.composite
def tables(draw, names=tuple(KINDS)):
    length = draw(st.integers(1, 6))
    return {
        name: draw(
            st.lists(st.none() | st.sampled_from(KINDS[name].values), min_size=length, max_size=length)
        )
        for name in draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    }


def length_of(table):
    return len(next(iter(table.values())))


@pytest.mark.parametrize("form", FORMS)
@given(table=tables())
@examples(20)
def test_forms(form, table):
    np.testing.assert_array_equal(encode(FORMS[form](table)), expected_cells(table))


@pytest.mark.parametrize("form", FILES)
@given(data=st.data())
@examples(20)
def test_files(form, data, tmp_path_factory):
    """Not texts that pandas writes with a point: `1.0` has the terms 1 and 0 there."""
    names = set(KINDS) - ({"text of integers"} if form == "CSV of pandas" else set())
    table = data.draw(tables(sorted(names)))
    path = tmp_path_factory.mktemp("table") / "rows.csv"
    FILES[form](table, path)
    rows = [row for _, row in RowFile(str(path)).rows()]
    np.testing.assert_array_equal(encode(rows), expected_cells(table))


@pytest.mark.parametrize("form", FORMS)
@given(table=tables(), data=st.data())
@examples(10)
def test_an_answer_does_not_depend_on_other_rows(form, table, data):
    row = data.draw(st.integers(0, length_of(table) - 1))
    alone = {name: [cells[row]] for name, cells in table.items()}
    np.testing.assert_array_equal(encode(FORMS[form](alone))[0], encode(FORMS[form](table))[row])


UNREADABLE = {
    "struct": [{"a": 1}],
    "list": [[1]],
    "bytes": [b"1"],
    "date with a time": [datetime.datetime(2020, 1, 1)],
    "duration": [datetime.timedelta(1)],
    "time": [datetime.time(1)],
}


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table, pd.DataFrame, lambda columns: columns])
@pytest.mark.parametrize("name", ["code", "text", "items", "flag"])
@pytest.mark.parametrize("what", UNREADABLE)
def test_cells_that_have_no_text_are_refused_by_name(make, name, what):
    with pytest.raises(InputError, match=f'row 0, .*"{name}"'):
        encode(make({name: UNREADABLE[what]}))


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table, pd.DataFrame, lambda columns: columns])
@pytest.mark.parametrize("what", UNREADABLE)
def test_cells_that_are_not_numbers_are_refused_by_name(make, what):
    for name in ("float", "flagged"):
        with pytest.raises(InputError, match=f'row 0, .*"{name}"'):
            encode(make({name: UNREADABLE[what]}))


class Size(str, enum.Enum):  # noqa: UP042 - the text of a StrEnum is its value
    """Text whose `str` is `Size.TWO`."""

    TWO = "2.0"


@pytest.mark.parametrize("cell", [np.timedelta64(3, "s"), np.complex64(1 + 2j), 1j], ids=repr)
@pytest.mark.parametrize("name", ["code", "text", "items", "flag", "float", "flagged"])
def test_durations_and_complex_numbers_are_refused_in_dicts(name, cell):
    with pytest.raises(InputError, match=f'row 0, .*"{name}"'):
        encode({name: cell})


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        *(
            (1, 0),
            (1.0, 0),
            (np.float16(1), 0),
            (np.int8(1), 0),
            ("1", 0),
            ("1.0", 0),
            ("1.00", 0),
            ("01", -1),
        ),
        *((decimal.Decimal("1.00"), 0), (decimal.Decimal("1E+0"), 0), ("01", -1)),
        *((2.0, 1), ("2.0", 1), (2, -1), (0.1, 2), (np.float32(0.1), 2), (decimal.Decimal("0.10"), 2)),
        *((-0.0, 3), (0.0, 3), (True, 4), ("True", 4), ("true", -1), (1e16, 5), (float("inf"), -1)),
        (decimal.Decimal("1E+999999"), -1),
        (Size.TWO, 1),
    ],
    ids=repr,
)
def test_categories_that_look_like_numbers(cell, code):
    """A number is also found in fewer digits, never in more."""
    values = ("1", "2.0", "0.1", "0", "True", "1e+16")
    columns = [CategoricalColumn(index=0, values=values)]
    named = row_encoder(Signature(columns=columns, fields=[field("c", "categorical")]))
    nameless = row_encoder(Signature(columns=columns))
    assert named.encode(as_table({"c": cell}, named.layout)).tolist() == [[code]]
    frame = pd.DataFrame({"c": pd.Series([cell], dtype=object)})
    assert named.encode(as_table(frame, named.layout)).tolist() == [[code]]
    assert nameless.encode(as_table(frame, nameless.layout)).tolist() == [[code]]


@pytest.mark.parametrize(
    "make",
    [
        lambda: pa.table([[1], [2]], names=["code", "code"]),
        lambda: pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["code", "code"]),
        lambda: pd.DataFrame([[1, 2]], columns=["code", "code"]),
        lambda: pd.Series([1, 2], index=["code", "code"]),
    ],
)
def test_a_name_that_occurs_twice_is_refused(make):
    with pytest.raises(InputError, match=r"several (columns|values).* 'code'"):
        encode(make())


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table, pd.DataFrame, pa.RecordBatch.from_pydict])
def test_a_column_that_no_field_has_is_refused(make):
    with pytest.raises(InputError, match="unknown field 'q'"):
        encode(make({"q": [1]}))


def test_a_stream_of_arrow_is_read_by_name():
    frame = pl.DataFrame({"code": [1, None], "float": [0.5, 2.0]})

    class Stream:
        def __arrow_c_stream__(self, requested_schema=None):
            return frame.__arrow_c_stream__(requested_schema)

    np.testing.assert_array_equal(encode(Stream()), encode(frame))


ROWS = 100


def dictionary_of(values, rows=ROWS):
    """An Arrow table of one column, which has only the first value."""
    return lambda name: pa.table({name: pa.DictionaryArray.from_arrays([0] * rows, pa.array(values))})


def categories_of(values, rows=ROWS):
    """The same of pandas."""
    return lambda name: pd.DataFrame({name: pd.Categorical.from_codes([0] * rows, values)})


@pytest.mark.parametrize("make", [dictionary_of, categories_of])
@pytest.mark.parametrize("name", ["float", "flagged"])
def test_a_value_that_no_cell_has_is_not_refused(make, name):
    np.testing.assert_array_equal(encode(make(["2", "x"])(name)), encode({name: "2"}).repeat(ROWS, axis=0))
    with pytest.raises(InputError, match=r"row 0, .*cannot read 'x'"):
        encode(make(["x", "2"])(name))


@pytest.mark.parametrize(
    ("make", "values", "rows", "times"),
    [
        (dictionary_of, ["free", "x"], ROWS, 2),
        (categories_of, ["free", "x"], ROWS, 2),
        (dictionary_of, ["x", *"abc"], 3, 1),
        (categories_of, ["x", *"abc"], 3, 3),
    ],
)
def test_each_value_is_read_once_or_only_those_of_cells(make, values, rows, times, monkeypatch):
    read = []
    monkeypatch.setattr(
        "sensenet.runtime.terms._count", lambda words, positions, size: read.append(1) or np.zeros(size)
    )
    encode(make(values, rows)("text"))
    assert len(read) == times


def unions(cells):
    codes = pa.array([0] * len(cells), pa.int8())
    return pa.UnionArray.from_sparse(codes, [pa.array(cells), pa.array([1] * len(cells))])


TYPES_WITHOUT_CELLS = {
    "JSON": lambda cells: pa.array(cells, pa.json_()),
    "union": unions,
    "identifiers": lambda cells: pa.array([bytes(16)] * len(cells), pa.uuid()),
    "opaque": lambda cells: pa.array(cells).cast(pa.opaque(pa.string(), "a", "b")),
}


@pytest.mark.parametrize("kind", TYPES_WITHOUT_CELLS)
@pytest.mark.parametrize("name", ["float", "code", "text"])
def test_types_of_arrow_without_cells_are_refused_by_name(kind, name):
    column = TYPES_WITHOUT_CELLS[kind](["1", "1"])
    for table in (pa.table({name: column}), pa.RecordBatch.from_pydict({name: column})):
        with pytest.raises(InputError, match=f"column '{name}' has the type .*, which has no cells"):
            encode(table)


def test_booleans_of_eight_bits_are_booleans():
    flags = pa.array([True, False, None])
    table = pa.table({"flag": flags.cast(pa.bool8())})
    np.testing.assert_array_equal(encode(table), encode(pa.table({"flag": flags})))
