"""An operator of ONNX, before it has names: its inputs are values, constants, or other operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.backends.onnx.names import MACHINE_LEARNING
from sensenet.ir.graph import Value
from sensenet.ir.types import Array, DType, Shape, TensorType
from sensenet.records import frozen

CODES: Mapping[np.dtype[Any], int] = {
    np.dtype(np.float32): 1,
    np.dtype(np.int32): 6,
    np.dtype(np.int64): 7,
    np.dtype(np.bool_): 9,
}
"""The numbers of the dtypes in `TensorProto.DataType`."""

BYTE, TEXT = 2, 8
"""The same of u8 and string, which only the inputs and outputs of a file are."""

Declared = tuple[int, Shape]
"""The number of a dtype, and a shape."""


def declare(found: TensorType) -> Declared:
    """Return a type as ONNX has it."""
    return CODES[found.dtype.numpy], found.shape


@frozen(eq=False)
class Operator:
    """An operator of one result, and what it reads; the same object is written once, whoever reads it."""

    kind: str
    inputs: Sequence[Operand]
    attributes: Mapping[str, Any]
    domain: str = ""


Operand = Value | Array | Operator | str | tuple[str, ...] | None
"""A value, a constant, an operator, a tensor of the file by its name, texts, or an input that is left out."""


def operator(kind: str, *inputs: Operand, **attributes: Any) -> Operator:
    """Return an operator; attributes are numbers, texts, or sequences of whole numbers."""
    return Operator(kind, inputs, attributes)


def integers(values: Any) -> Array:
    """Return int64[…]: axes, sizes and positions."""
    return np.asarray(values, np.int64)


def number(value: float) -> Array:
    """Return f32[]."""
    return np.asarray(value, np.float32)


def cast(x: Operand, dtype: np.dtype[Any]) -> Operator:
    """Return the numbers of x in another dtype."""
    return operator("Cast", x, to=CODES[dtype])


def to_sizes(x: Value) -> Operator:
    """Return int64[…], in which ONNX takes sizes, of i32[…]."""
    return cast(x, np.dtype(np.int64))


def reduce(kind: str, x: Operand, axes: Sequence[int], keep: bool = False) -> Operator:
    """Return a reduction along axes, which are kept with size 1 or left out.

    They are left out by an operator of their own: OpenVINO fuses a reduction that leaves them out with the
    arithmetic that follows it, and then combines wrong numbers.
    """
    kept = operator(kind, x, integers(axes), keepdims=1, noop_with_empty_axes=1)
    return kept if keep or not axes else operator("Squeeze", kept, integers(axes))


def look_up(x: Operand, codes: Mapping[str, int], default: int) -> Operator:
    """Return f32[…]: the code of each text, or the default."""
    keys = codes or {"": default}  # an attribute without entries has no type
    attributes = {
        "keys_strings": [*keys],
        "values_floats": [*map(float, keys.values())],
        "default_float": float(default),
    }
    return Operator("LabelEncoder", (x,), attributes, MACHINE_LEARNING)


INT32, BOOL = DType.INT32.numpy, DType.BOOL.numpy
