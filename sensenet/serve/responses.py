"""Writes responses of the Open Inference Protocol, with its extension for binary data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from sensenet.errors import InputError
from sensenet.records import frozen
from sensenet.serve.requests import LONGEST_NAME, SIZE, Request
from sensenet.serve.tensors import Tensor, json_data, write_binary_data


@frozen
class Response:
    """The body of a response; the first `json_length` bytes are JSON, all of them if that is None."""

    body: bytes
    json_length: int | None


def require_outputs(request: Request, names: Sequence[str]) -> None:
    """Raise InputError if a request asks for an output that the model does not have."""
    unknown = [name for name in request.outputs if name not in names]
    if unknown:
        raise InputError(f"unknown output {unknown[0][:LONGEST_NAME]!r}; expected one of: {', '.join(names)}")


def write_response(request: Request, model: str, version: str, tensors: Sequence[Tensor]) -> Response:
    """Return the response with the tensors that a request asks for."""
    parts: list[bytes] = []
    outputs = []
    for tensor in tensors:
        if request.outputs and tensor.name not in request.outputs:
            continue
        output: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.array.shape),
        }
        if request.outputs.get(tensor.name, request.binary):
            parts.append(write_binary_data(tensor.array))
            output["parameters"] = {SIZE: len(parts[-1])}
        else:
            output["data"] = json_data(tensor.array)
        outputs.append(output)
    identity = {} if request.id is None else {"id": request.id}
    record = {"model_name": model, "model_version": version, **identity, "outputs": outputs}
    text = write_json(record)
    return Response(b"".join([text, *parts]), len(text) if parts else None)


def write_json(value: Any) -> bytes:
    """Return a value, which may have flat arrays, as JSON in UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
