"""Rows of Python cells, read by machine code.

A cell that is not a number, or a row with too few cells, raises what Python raises: the caller then reads the
rows as `sensenet.runtime.rows` does, which takes texts of numbers too, and names the cell.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sensenet.backends.native.cell_code import CATEGORY, CONSTANT, FUNCTIONS, NUMBER, OBJECTS, TEXT
from sensenet.ir.types import Array
from sensenet.llvm.compilation import MachineCode, compile_module
from sensenet.records import frozen
from sensenet.signature import CategoricalColumn, Column, NumericColumn

COLUMN = np.dtype([("index", "<i8"), ("codes", "<u8"), ("missing", "<f4"), ("kind", "<i4")])
"""A column: the position of its cell, its dict of codes or 0, the number for None, and one of the kinds."""

MOST_COLUMNS = 4096
"""Columns of a row whose numbers fit on the stack of any thread."""

TAKES_ONE_ARGUMENT = 8
"""Python's METH_O."""


@frozen(kw_only=True, eq=False)
class Prediction:
    """A function that `sensenet.backends.native.module` writes, and the memory that it needs."""

    code: MachineCode
    name: str
    constants: Array
    scratch: Array
    outputs: int


class CellTable:
    """The columns of a model as the code reads them."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._codes = [dict(each.codes) if isinstance(each, CategoricalColumn) else {} for each in columns]
        self._columns = np.array([*map(_describe, columns, self._codes)], COLUMN)
        self.width = len(columns)
        self.address = self._columns.ctypes.data


class CellReader:
    """Reads rows of Python cells; threads may share it."""

    def __init__(self, columns: Sequence[Column]) -> None:
        pointer, count = ctypes.c_void_p, ctypes.c_int64
        parameters = ctypes.py_object, count, pointer, count, pointer
        self._code = load_code()
        self._read = ctypes.PYFUNCTYPE(ctypes.c_int, *parameters)(self._code.address("read_rows"))
        self._table = CellTable(columns)

    def __call__(self, rows: Sequence[Sequence[Any]]) -> Array:
        """Return f32[rows, columns]; raises what Python does for a cell that is no number, or a short row."""
        table = self._table
        numbers = np.empty((len(rows), table.width), np.float32)
        self._read(rows, len(rows), table.address, table.width, numbers.ctypes.data)
        return numbers


RowFunction = Callable[[Sequence[Any]], Array]


def row_function(columns: Sequence[Column], prediction: Prediction) -> RowFunction:
    """Return a function that answers a row of cells with f32[1, outputs]; Python calls machine code directly.

    It holds Python's lock, which protects the scratch memory. It raises what Python does for a cell that is
    no number, or a short row.
    """
    code, table = load_code(), CellTable(columns)
    arrays = np.empty, (1, prediction.outputs), np.dtype(np.float32)
    places = (
        table.address,
        table.width,
        prediction.code.address(prediction.name),
        prediction.constants.ctypes.data,
        prediction.scratch.ctypes.data,
        *map(id, arrays),
    )
    call = np.array(places, np.uint64)
    address = code.address("answer_row")
    method = _Method(b"answer_row", address, TAKES_ONE_ARGUMENT, b"Return f32[1, outputs] for a row.")
    owned = code, prediction, table, arrays, call, method  # in place of a module, which a function keeps
    function: RowFunction = _new_function(ctypes.addressof(method), call.ctypes.data, owned)
    return function


class _Method(ctypes.Structure):
    """Python's `PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("documentation", ctypes.c_char_p),
    )


_new_function = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.py_object)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


_PARTS_OF_PYTHON = np.array(
    [
        *(ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value for name in FUNCTIONS),
        *map(id, OBJECTS.values()),
    ],
    np.uint64,
)
"""The addresses of functions and objects that the code uses, which reads them here at every call."""


@functools.cache
def load_code() -> MachineCode:
    """Return the code that reads cells, which knows the functions of Python.

    Two threads may make it at once, and the second replaces the first: who uses its addresses keeps it.
    """
    code = compile_module(TEXT)
    use_python = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(code.address("use_python"))
    use_python(_PARTS_OF_PYTHON.ctypes.data)
    return code


def _describe(column: Column, codes: dict[str, int]) -> tuple[int, int, float, int]:
    """Return the column's entry of the table; it has the address of `codes`, which must be kept."""
    if isinstance(column, NumericColumn):
        return column.index, 0, column.missing, NUMBER
    if isinstance(column, CategoricalColumn):
        return column.index, id(codes), 0.0, CATEGORY
    return 0, 0, 0.0, CONSTANT
