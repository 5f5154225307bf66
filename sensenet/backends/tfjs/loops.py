"""Loops that count their steps, as TensorFlow's do: it runs only those of a file, up to a bound."""

from __future__ import annotations

from collections.abc import Mapping

from sensenet.ir.graph import Node, Value, apply, constant
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.control import While
from sensenet.ir.ops.core import Input
from sensenet.ir.region import Region
from sensenet.ir.types import DType, Tensor, TensorType

START = Tensor.int32(0)
"""What the counter begins at."""


def count_steps(op: While) -> While:
    """Return the loop, which carries one value more, the last: the number of its steps, i32[]."""
    counter = apply(Input(type=TensorType(DType.INT32, ())), name="counter")
    following = apply(Add(), counter.value, constant(Tensor.int32(1)), name="count").value
    another = "counter".ljust(1 + max(map(len, op.body.graph.outputs)), "_")  # longer than all other names
    body = _extend(op.body, counter, {another: following})
    return While(condition=_extend(op.condition, counter, {}), body=body)


def _extend(region: Region, counter: Node, outputs: Mapping[str, Value]) -> Region:
    """Return a region with another input, and with outputs after its own."""
    return Region.create([*region.graph.inputs, counter], {**region.graph.outputs, **outputs})
