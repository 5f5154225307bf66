"""An operator of a TensorFlow Lite model, before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensenet.ir.graph import Value
from sensenet.ir.region import Region
from sensenet.ir.types import Array
from sensenet.records import frozen


@frozen(kw_only=True, eq=False)
class TensorSteps:
    """A tensor's scales f32[n] and zero points i64[n], for n positions of an axis; n is 1 for one of all."""

    scale: Array
    zero_point: Array
    axis: int = 0


@frozen(kw_only=True, eq=False)
class Stored:
    """Constant numbers that are stored as float16, or in steps as int4 to int64.

    `as_float` says whether an operator reads them as float32; `as_int4` whether two share a byte, which int8
    numbers from -8 to 7 can.
    """

    array: Array
    steps: TensorSteps | None = None
    as_float: bool = False
    as_int4: bool = False

    @property
    def dtype(self) -> str:
        """Return the name of the type, as in TYPES."""
        return "int4" if self.as_int4 else self.array.dtype.name

    @property
    def content(self) -> Array:
        """Return what the file holds; of int4, the first of two numbers is in the lower half of a byte."""
        if not self.as_int4:
            return self.array
        halves = self.array.reshape(-1).view(np.uint8) & 15
        if halves.size % 2:
            halves = np.append(halves, np.uint8(0))
        content: Array = halves[0::2] | halves[1::2] << 4
        return content


Operand = Value | Array | Stored | None
"""A value of the graph, numbers, or nothing, such as the bias of a layer that has none."""

TYPES: Mapping[str, str] = {
    "float32": "FLOAT32",
    "float16": "FLOAT16",
    "int32": "INT32",
    "int64": "INT64",
    "int4": "INT4",
    "int8": "INT8",
    "int16": "INT16",
    "bool": "BOOL",
}
"""The types of tensors by NumPy's names: those in the schema."""

FUSED = "fusedActivationFunction"
"""The option that says with which activation an operator ends."""


@frozen(kw_only=True, eq=False)
class Operator:
    """`kind` is its name in the schema, `options` are the fields of its options table.

    Options that are enumerations in the schema have the names of those. `regions` are the condition and the
    body of a loop. Its outputs are the results of its node.
    """

    kind: str
    inputs: tuple[Operand, ...]
    options: Mapping[str, Any]
    regions: tuple[Region, ...] = ()


def operator(kind: str, *inputs: Operand, **options: Any) -> Operator:
    """Return an operator without regions."""
    return Operator(kind=kind, inputs=inputs, options=options)


def integers(numbers: npt.ArrayLike) -> Array:
    """Return what an operator takes as axes, sizes or positions, in i32."""
    return np.asarray(numbers, np.int32)
