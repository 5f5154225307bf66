"""An operator of TensorFlow.js, before it has names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.ir.graph import Value
from sensenet.ir.types import Array, DType
from sensenet.records import frozen

FLOAT, INTEGER = {"T": DType.FLOAT32}, {"T": DType.INT32}
"""The attribute of all operators on float32, and on int32."""


@frozen(eq=False)
class Operator:
    """An operator of one result, and what it reads; the same object is written once, whoever reads it."""

    kind: str
    inputs: Sequence[Value | Array | Operator]
    attributes: Mapping[str, Any]


def operator(kind: str, *inputs: Value | Array | Operator, **attributes: Any) -> Operator:
    """Return an operator; `encode_attribute` says what attributes may be."""
    return Operator(kind, inputs, attributes)


def integers(values: Any) -> Array:
    """Return i32[…]: axes, sizes and positions."""
    return np.asarray(values, np.int32)
