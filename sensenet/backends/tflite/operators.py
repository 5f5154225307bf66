"""What is recorded of a TensorFlow Lite model before it is a file: values, operators and subgraphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import Factory, define, frozen

from sensenet.ir.types import Array, Shape

LAYERS = frozenset({"FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"})
"""The kinds of operators whose inputs are x, kernel and bias; the last is None where there is none."""


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
