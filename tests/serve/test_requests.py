"""Requests: both forms are read alike, and whatever a stranger sends is read or refused."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.server import binary_body_of, body_of

from sensenet.errors import InputError
from sensenet.serve.tensors import make_tensor

pytest.importorskip("orjson")
from sensenet.serve.requests import Request, read_request
from sensenet.serve.responses import require_outputs, write_response

INPUTS = {
    "width": np.array([[1.5], [2.5]], np.float32),
    "count": np.array([3, 4], np.int64),
    "color": ["red", "grün"],
    "image": np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3),
}


def texts(array):
    decode = np.frompyfunc(lambda each: each.decode() if isinstance(each, bytes) else each, 1, 1)
    return decode(array) if array.dtype == object else array


def test_both_forms_are_one_request():
    outputs = [{"name": "a"}, {"name": "b", "parameters": {"binary_data": False}}]
    members = {"id": "7", "outputs": outputs, "parameters": {"binary_data_output": True}}
    for request in (
        read_request(body_of(INPUTS, **members)),
        read_request(*binary_body_of(INPUTS, **members)),
    ):
        assert [tensor.name for tensor in request.inputs] == list(INPUTS)
        assert [tensor.datatype for tensor in request.inputs] == ["FP32", "INT64", "BYTES", "UINT8"]
        for tensor, given_array in zip(request.inputs, INPUTS.values(), strict=True):
            np.testing.assert_array_equal(texts(tensor.array), np.array(given_array))
        assert (request.id, request.outputs, request.binary) == ("7", {"a": True, "b": False}, True)


def test_json_and_binary_tensors_mix():
    body, length = binary_body_of({"x": np.float32([1, 2])})
    record = json.loads(body[:length])
    record["inputs"].append({"name": "y", "shape": [1], "datatype": "INT32", "data": [5]})
    text = json.dumps(record).encode()
    found = read_request(text + body[length:], len(text))
    assert [tensor.array.tolist() for tensor in found.inputs] == [[1, 2], [5]]


def one(**changes):
    tensor = {"name": "x", "shape": [1], "datatype": "FP32", "data": [1.0]} | changes
    return {"inputs": [{key: value for key, value in tensor.items() if value is not ...}]}


WRONG = {
    "empty": b"",
    "no JSON": b"{",
    "two values": b"{} {}",
    "not UTF-8": b'{"id": "\xff"}',
    "UTF-16": json.dumps(one()).encode("utf-16"),
    "a list": b"[]",
    "half a surrogate pair": b'{"id": "\\ud800"}',
    "NaN": b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [NaN]}]}',
    "deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 200_000,
    "a long number": b'{"inputs": ' + b"1" * 5000 + b"}",
    "no inputs": {},
    "inputs not in a list": {"inputs": {}},
    "an empty list": {"inputs": []},
    "text as an input": {"inputs": ["x"]},
    "no name": one(name=...),
    "a name that is none": one(name=3),
    "the same name twice": {"inputs": one()["inputs"] * 2},
    "no shape": one(shape=...),
    "no datatype": one(datatype=...),
    "no data": one(data=...),
    "parameters in a list": one(parameters=[]),
    "more binary data than there are": one(data=..., parameters={"binary_data_size": 4}),
    "a negative size": one(data=..., parameters={"binary_data_size": -1}),
    "text as a size": one(data=..., parameters={"binary_data_size": "0"}),
    "both forms": one(shape=[0], parameters={"binary_data_size": 0}),
    "an id that is none": one() | {"id": 3},
    "a flag that is none": one() | {"parameters": {"binary_data_output": 1}},
    "outputs in an object": one() | {"outputs": {}},
    "an output without a name": one() | {"outputs": [{}]},
    "an extension": one() | {"outputs": [{"name": "y", "parameters": {"classification": 2}}]},
    "too many inputs": {"inputs": one()["inputs"] * 10_001},
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests_are_refused(case):
    given_body = WRONG[case]
    body = given_body if isinstance(given_body, bytes) else json.dumps(given_body).encode()
    with pytest.raises(InputError) as caught:
        read_request(body)
    assert len(str(caught.value)) < 300


def test_a_length_beyond_the_body_and_bytes_after_the_data_are_refused():
    body, length = binary_body_of({"x": np.float32([1])})
    with pytest.raises(InputError, match="bytes of JSON"):
        read_request(body, len(body) + 1)
    with pytest.raises(InputError, match="1 bytes after"):
        read_request(body + b"\0", length)
    with pytest.raises(InputError, match="not JSON"):
        read_request(body)


BODY, LENGTH = binary_body_of(INPUTS, id="1", outputs=[{"name": "a"}])


@given(st.lists(st.tuples(st.integers(0, len(BODY) - 1), st.binary(max_size=3)), max_size=4), st.data())
def test_damaged_requests_are_read_or_refused(damages, data):
    body = bytearray(BODY)
    for position, replacement in damages:
        body[position : position + len(replacement)] = replacement
    length = data.draw(st.one_of(st.just(LENGTH), st.integers(0, len(body) + 2), st.none()))
    with contextlib.suppress(InputError):
        assert isinstance(read_request(bytes(body), length), Request)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["name", "shape", "datatype", "data", "parameters", "binary_data_size", "x"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@given(VALUES, VALUES, VALUES, VALUES)
def test_any_json_is_read_or_refused(tensor, outputs, parameters, data):
    records = [tensor, one(data=data)["inputs"][0], one(shape=data, data=tensor)["inputs"][0]]
    for record in records:
        body = json.dumps({"inputs": [record], "outputs": outputs, "parameters": parameters}).encode()
        with contextlib.suppress(InputError):
            assert isinstance(read_request(body), Request)


def answer(request):
    tensors = [make_tensor("a", np.float32([[1, np.nan]])), make_tensor("b", np.array(["é"], object))]
    return write_response(request, "m", "2", tensors)


def test_a_response_has_what_was_asked_for():
    every = answer(Request("7", (), {}, False))
    assert every.json_length is None
    assert json.loads(every.body) == {
        "model_name": "m",
        "model_version": "2",
        "id": "7",
        "outputs": [
            {"name": "a", "datatype": "FP32", "shape": [1, 2], "data": [1.0, None]},
            {"name": "b", "datatype": "BYTES", "shape": [1], "data": ["é"]},
        ],
    }
    some = json.loads(answer(Request(None, (), {"b": False}, False)).body)
    assert [output["name"] for output in some["outputs"]] == ["b"]
    assert "id" not in some


def test_a_response_in_binary_form_is_a_request_in_binary_form():
    response = answer(Request(None, (), {"b": False}, True))
    assert response.json_length is None
    response = answer(Request(None, (), {"a": True, "b": False}, False))
    record = json.loads(response.body[: response.json_length])
    assert record["outputs"][0]["parameters"] == {"binary_data_size": 8}
    assert record["outputs"][1]["data"] == ["é"]
    np.testing.assert_array_equal(
        np.frombuffer(response.body[response.json_length :], "<f4"), np.float32([1, np.nan])
    )


def test_an_unknown_output_is_refused():
    request = Request(None, (), {"a": True, "c": True}, False)
    require_outputs(request, ["a", "b", "c"])
    with pytest.raises(InputError, match="unknown output 'c'; expected one of: a, b"):
        require_outputs(request, ["a", "b"])


def test_a_float_comes_back_in_its_shortest_form():
    tensors = [make_tensor("a", np.float32([0.1, 1e-7]))]
    body = write_response(Request(None, (), {}, False), "m", "1", tensors).body
    assert b'"data":[0.1,1e-7]' in body
