"""An operator of ONNX, before it has names: its inputs are values, constants, or other operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from sensenet.ir.graph import Value
from sensenet.ir.types import Array, DType

CODES: Mapping[np.dtype[Any], int] = {
    np.dtype(np.float32): 1,
    np.dtype(np.int32): 6,
    np.dtype(np.int64): 7,
    np.dtype(np.bool_): 9,
}
"""The numbers of the dtypes in `TensorProto.DataType`."""


@frozen(eq=False)
class Operator:
    """An operator of one result, and what it reads; the same object is written once, whoever reads it."""

    kind: str
    inputs: Sequence[Value | Array | Operator | None]
    attributes: Mapping[str, Any]


def operator(kind: str, *inputs: Value | Array | Operator | None, **attributes: Any) -> Operator:
    """Return an operator; attributes are numbers, texts, or sequences of whole numbers."""
    return Operator(kind, inputs, attributes)


def integers(values: Any) -> Array:
    """Return int64[…]: axes, sizes and positions."""
    return np.asarray(values, np.int64)


def number(value: float) -> Array:
    """Return f32[]."""
    return np.asarray(value, np.float32)


def cast(x: Value | Operator, dtype: np.dtype[Any]) -> Operator:
    """Return the numbers of x in another dtype."""
    return operator("Cast", x, to=CODES[dtype])


def to_sizes(x: Value) -> Operator:
    """Return int64[…], in which ONNX takes sizes, of i32[…]."""
    return cast(x, np.dtype(np.int64))


INT32, BOOL = DType.INT32.numpy, DType.BOOL.numpy
