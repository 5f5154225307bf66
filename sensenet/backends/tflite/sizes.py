"""Evaluates operators on sizes of tensors, so that shapes computed from them are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from sensenet.backends.tflite.reading import Record
from sensenet.backends.tflite.shapes import Inputs, Sizes
from sensenet.ir.types import Array

LARGEST = 1 << 10
"""Entries of a result that is worked out: shapes have few."""

EVALUATE: Mapping[str, Callable[..., Array]] = {
    "ADD": lambda _, a, b: a + b,
    "SUB": lambda _, a, b: a - b,
    "MUL": lambda _, a, b: a * b,
    "MAXIMUM": lambda _, a, b: np.maximum(a, b),
    "MINIMUM": lambda _, a, b: np.minimum(a, b),
    "CAST": lambda _, x: x,
    "PACK": lambda options, *parts: np.stack(parts, options["axis"]),
    "CONCATENATION": lambda options, *parts: np.concatenate(parts, options["axis"]),
    "GATHER": lambda options, x, places: np.take(x, places, options["axis"]),
    "REDUCE_MAX": lambda options, x, axes: x.max(tuple(axes.ravel()), keepdims=bool(options["keep_dims"])),
}
"""For each kind of operator, what it makes of its options and the content of its inputs."""


def evaluate(kind: str, inputs: Inputs, options: Record, shape: Sizes) -> Array | None:
    """Return the content of a small result of whole numbers, if that of all inputs is known."""
    if kind == "SHAPE":
        return np.array(inputs[0].shape, np.int64)
    values = [x.value for x in inputs]
    if any(value is None for value in values) or math.prod(shape) > LARGEST:
        return None
    if kind in ("RESHAPE", "EXPAND_DIMS", "SQUEEZE"):
        return np.reshape(values[0], shape)  # type: ignore[arg-type]
    if kind == "STRIDED_SLICE" and len(inputs[0].shape) == 1:
        begin, end, step = (int(value[0]) for value in values[1:] if value is not None)
        first = None if options["begin_mask"] & 1 else begin
        last = None if options["end_mask"] & 1 or options["shrink_mask"] & 1 else end
        kept = np.asarray(values[0])[first:last:step]
        return kept[0] if options["shrink_mask"] & 1 else kept
    function = EVALUATE.get(kind)
    if function is None or options.get("batch_dims"):
        return None
    return np.reshape(function(options, *values), shape).astype(np.int32)
