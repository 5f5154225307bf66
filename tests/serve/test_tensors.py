"""Data of tensors: both forms there and back, and what is refused."""

from __future__ import annotations

import json
import struct

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensenet.errors import InputError
from sensenet.serve.tensors import (
    DATATYPES,
    json_data,
    make_tensor,
    read_binary_data,
    read_json_data,
    require_datatype,
    require_shape,
    write_binary_data,
)

responses = pytest.importorskip("sensenet.serve.responses")

SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)
TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8))


@st.composite
def drawn_arrays(draw):
    dtype = draw(st.sampled_from([*DATATYPES.values()]))
    elements = TEXTS if dtype.kind == "O" else None
    return draw(arrays.arrays(dtype, draw(SHAPES), elements=elements, fill=st.nothing()))


def nest(array):
    return array.astype(object).tolist()


@given(drawn_arrays())
def test_binary_data_return(array):
    found = read_binary_data(memoryview(write_binary_data(array)), array.dtype, array.shape, "x")
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    if array.dtype == object:
        array = np.frompyfunc(lambda text: (text or "").encode(), 1, 1)(array)
        assert found.tolist() == array.tolist()
    else:
        assert found.tobytes() == array.tobytes()


@given(drawn_arrays())
def test_json_data_return_flat_and_nested(array):
    flat = json.loads(responses.write_json(json_data(array)))
    found = read_json_data(flat, array.dtype, array.shape, "x")
    assert found.dtype == array.dtype
    if array.dtype.kind == "f":
        array = np.where(np.isfinite(array), array, np.array(np.nan, array.dtype))
    np.testing.assert_array_equal(found, array)
    nested = array.reshape(found.shape).tolist()
    np.testing.assert_array_equal(read_json_data(nested, array.dtype, array.shape, "x"), array)


def test_the_forms_are_those_of_the_protocol():
    assert write_binary_data(np.array([["ab", None], ["é", b"\xff"]], object)) == (
        b"\x02\0\0\0ab" + b"\0\0\0\0" + b"\x02\0\0\0\xc3\xa9" + b"\x01\0\0\0\xff"
    )
    assert write_binary_data(np.array([True, False])) == b"\x01\0"
    assert write_binary_data(np.array([1, -2], np.int16)) == struct.pack("<hh", 1, -2)
    assert read_binary_data(memoryview(b"\x02\0"), np.dtype("?"), (2,), "x").tolist() == [True, False]
    assert make_tensor("x", np.zeros(3, np.uint64)).datatype == "UINT64"
    assert responses.write_json(json_data(np.array([[1.5, np.nan], [-np.inf, 0]]))) == b"[1.5,null,null,0.0]"
    assert responses.write_json(json_data(np.array(["é", None], object))) == '["é",null]'.encode()


def test_a_number_too_large_is_infinite_in_floats():
    assert read_json_data([1e300], np.dtype("f4"), (1,), "x").tolist() == [np.inf]


WRONG_DATA = {
    "no list": ("FP32", [1], 3),
    "an object": ("FP32", [1], {"0": 1}),
    "too few": ("FP32", [3], [1, 2]),
    "too many": ("FP32", [1], [1, 2]),
    "text for a number": ("FP32", [1], ["1"]),
    "a truth value for a number": ("FP32", [1], [True]),
    "a fraction for an integer": ("INT32", [1], [1.0]),
    "null for an integer": ("INT32", [1], [None]),
    "an integer out of range": ("UINT8", [1], [256]),
    "a negative number": ("UINT64", [1], [-1]),
    "an integer beyond floats": ("FP64", [1], [10**400]),
    "a number for text": ("BYTES", [1], [1]),
    "a number for a truth value": ("BOOL", [1], [1]),
    "an object in the list": ("FP32", [1], [{}]),
    "ragged": ("FP32", [2, 2], [[1, 2], [3]]),
    "ragged at first": ("FP32", [2, 2], [[1], [2, 3, 4]]),
    "half nested": ("FP32", [2, 1], [[1], 2]),
    "half flat": ("FP32", [2, 1], [1, [2]]),
    "too deep": ("FP32", [2], [[1], [2]]),
    "other axes": ("FP32", [2, 3], [[1, 2], [3, 4], [5, 6]]),
}


@pytest.mark.parametrize("case", WRONG_DATA)
def test_wrong_data_are_refused(case):
    datatype, shape, data = WRONG_DATA[case]
    with pytest.raises(InputError, match=r"^input 'x': "):
        read_json_data(data, DATATYPES[datatype], tuple(shape), "input 'x'")


@pytest.mark.parametrize(
    ("datatype", "shape", "content"),
    [
        ("FP32", (2,), b"\0" * 7),
        ("FP32", (2,), b"\0" * 12),
        ("BOOL", (2,), b"\0"),
        ("BYTES", (1,), b"\x03\0\0\0ab"),
        ("BYTES", (1,), b"\x01\0\0"),
        ("BYTES", (1,), b"\x01\0\0\0ab"),
        ("BYTES", (1,), b"\xff\xff\xff\xff"),
        ("BYTES", (2,), b"\x01\0\0\0a"),
        ("BYTES", (2**31 - 1, 2**31 - 1), b"\x01\0\0\0a"),
        ("FP64", (2**31 - 1,) * 8, b""),
    ],
)
def test_wrong_binary_data_are_refused(datatype, shape, content):
    with pytest.raises(InputError, match=r"^input 'x': "):
        read_binary_data(memoryview(content), DATATYPES[datatype], shape, "input 'x'")


@pytest.mark.parametrize("shape", [None, 3, "3", [], [1] * 9, [-1], [1.0], [True], ["1"], [2**31], {"0": 1}])
def test_what_is_no_shape_is_refused(shape):
    with pytest.raises(InputError, match=r"^x: "):
        require_shape(shape, "x")


@pytest.mark.parametrize("datatype", [None, 3, [], {}, "fp32", "FLOAT", "BF16"])
def test_what_is_no_datatype_is_refused(datatype):
    with pytest.raises(InputError, match="expected one of: BOOL, INT8"):
        require_datatype(datatype, "x")
