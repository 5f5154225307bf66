"""Reads requests of the Open Inference Protocol, with its extension for binary data.

The body is a JSON object; with the header `Inference-Header-Content-Length` that has so many bytes, and the
data of tensors with the parameter `binary_data_size` follow, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sensenet.errors import InputError
from sensenet.records import frozen
from sensenet.serve.tensors import Tensor, read_binary_data, read_json_data, require_datatype, require_shape

SIZE = "binary_data_size"
BINARY = "binary_data"
BINARY_OUTPUT = "binary_data_output"
"""The parameters of binary data: of a tensor, of a requested output, of all outputs."""

JSON_MEMORY, BINARY_MEMORY = 64, 12
"""The memory that a byte of a body takes while it is read: `[` and `]` of a list of one item take 88."""

LONGEST_NAME = 60

MOST_ITEMS = 10_000
"""The most inputs or outputs of a request."""


@frozen
class Request:
    """A request: its tensors, and the outputs it asks for, all of them if none.

    `outputs` maps names to whether an output is written in binary form; `binary` is that of others.
    """

    id: str | None
    inputs: tuple[Tensor, ...]
    outputs: Mapping[str, bool]
    binary: bool


def read_request(body: bytes | bytearray, json_length: int | None = None) -> Request:
    """Return the request in a body; `json_length` is the number of its bytes that are JSON, if not all.

    Raises InputError for anything else.
    """
    content = memoryview(body)
    length = len(content) if json_length is None else json_length
    if length > len(content):
        raise InputError(f"the header says {length} bytes of JSON, and the body has {len(content)}")
    record = _require_object(_parse(content[:length]), "the request")
    inputs, rest = _read_inputs(record.get("inputs"), content[length:])
    if rest:
        raise InputError(f"{len(rest)} bytes after the data of all tensors")
    name = record.get("id")
    if not isinstance(name, str | None):
        raise InputError("the id of a request is text")
    binary = _flag(_parameters(record, "the request"), BINARY_OUTPUT, False)
    return Request(name, inputs, _read_outputs(record.get("outputs"), binary), binary)


def _parse(text: memoryview) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InputError(
            f"the request is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error


def _require_object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{what}: expected a JSON object")
    return value


def _require_list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise InputError(f"{what}: expected a list of at most {MOST_ITEMS} objects")
    return value


def _parameters(record: Mapping[str, Any], what: str) -> dict[str, Any]:
    return _require_object(record.get("parameters", {}), f"{what}: parameters")


def _flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    flag = parameters.get(name, default)
    if not isinstance(flag, bool):
        raise InputError(f"the parameter {name!r} is true or false")
    return flag


def _read_inputs(records: Any, content: memoryview) -> tuple[tuple[Tensor, ...], memoryview]:
    """Return the tensors, and the binary data that none has."""
    tensors: dict[str, Tensor] = {}
    for number, each in enumerate(_require_list(records, "inputs")):
        record = _require_object(each, f"inputs[{number}]")
        name = record.get("name")
        if not isinstance(name, str):
            raise InputError(f"inputs[{number}]: expected a name")
        if name in tensors:
            raise InputError(f"{_where(name)}: given twice")
        size = _parameters(record, _where(name)).get(SIZE, 0)
        if type(size) is not int or not 0 <= size <= len(content):
            raise InputError(f"{_where(name)}: {SIZE} is not a number of bytes that the body has")
        tensors[name] = _read_tensor(name, record, content[:size])
        content = content[size:]
    if not tensors:
        raise InputError("inputs: expected a tensor at least")
    return tuple(tensors.values()), content


def _where(name: str) -> str:
    return f"input {name[:LONGEST_NAME]!r}"


def _read_tensor(name: str, record: Mapping[str, Any], content: memoryview) -> Tensor:
    where = _where(name)
    dtype = require_datatype(record.get("datatype"), where)
    shape = require_shape(record.get("shape"), where)
    if SIZE not in _parameters(record, where):
        if "data" not in record:
            raise InputError(f"{where}: expected data, or the parameter {SIZE}")
        array = read_json_data(record["data"], dtype, shape, where)
    elif "data" in record:
        raise InputError(f"{where}: expected data or the parameter {SIZE}, found both")
    else:
        array = read_binary_data(content, dtype, shape, where)
    return Tensor(name, record["datatype"], array)


def _read_outputs(records: Any, binary: bool) -> dict[str, bool]:
    if records is None:
        return {}
    outputs = {}
    for number, each in enumerate(_require_list(records, "outputs")):
        record = _require_object(each, f"outputs[{number}]")
        name = record.get("name")
        if not isinstance(name, str):
            raise InputError(f"outputs[{number}]: expected a name")
        parameters = _parameters(record, f"outputs[{number}]")
        if "classification" in parameters:
            raise InputError(f"outputs[{number}]: this server lacks the extension classification")
        outputs[name] = _flag(parameters, BINARY, binary)
    return outputs
