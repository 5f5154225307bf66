"""The code that reads the cells of rows, lists or tuples of Python objects, as numbers, in LLVM's language.

It calls what any program that embeds Python may call, so it does not depend on how objects look inside.
"""

from __future__ import annotations

FUNCTIONS = (
    "PySequence_GetItem",
    "PyFloat_AsDouble",
    "PyNumber_Float",
    "PyObject_Type",
    "PyType_IsSubtype",
    "PyErr_Occurred",
    "PyObject_Str",
    "PyDict_GetItemWithError",
    "Py_DecRef",
    "PyLong_AsVoidPtr",
    "PyObject_Vectorcall",
    "PyObject_GetBuffer",
    "PyBuffer_Release",
)
"""The functions of Python that the code calls, in the order of the table of `use_python`."""

OBJECTS = {"None": None, "float": float}
"""The objects after them."""

CONSTANT, NUMBER, CATEGORY = 0, 1, 2
"""Kinds of columns."""

BUFFER = 80
"""Bytes of Python's `Py_buffer`, whose first field is the address."""


def _load(name: str) -> str:
    """Return the lines that load a function of Python, or an object, as a variable of that name."""
    position = (*FUNCTIONS, *OBJECTS).index(name)
    return f"""\
  %table.{name} = load ptr, ptr @python
  %entry.{name} = getelementptr ptr, ptr %table.{name}, i64 {position}
  %{name} = load ptr, ptr %entry.{name}"""


TEXT = f"""\
@python = internal global ptr null

; Take the table of functions; called once, before the others.
define void @use_python(ptr %table) {{
  store ptr %table, ptr @python
  ret void
}}

; Write f32[rows, columns] to %out for a list of rows; return 0, or 1 after an exception.
define i32 @read_rows(ptr %rows, i64 %count, ptr %columns, i64 %width, ptr %out) {{
entry:
{_load("PySequence_GetItem")}
{_load("Py_DecRef")}
  br label %head

head:
  %r = phi i64 [ 0, %entry ], [ %next, %present ]
  %more = icmp slt i64 %r, %count
  br i1 %more, label %row, label %finished

row:
  %list = call ptr %PySequence_GetItem(ptr %rows, i64 %r)
  %no.list = icmp eq ptr %list, null
  br i1 %no.list, label %failed, label %present

present:
  %start = mul i64 %r, %width
  %numbers = getelementptr float, ptr %out, i64 %start
  %status = call i32 @read_row(ptr %list, ptr %columns, i64 %width, ptr %numbers)
  call void %Py_DecRef(ptr %list)
  %next = add i64 %r, 1
  %good = icmp eq i32 %status, 0
  br i1 %good, label %head, label %failed

failed:
  ret i32 1

finished:
  ret i32 0
}}

; Write f32[columns] to %out for a row; return 0, or 1 after an exception.
define internal i32 @read_row(ptr %list, ptr %columns, i64 %width, ptr %out) {{
entry:
{_load("PySequence_GetItem")}
{_load("PyFloat_AsDouble")}
{_load("PyNumber_Float")}
{_load("PyObject_Type")}
{_load("PyType_IsSubtype")}
{_load("PyErr_Occurred")}
{_load("PyObject_Str")}
{_load("PyDict_GetItemWithError")}
{_load("Py_DecRef")}
{_load("None")}
{_load("float")}
  br label %head

head:
  %c = phi i64 [ 0, %entry ], [ %next, %done ]
  %more = icmp slt i64 %c, %width
  br i1 %more, label %cell, label %finished

cell:
  %column = getelementptr {{ i64, ptr, float, i32 }}, ptr %columns, i64 %c
  %index = load i64, ptr %column
  %address.codes = getelementptr {{ i64, ptr, float, i32 }}, ptr %column, i64 0, i32 1
  %codes = load ptr, ptr %address.codes
  %address.missing = getelementptr {{ i64, ptr, float, i32 }}, ptr %column, i64 0, i32 2
  %missing = load float, ptr %address.missing
  %address.kind = getelementptr {{ i64, ptr, float, i32 }}, ptr %column, i64 0, i32 3
  %kind = load i32, ptr %address.kind
  %is.constant = icmp eq i32 %kind, {CONSTANT}
  br i1 %is.constant, label %done, label %read

read:
  %object = call ptr %PySequence_GetItem(ptr %list, i64 %index)
  %no.object = icmp eq ptr %object, null
  br i1 %no.object, label %failed, label %present

present:
  %is.category = icmp eq i32 %kind, {CATEGORY}
  br i1 %is.category, label %category, label %number

number:
  %is.none = icmp eq ptr %object, %None
  br i1 %is.none, label %none, label %type

none:
  call void %Py_DecRef(ptr %object)
  br label %done

type:
  %class = call ptr %PyObject_Type(ptr %object)
  call void %Py_DecRef(ptr %class)
  %is.float = icmp eq ptr %class, %float
  br i1 %is.float, label %convert, label %other.type

other.type:
  %subtype = call i32 %PyType_IsSubtype(ptr %class, ptr %float)
  %is.subtype = icmp ne i32 %subtype, 0
  br i1 %is.subtype, label %make.float, label %convert

make.float: ; PyFloat_AsDouble would not call the __float__ of a class derived from float
  %made = call ptr %PyNumber_Float(ptr %object)
  call void %Py_DecRef(ptr %object)
  %is.made = icmp ne ptr %made, null
  br i1 %is.made, label %convert, label %failed

convert:
  %number.object = phi ptr [ %object, %type ], [ %object, %other.type ], [ %made, %make.float ]
  %double = call double %PyFloat_AsDouble(ptr %number.object)
  call void %Py_DecRef(ptr %number.object)
  %may.fail = fcmp oeq double %double, -1.0
  br i1 %may.fail, label %check, label %converted

check:
  %error = call ptr %PyErr_Occurred()
  %is.error = icmp ne ptr %error, null
  br i1 %is.error, label %failed, label %converted

converted:
  %single = fptrunc double %double to float
  br label %done

category:
  %text = call ptr %PyObject_Str(ptr %object)
  call void %Py_DecRef(ptr %object)
  %no.text = icmp eq ptr %text, null
  br i1 %no.text, label %failed, label %look.up

look.up:
  %code = call ptr %PyDict_GetItemWithError(ptr %codes, ptr %text)
  call void %Py_DecRef(ptr %text)
  %is.unknown = icmp eq ptr %code, null
  br i1 %is.unknown, label %unknown, label %known

unknown:
  %error.found = call ptr %PyErr_Occurred()
  %is.error.found = icmp ne ptr %error.found, null
  br i1 %is.error.found, label %failed, label %done

known:
  %double.code = call double %PyFloat_AsDouble(ptr %code)
  %single.code = fptrunc double %double.code to float
  br label %done

done:
  %value = phi float [ %missing, %cell ], [ %missing, %none ], [ %single, %converted ],
                     [ -1.0, %unknown ], [ %single.code, %known ]
  %target = getelementptr float, ptr %out, i64 %c
  store float %value, ptr %target
  %next = add i64 %c, 1
  br label %head

failed:
  ret i32 1

finished:
  ret i32 0
}}

; Return a new array with the answers to a row, or null after an exception: a method of an integer, which is
; the address of a call, so Python's lock protects the scratch memory of the call.
define ptr @answer_row(ptr %self, ptr %row) {{
{_load("PyLong_AsVoidPtr")}
{_load("PyObject_Vectorcall")}
{_load("PyObject_GetBuffer")}
{_load("PyBuffer_Release")}
{_load("Py_DecRef")}
  %call = call ptr %PyLong_AsVoidPtr(ptr %self)
  %columns = load ptr, ptr %call
  %address.width = getelementptr ptr, ptr %call, i64 1
  %width = load i64, ptr %address.width
  %address.predict = getelementptr ptr, ptr %call, i64 2
  %predict = load ptr, ptr %address.predict
  %address.constants = getelementptr ptr, ptr %call, i64 3
  %constants = load ptr, ptr %address.constants
  %address.scratch = getelementptr ptr, ptr %call, i64 4
  %scratch = load ptr, ptr %address.scratch
  %address.new = getelementptr ptr, ptr %call, i64 5
  %new = load ptr, ptr %address.new
  %arguments = getelementptr ptr, ptr %call, i64 6
  %numbers = alloca float, i64 %width
  %buffer = alloca [{BUFFER} x i8], align 8
  %status = call i32 @read_row(ptr %row, ptr %columns, i64 %width, ptr %numbers)
  %good = icmp eq i32 %status, 0
  br i1 %good, label %make, label %failed

make:
  %answers = call ptr %PyObject_Vectorcall(ptr %new, ptr %arguments, i64 2, ptr null)
  %no.answers = icmp eq ptr %answers, null
  br i1 %no.answers, label %failed, label %open

open:
  %opened = call i32 %PyObject_GetBuffer(ptr %answers, ptr %buffer, i32 1)
  %is.open = icmp eq i32 %opened, 0
  br i1 %is.open, label %compute, label %release

compute:
  %out = load ptr, ptr %buffer
  call void %predict(ptr %constants, ptr %numbers, i64 1, ptr %out, ptr %scratch)
  call void %PyBuffer_Release(ptr %buffer)
  ret ptr %answers

release:
  call void %Py_DecRef(ptr %answers)
  br label %failed

failed:
  ret ptr null
}}
"""
