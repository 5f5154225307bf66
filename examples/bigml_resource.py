"""Write a network as a whole BigML resource: the fields, the inputs among them, and the network."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FINISHED = {"code": 5, "message": "The deepnet has been created", "progress": 1.0}


def round_to_float32(array: Any) -> Any:
    """Return nested lists of the shortest decimals that read back as the same float32 numbers."""
    numbers = np.asarray(array, dtype=np.float32)
    return np.array([float(str(number)) for number in numbers.ravel()]).reshape(numbers.shape).tolist()


def numeric_field(name: str, values: Sequence[float]) -> dict[str, Any]:
    """Return a field of numbers with its summary."""
    summary = {
        "mean": round_to_float32(np.mean(values)),
        "minimum": round_to_float32(np.min(values)),
        "maximum": round_to_float32(np.max(values)),
        "standard_deviation": round_to_float32(np.std(values)),
        "missing_count": 0,
    }
    return {"name": name, "optype": "numeric", "datatype": "double", "summary": summary}


def categorical_field(name: str, values: Sequence[str]) -> dict[str, Any]:
    """Return a field of categories with the count of each."""
    summary = {"categories": [list(pair) for pair in Counter(values).most_common()], "missing_count": 0}
    return {"name": name, "optype": "categorical", "datatype": "string", "summary": summary}


def numeric_column(index: int, mean: float, stdev: float) -> dict[str, Any]:
    """Return the preprocessing of one numeric cell of a row."""
    return {
        "type": "numeric",
        "index": index,
        "mean": round_to_float32(mean),
        "stdev": round_to_float32(stdev),
    }


def categorical_column(index: int, values: Sequence[str]) -> dict[str, Any]:
    """Return the preprocessing of one categorical cell of a row."""
    return {"type": "categorical", "index": index, "values": list(values)}


def dense_layer(weights: Any, offset: Any = None, activation: str | None = None) -> dict[str, Any]:
    """`activation(x @ weights + offset)`, weights `[inputs, units]`."""
    return {
        "type": "dense",
        "weights": round_to_float32(weights),
        "offset": None if offset is None else round_to_float32(offset),
        "activation_function": activation,
    }


def deepnet_resource(
    *,
    identifier: str,
    name: str,
    description: str,
    inputs: Sequence[dict[str, Any]],
    objective: dict[str, Any],
    network: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the resource: a row's cells are the inputs, in this order; the last field is the objective."""
    fields = {
        f"{number:06x}": field | {"column_number": number, "order": number, "preferred": True}
        for number, field in enumerate([*inputs, objective])
    }
    *input_ids, objective_id = fields
    return {
        "resource": f"deepnet/{identifier}",
        "name": name,
        "description": description,
        "locale": "en-us",
        "status": FINISHED,
        "input_fields": input_ids,
        "objective_field": objective_id,
        "objective_fields": [objective_id],
        "objective_field_name": objective["name"],
        "objective_field_type": objective["optype"],
        "deepnet": {"missing_numerics": True, "fields": fields, "network": dict(network)},
    }


def write_resource(path: Path, document: Mapping[str, Any]) -> None:
    """Write one JSON file, with each innermost list on one line."""
    path.write_text(_layout(document) + "\n", encoding="utf-8")


def _layout(value: Any, indent: str = "") -> str:
    inner = indent + " "
    if isinstance(value, Mapping) and value:
        lines = [f"{inner}{json.dumps(key)}: {_layout(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        return "[\n" + ",\n".join(inner + _layout(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value)
