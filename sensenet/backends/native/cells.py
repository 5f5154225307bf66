"""Machine code that reads the cells of rows, lists or tuples of Python objects, as the numbers of columns.

It calls what any program that embeds Python may call, so it does not depend on how objects look inside. A
cell that is not a number, or not of that many cells, raises what Python raises: the caller then reads the
rows as `sensenet.runtime.rows` does, which takes texts of numbers too, and names the cell.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from sensenet.backends.native.machine_code import compile_module
from sensenet.ir.types import Array
from sensenet.signature import CategoricalColumn, Column, NumericColumn

NAME = "read_cells"

FUNCTIONS = (
    "PySequence_GetItem",
    "PyFloat_AsDouble",
    "PyErr_Occurred",
    "PyObject_Str",
    "PyDict_GetItemWithError",
    "Py_DecRef",
)
"""The functions that the code calls, in the order of its table `api`, whose last entry is None."""

COLUMN = np.dtype([("index", "<i8"), ("codes", "<u8"), ("missing", "<f4"), ("kind", "<i4")])
"""A column: the position of its cell, its dict of codes or 0, the number for None, and one of the kinds."""

CONSTANT, NUMBER, CATEGORY = 0, 1, 2

TEXT = """\
; Write f32[rows, columns] to %out for a list of rows; return 0, or 1 after an exception.
define i32 @read_cells(ptr %api, ptr %rows, i64 %count, ptr %columns, i64 %width, ptr %out) {
entry:
  %address.get = getelementptr ptr, ptr %api, i64 0
  %get = load ptr, ptr %address.get
  %address.number = getelementptr ptr, ptr %api, i64 1
  %as_number = load ptr, ptr %address.number
  %address.occurred = getelementptr ptr, ptr %api, i64 2
  %occurred = load ptr, ptr %address.occurred
  %address.text = getelementptr ptr, ptr %api, i64 3
  %as_text = load ptr, ptr %address.text
  %address.find = getelementptr ptr, ptr %api, i64 4
  %find = load ptr, ptr %address.find
  %address.release = getelementptr ptr, ptr %api, i64 5
  %release = load ptr, ptr %address.release
  %address.none = getelementptr ptr, ptr %api, i64 6
  %none = load ptr, ptr %address.none
  br label %rows.head

rows.head:
  %r = phi i64 [ 0, %entry ], [ %r.next, %row.done ]
  %more = icmp slt i64 %r, %count
  br i1 %more, label %row, label %finished

row:
  %list = call ptr %get(ptr %rows, i64 %r)
  %no.list = icmp eq ptr %list, null
  br i1 %no.list, label %failed, label %cells.head

cells.head:
  %c = phi i64 [ 0, %row ], [ %c.next, %cell.done ]
  %more.cells = icmp slt i64 %c, %width
  br i1 %more.cells, label %cell, label %row.done

cell:
  %column = getelementptr { i64, ptr, float, i32 }, ptr %columns, i64 %c
  %index = load i64, ptr %column
  %address.codes = getelementptr { i64, ptr, float, i32 }, ptr %column, i64 0, i32 1
  %codes = load ptr, ptr %address.codes
  %address.missing = getelementptr { i64, ptr, float, i32 }, ptr %column, i64 0, i32 2
  %missing = load float, ptr %address.missing
  %address.kind = getelementptr { i64, ptr, float, i32 }, ptr %column, i64 0, i32 3
  %kind = load i32, ptr %address.kind
  %is.constant = icmp eq i32 %kind, 0
  br i1 %is.constant, label %cell.done, label %read

read:
  %object = call ptr %get(ptr %list, i64 %index)
  %no.object = icmp eq ptr %object, null
  br i1 %no.object, label %failed.row, label %present

present:
  %is.category = icmp eq i32 %kind, 2
  br i1 %is.category, label %category, label %number

number:
  %is.none = icmp eq ptr %object, %none
  br i1 %is.none, label %release.missing, label %convert

release.missing:
  call void %release(ptr %object)
  br label %cell.done

convert:
  %double = call double %as_number(ptr %object)
  call void %release(ptr %object)
  %may.fail = fcmp oeq double %double, -1.0
  br i1 %may.fail, label %check, label %converted

check:
  %error = call ptr %occurred()
  %is.error = icmp ne ptr %error, null
  br i1 %is.error, label %failed.row, label %converted

converted:
  %single = fptrunc double %double to float
  br label %cell.done

category:
  %text = call ptr %as_text(ptr %object)
  call void %release(ptr %object)
  %no.text = icmp eq ptr %text, null
  br i1 %no.text, label %failed.row, label %look.up

look.up:
  %code = call ptr %find(ptr %codes, ptr %text)
  call void %release(ptr %text)
  %is.unknown = icmp eq ptr %code, null
  br i1 %is.unknown, label %unknown, label %known

unknown:
  %error.found = call ptr %occurred()
  %is.error.found = icmp ne ptr %error.found, null
  br i1 %is.error.found, label %failed.row, label %cell.done

known:
  %double.code = call double %as_number(ptr %code)
  %single.code = fptrunc double %double.code to float
  br label %cell.done

cell.done:
  %value = phi float [ %missing, %cell ], [ %missing, %release.missing ], [ %single, %converted ],
                     [ -1.0, %unknown ], [ %single.code, %known ]
  %row.start = mul i64 %r, %width
  %position = add i64 %row.start, %c
  %target = getelementptr float, ptr %out, i64 %position
  store float %value, ptr %target
  %c.next = add i64 %c, 1
  br label %cells.head

row.done:
  call void %release(ptr %list)
  %r.next = add i64 %r, 1
  br label %rows.head

failed.row:
  call void %release(ptr %list)
  br label %failed

failed:
  ret i32 1

finished:
  ret i32 0
}
"""


class CellReader:
    """Reads rows of Python cells; threads may share it."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._code = compile_module(TEXT, NAME)
        pointer = ctypes.c_void_p
        parameters = pointer, ctypes.py_object, ctypes.c_int64, pointer, ctypes.c_int64, pointer
        self._read = ctypes.PYFUNCTYPE(ctypes.c_int, *parameters)(self._code.address)
        self._codes = [dict(each.codes) if isinstance(each, CategoricalColumn) else {} for each in columns]
        described = map(_describe, columns, self._codes)
        self._columns = np.array([*described], COLUMN)
        functions = [ctypes.cast(getattr(ctypes.pythonapi, name), pointer).value for name in FUNCTIONS]
        self._api = np.array([*functions, id(None)], np.uint64)

    def __call__(self, rows: Sequence[Sequence[Any]]) -> Array:
        """Return f32[rows, columns]; raises what Python does for a cell that is no number, or a short row."""
        count, width = len(rows), len(self._columns)
        numbers = np.empty((count, width), np.float32)
        addresses = self._columns.ctypes.data, width, numbers.ctypes.data
        self._read(self._api.ctypes.data, rows, count, *addresses)
        return numbers


def _describe(column: Column, codes: dict[str, int]) -> tuple[int, int, float, int]:
    """Return the column's entry of the table; it has the address of `codes`, which the reader keeps."""
    if isinstance(column, NumericColumn):
        return column.index, 0, column.missing, NUMBER
    if isinstance(column, CategoricalColumn):
        return column.index, id(codes), 0.0, CATEGORY
    return 0, 0, 0.0, CONSTANT
