"""What is recorded of a TensorFlow Lite model before it is a file: values, operators and subgraphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import Factory, define, frozen

from sensenet.ir.types import Array, Shape

LAYERS = frozenset({"FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"})
"""The kinds of operators whose inputs are x, kernel and bias; the last is None where there is none."""

BROADCASTING_BEYOND_FOUR_AXES = {"MAXIMUM": 3, "MINIMUM": 3, "SUB": 3, "DIV": 2}


@frozen(eq=False)
class Value:
    """A tensor: an input, the result of an operator, or a constant.

    `sizes` is what is known of its entries where those are sizes of axes, which are never negative.
    """

    dtype: np.dtype[Any]
    shape: Shape
    name: str = ""
    constant: Array | None = None
    sizes: Shape | None = None

    @property
    def rank(self) -> int:
        return len(self.shape)


@frozen(eq=False)
class Operator:
    """An operator of the schema: `kind` is its name there, `options` are the fields of its options table.

    Options that are enumerations in the schema have the names of those. `subgraphs` are the condition and
    the body of a loop.
    """

    kind: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    options: Mapping[str, Any] = Factory(dict)
    subgraphs: tuple[Subgraph, ...] = ()


@define(eq=False)
class Subgraph:
    """Operators in the order in which they run."""

    inputs: list[Value] = Factory(list)
    operators: list[Operator] = Factory(list)
    outputs: list[Value] = Factory(list)


def version(operator: Operator) -> int:
    """The version of an operator that has what is used of it, as TensorFlow Lite counts them."""
    values = [value for value in operator.inputs if value is not None]
    rank = max((value.rank for value in values), default=0)
    is_bool = bool(values) and values[0].dtype == np.bool_
    match operator.kind:
        case "FULLY_CONNECTED":
            return 5 if operator.options["keepNumDims"] else 1
        case "GATHER":
            return 5 if operator.options["batchDims"] else 3 if is_bool else 1
        case "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR":
            return 3
        case "STRIDED_SLICE" | "PAD":
            return 4 if rank > 4 else 3 if is_bool else 1
        case "TRANSPOSE":
            return 6 if rank > 5 else 4 if rank > 4 else 3 if is_bool else 1
        case kind if kind in BROADCASTING_BEYOND_FOUR_AXES:
            broadcasts = len({value.shape for value in values}) > 1
            return BROADCASTING_BEYOND_FOUR_AXES[kind] if rank > 4 and broadcasts else 1
    return 1
