"""Reads tables with named columns: data frames of any library, Arrow tables, structured arrays.

Narwhals reads the frames of pandas, Polars, PyArrow and others. It is imported only for an object that may be
a frame.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sensenet.errors import InputError, InputTypeError
from sensenet.ir.types import Array
from sensenet.records import frozen
from sensenet.runtime.cells import Cells, CodedCells, describe

if TYPE_CHECKING:
    import narwhals

NUMBER_KINDS = "biuf"
"""The kinds of dtype whose cells are numbers."""

SERIES_MODULES = ("pandas", "modin.pandas", "cudf")
"""Libraries whose Series has an index, so that it can be a row of a frame."""

ArrowReader = Literal["pyarrow", "polars"]
ARROW_READERS: tuple[ArrowReader, ...] = ("pyarrow", "polars")
"""Libraries with which narwhals reads an Arrow stream, in order of preference."""


@frozen(kw_only=True)
class Frame:
    """Columns by name. `column` returns the cells under a name, with None or NaN if one is missing."""

    names: list[Any]
    length: int
    column: Callable[[Any], Cells]


def is_frame(x: Any) -> bool:
    """Return whether an object supports one of the protocols of data frames."""
    return not is_series(x) and any(hasattr(x, name) for name in ("__arrow_c_stream__", "__dataframe__"))


def open_frame(x: Any) -> Frame | None:
    """Return an object as a frame, or None if it is not one.

    Raises InputError for two columns with one name, InputTypeError for a single column or a lazy frame.
    """
    if type(x).__module__ == "builtins":
        return None
    import narwhals as nw

    try:
        found = nw.from_native(x, pass_through=True, allow_series=True)
        if isinstance(found, nw.Series):
            raise InputTypeError(f"expected rows, found a single column ({_type_name(x)}): pass a data frame")
        if isinstance(found, nw.LazyFrame):
            raise InputTypeError(f"expected rows, found a lazy frame ({_type_name(x)}): collect it first")
        if not isinstance(found, nw.DataFrame):
            if not hasattr(x, "__arrow_c_stream__"):
                return None
            found = nw.from_arrow(x, backend=_arrow_reader(x))
        names = list(found.columns)
    except InputError:
        raise
    except Exception as error:  # anything that the frame's library raises
        raise _refuse(x, error) from error
    return Frame(names=names, length=len(found), column=lambda name: _read_column(found, name))


def _type_name(x: Any) -> str:
    return f"{type(x).__module__.partition('.')[0]}.{type(x).__name__}"


def _arrow_reader(x: Any) -> ArrowReader:
    """Return the name of an installed library that reads Arrow; raises InputTypeError if there is none."""
    for name in ARROW_READERS:
        if importlib.util.find_spec(name):
            return name
    raise InputTypeError(f"reading {_type_name(x)} needs pyarrow or polars: pip install pyarrow")


def _refuse(x: Any, error: Exception) -> InputError:
    """Return the error for a frame that cannot be read."""
    try:
        names = getattr(x, "column_names", None) or list(getattr(x, "columns", ()))
        doubled = [name for name, count in Counter(names).items() if count > 1]
    except TypeError:
        doubled = []
    if doubled:
        return InputError(f"the data frame has several columns {describe(doubled[0])}: rename them")
    reason = " ".join(str(error).split())[:200]
    return InputTypeError(f"cannot read {_type_name(x)} as a data frame: {reason}")


def _read_column(frame: narwhals.DataFrame[Any], name: Any) -> Cells:
    """Return the cells of a column: an array of numbers, coded cells, or a list of Python objects.

    Integers stay integers if some are missing. Raises InputError naming a column that cannot be read.
    """
    import narwhals as nw

    try:
        series = frame.get_column(name)
        dtype = series.dtype
        native: Any = series.to_native()
        in_arrow = series.implementation.is_pyarrow()
        if in_arrow:
            require_readable(name, native.type)
        if dtype == nw.Categorical or (in_arrow and hasattr(native.type, "run_end_type")):
            with contextlib.suppress(Exception):  # a list of the cells can be read, or says why not
                coded = _read_codes(series)
                if coded is not None:
                    return coded
        exact = (dtype.is_integer() and dtype not in (nw.Int128, nw.UInt128)) or dtype == nw.Boolean
        if dtype.is_float() or (exact and not series.null_count()):
            array: Array = series.to_numpy()
            if array.dtype.kind in NUMBER_KINDS:
                return array
        return list(series.to_list())
    except InputError:
        raise
    except Exception as error:  # anything that the frame's library raises
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"cannot read column {describe(name)} of the data frame: {reason}") from error


def _read_codes(series: narwhals.Series[Any]) -> CodedCells | None:
    """Return the cells of a categorical column of pandas, or one of Arrow of dictionaries or runs.

    Returns None for other libraries, and for pandas if there are more categories than cells, as in a slice.
    """
    native: Any = series.to_native()
    if series.implementation.is_pandas():
        if len(native.cat.categories) <= len(native):
            return CodedCells([*native.cat.categories.tolist(), None], native.cat.codes.to_numpy())
    elif series.implementation.is_pyarrow():
        return _join([_read_chunk(chunk) for chunk in native.chunks])
    return None


def _read_chunk(chunk: Any) -> CodedCells:
    """Return the cells of an array of dictionary or run-end encoded values, at most as many as cells."""
    if hasattr(chunk, "dictionary"):
        values, positions = chunk.dictionary, chunk.indices.cast("int64").fill_null(-1).to_numpy()
    else:
        values, positions = chunk.values, run_positions(chunk)
    if len(values) > len(chunk):
        used, positions = np.unique(positions, return_inverse=True)
        return CodedCells([values[int(each)].as_py() if each >= 0 else None for each in used], positions)
    return CodedCells([*values.to_pylist(), None], positions)


def run_positions(array: Any) -> Array:
    """Return the position of each cell of run-end encoded values among these: i64[cells]."""
    rows = np.arange(array.offset, array.offset + len(array))
    found: Array = np.searchsorted(array.run_ends.to_numpy(), rows, side="right")
    return found


def _join(chunks: Sequence[CodedCells]) -> CodedCells:
    """Return the cells of all chunks, each of which has its own values."""
    if len(chunks) == 1:
        return chunks[0]
    starts = np.cumsum([0, *(len(chunk.values) for chunk in chunks)])
    positions = [
        chunk.positions % len(chunk.values) + start for chunk, start in zip(chunks, starts, strict=False)
    ]
    values = [value for chunk in chunks for value in chunk.values]
    return CodedCells(values, np.concatenate(positions) if positions else np.zeros(0, np.intp))


def require_readable(name: Any, type_: Any) -> None:
    """Raise InputError for a column of a type of Arrow whose values have no one meaning as cells.

    Those are unions, and extension types but that of booleans: JSON, for one, is text that contains values.
    """
    pa = sys.modules["pyarrow"]  # its type is there
    extended = isinstance(type_, pa.BaseExtensionType) and type_.extension_name != "arrow.bool8"
    if pa.types.is_union(type_) or extended:
        raise InputError(f"column {describe(name)} has the type {type_}, which has no cells: cast it")


def records_frame(x: Array) -> Frame:
    """Return the frame of a structured array [rows] or one record; raise InputError for other shapes."""
    rows = np.atleast_1d(x)
    if rows.ndim != 1:
        raise InputError(f"expected an array of records [rows]; found {list(x.shape)}")

    def column(name: str) -> Cells:
        cells = rows[name]
        if cells.ndim != 1:
            raise InputError(
                f"column {name!r} of the array has values of shape {list(cells.shape[1:])}, expected scalars"
            )
        return cells_of_array(cells)

    return Frame(names=list(rows.dtype.names or ()), length=len(rows), column=column)


def cells_of_array(cells: Array) -> Cells:
    """Return the cells of an array [cells] of any class: an array of numbers, or a list with None for
    masked."""
    plain = np.asarray(cells)
    if isinstance(cells, np.ma.MaskedArray):
        mask = np.broadcast_to(cells.mask, plain.shape)
        return [None if masked else cell for cell, masked in zip(plain, mask, strict=True)]
    return plain if plain.dtype.kind in NUMBER_KINDS else list(plain)


def is_series(x: Any) -> bool:
    """Return whether an object is a row of a pandas frame, or of a similar library."""
    return any(isinstance(x, getattr(sys.modules.get(name), "Series", ())) for name in SERIES_MODULES)


def row_of_series(series: Any) -> Mapping[Any, Any]:
    """Return the values of a Series by label; raise InputError for a label that occurs twice."""
    labels = list(series.index)
    # An array keeps float32, so that 0.1 has the text "0.1"; a list keeps integers next to a missing one.
    values = series.to_numpy() if getattr(series.dtype, "kind", "O") == "f" else series
    row = dict(zip(labels, values, strict=True))
    if len(row) < len(labels):
        doubled = next(label for label, count in Counter(labels).items() if count > 1)
        raise InputError(f"the row has several values labeled {describe(doubled)}: keep one")
    return row
