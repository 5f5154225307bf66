"""The tensors of the Open Inference Protocol: their data in JSON and in binary form.

| datatype | array | in JSON | in binary form |
|---|---|---|---|
| `BOOL` | bool | true, false | a byte of 0 or 1 |
| `INT8` … `UINT64` | integers | whole numbers | little-endian |
| `FP16`, `FP32`, `FP64` | floats | numbers; null is NaN | little-endian |
| `BYTES` | objects: text, bytes, None if missing | text; null is missing | the length as u32, then bytes |

JSON data are the elements in row-major order, flat or as nested lists. JSON has no infinities: an answer's
are null, like NaN.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from attrs import field

from sensenet.errors import InputError
from sensenet.ir.types import Array
from sensenet.records import frozen

DATATYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    "BYTES": np.dtype(object),
}
"""The arrays of each datatype."""

BYTES = "BYTES"

MOST_AXES = 8
LARGEST_SIZE = 2**31 - 1

NUMBERS: Mapping[str, frozenset[type]] = {
    "b": frozenset({bool}),
    "i": frozenset({int}),
    "u": frozenset({int}),
    "f": frozenset({int, float, type(None)}),
    "O": frozenset({str, type(None)}),
}
"""The types of JSON data, by the kind of an array."""

KINDS: Mapping[str, str] = {
    "b": "true or false",
    "i": "whole numbers",
    "u": "whole numbers",
    "f": "numbers",
    "O": "text",
}
"""The same in words."""

LENGTH = struct.Struct("<I")
"""The length before an element of BYTES."""


@frozen
class Tensor:
    """A named tensor. Its array has a dtype of DATATYPES."""

    name: str
    datatype: str
    array: Array = field(eq=False)


def make_tensor(name: str, array: Array) -> Tensor:
    """Return a tensor of an array whose dtype is one of DATATYPES."""
    datatype = next(name for name, dtype in DATATYPES.items() if dtype == array.dtype)
    return Tensor(name, datatype, array)


def require_shape(shape: Any, where: str) -> tuple[int, ...]:
    """Return the shape in a request; raise InputError unless it is a list of sizes."""
    if not isinstance(shape, list) or not 1 <= len(shape) <= MOST_AXES:
        raise InputError(f"{where}: expected a shape of 1 to {MOST_AXES} sizes, such as [2, 1]")
    if not all(type(size) is int and 0 <= size <= LARGEST_SIZE for size in shape):
        raise InputError(f"{where}: the sizes of a shape are whole numbers from 0 to {LARGEST_SIZE}")
    return tuple(shape)


def require_datatype(datatype: Any, where: str) -> np.dtype[Any]:
    """Return the dtype of a datatype in a request; raise InputError for an unknown one."""
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise InputError(f"{where}: unknown datatype; expected one of: {', '.join(DATATYPES)}")
    return DATATYPES[datatype]


def read_json_data(data: Any, dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> Array:
    """Return the array of JSON data; raise InputError for data of another type, number or range."""
    if not isinstance(data, list):
        raise InputError(f"{where}: expected the data as a list")
    flat = _flatten(data, shape, where)
    if len(flat) != math.prod(shape):
        raise InputError(f"{where}: {len(flat)} elements do not fill the shape {list(shape)}")
    if not NUMBERS[dtype.kind].issuperset(map(type, flat)):
        raise InputError(f"{where}: expected {KINDS[dtype.kind]}, and nothing else")
    if dtype.kind in "iu" and not _fit(flat, np.iinfo(dtype)):
        raise InputError(f"{where}: a number does not fit {dtype.name}")
    try:
        with np.errstate(over="ignore"):
            array = np.array(flat, np.float64 if dtype.kind == "f" else dtype).astype(dtype, copy=False)
    except OverflowError as error:  # a whole number beyond float64
        raise InputError(f"{where}: a number does not fit {dtype.name}") from error
    return array.reshape(shape)


def _fit(numbers: Sequence[int], limits: np.iinfo[Any]) -> bool:
    return not numbers or (limits.min <= min(numbers) and max(numbers) <= limits.max)


def _flatten(data: list[Any], shape: tuple[int, ...], where: str) -> list[Any]:
    """Return the elements of lists that are nested as the shape, or of a flat list."""
    if not data or not isinstance(data[0], list):
        return data
    for size in shape[1:]:
        if not all(isinstance(part, list) and len(part) == size for part in data):
            raise InputError(f"{where}: the nested lists do not have the shape {list(shape)}")
        data = list(chain.from_iterable(data))
    return data


def json_data(array: Array) -> Array | list[Any]:
    """Return the elements of an array, flat, as orjson writes them: null for NaN and infinities."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return list(flat) if array.dtype.kind == "O" else flat


def read_binary_data(content: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> Array:
    """Return the array of binary data; raise InputError for data of another size."""
    count = math.prod(shape)
    if dtype.kind == "O":
        return as_objects(_split_elements(content, count, where)).reshape(shape)
    if len(content) != count * dtype.itemsize:
        raise InputError(
            f"{where}: {len(content)} bytes of data, and the shape {list(shape)} has {count * dtype.itemsize}"
        )
    if dtype.kind == "b":
        return np.frombuffer(content, np.uint8).reshape(shape).astype(np.bool_)
    return np.frombuffer(content, dtype).reshape(shape)


def as_objects(elements: Sequence[Any]) -> Array:
    """Return an array whose elements are objects, arrays too."""
    return np.fromiter(elements, object, len(elements))


def _split_elements(content: memoryview, count: int, where: str) -> list[bytes]:
    """Return the elements of BYTES: each follows its length."""
    elements: list[bytes] = []
    start = 0
    while start + LENGTH.size <= len(content) and len(elements) < count:
        (length,) = LENGTH.unpack_from(content, start)
        start += LENGTH.size
        if length > len(content) - start:
            break
        elements.append(bytes(content[start : start + length]))
        start += length
    if len(elements) != count or start != len(content):
        raise InputError(f"{where}: the data are not {count} elements of BYTES, each after its length")
    return elements


def write_binary_data(array: Array) -> bytes:
    """Return the binary data of an array; a missing text has length 0."""
    if array.dtype.kind != "O":
        return array.tobytes()
    elements = [_as_bytes(element) for element in array.reshape(-1)]
    return b"".join(part for element in elements for part in (LENGTH.pack(len(element)), element))


def _as_bytes(element: str | bytes | None) -> bytes:
    return element.encode() if isinstance(element, str) else element or b""
