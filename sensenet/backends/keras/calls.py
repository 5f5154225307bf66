"""Checks the calls of layers and operations in a `.keras` file, and that other values are plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

CONSTANT_DTYPES = frozenset({"float32", "int32", "bool"})
TENSOR, ARRAY, SLICE = "__keras_tensor__", "__numpy__", "__slice__"
OBJECT_MEMBERS = frozenset({"class_name", "module", "registered_name", "config"})
"""Members by which Keras recognizes a dict as an object."""


class RefusalError(Exception):
    """Raised for a part that a configuration may not have; the message says which."""


def describe(value: Any) -> str:
    """Return the description of a value for an error message."""
    parts = [str(value.get(key)) for key in ("module", "class_name")] if isinstance(value, dict) else []
    return "an object of " + ".".join(parts) if parts else repr(value)[:60]


def clean_nodes(value: Any) -> Any:
    """Return the checked arguments of a layer's calls: tensors of other layers, and plain values."""
    if isinstance(value, list):
        return [clean_nodes(part) for part in value]
    if not isinstance(value, dict):
        return plain(value)
    if value.get("class_name") == TENSOR:
        return _clean_tensor(value)
    if OBJECT_MEMBERS & value.keys():
        raise RefusalError(f"the argument {describe(value)}")
    return {text(key): clean_nodes(part) for key, part in value.items()}


def _clean_tensor(value: Mapping[str, Any]) -> dict[str, Any]:
    config = value["config"]
    tensor = {key: plain(config[key]) for key in ("shape", "dtype", "keras_history")}
    return {"class_name": TENSOR, "config": tensor}


def clean_call(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked call of an operation; refuse one on arrays alone, which Keras would run at once."""
    arguments = [_clean_operand(operand) for operand in node["args"]]
    operands = [part for each in arguments for part in (each if isinstance(each, list) else [each])]
    if node["kwargs"] or not any(_is_of(TENSOR, operand) for operand in operands):
        raise RefusalError("a call without a tensor, or with named arguments")
    return {"args": arguments, "kwargs": {}}


def _is_of(class_name: str, value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == class_name


def _clean_operand(value: Any) -> Any:
    """Return a checked operand: a tensor, an array, a slice, an integer, or a list of them."""
    if isinstance(value, list):
        return [_clean_operand(part) for part in value]
    if type(value) is int:
        return value
    if _is_of(TENSOR, value):
        return _clean_tensor(value)
    if _is_of(SLICE, value):
        ends = {key: value["config"][key] for key in ("start", "stop", "step")}
        if all(end is None or type(end) is int for end in ends.values()):
            return {"class_name": SLICE, "config": ends}
    if _is_of(ARRAY, value):
        numbers, dtype = value["config"]["value"], value["config"]["dtype"]
        if dtype in CONSTANT_DTYPES:
            np.asarray(_numbers(numbers), dtype)  # raises ValueError if it is ragged
            return {"class_name": ARRAY, "config": {"value": numbers, "dtype": dtype}}
    raise RefusalError(f"the operand {describe(value)}")


def _numbers(value: Any) -> Any:
    """Return the value, a number or nested lists of numbers; raises TypeError for another."""
    for part in value if isinstance(value, list) else ():
        _numbers(part)
    if not isinstance(value, list | int | float):
        raise TypeError(f"{value!r:.40} is not a number")
    return value


def plain(value: Any) -> Any:
    """Return the value, of which Keras makes no object; raises RefusalError for any other."""
    if isinstance(value, dict):
        if OBJECT_MEMBERS & value.keys():
            raise RefusalError(f"{describe(value)}, which sensenet does not write")
        return {text(key): plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


def text(value: Any) -> str:
    """Return the value, a text; raises TypeError for any other."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value
