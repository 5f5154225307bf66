"""A plan while it is made: where the numbers of a row lie, and the steps so far."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sensenet.backends.native.plan import MapStep, MoveStep, Operand, Place, Step
from sensenet.errors import UnsupportedOpError
from sensenet.ir.graph import Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops.core import Constant
from sensenet.ir.types import Array, TensorType


def row_shape(value: Value) -> tuple[int, ...]:
    """Return the shape of a value for one row: its axis of unknown size has size 1; a constant has none.

    Raises UnsupportedOpError unless exactly one size is unknown.
    """
    if isinstance(value.op, Constant):
        return value.op.value.shape
    if value.type.shape.count(None) != 1:
        raise unsupported(value.node, f"its result {value.type} does not have one axis of rows")
    return tuple(1 if size is None else size for size in value.type.shape)


def unsupported(node: Node, reason: str) -> UnsupportedOpError:
    """Return the error for a node that machine code cannot run."""
    return UnsupportedOpError(f"native code cannot run node {node.name!r} ({node.op.mnemonic()}): {reason}")


def axis_of(node: Node) -> int:
    """Return the axis of an op along one axis, not negative; raise UnsupportedOpError for the rows."""
    (rank,) = {value.type.rank for value in node.values}
    axis: int = node.op.axis  # type: ignore[attr-defined]
    if node.values[0].type.shape[axis % rank] is None:
        raise unsupported(node, "it works along the axis of rows")
    return axis % rank


def _batch_axis(found: TensorType) -> int:
    """Return the position of the axis of rows, counted from the last: -1 is the last."""
    return found.shape.index(None) - found.rank


class PlanBuilder:
    """The place of each value that is planned so far, the widths of buffers, and the steps.

    Buffer 0 is the caller's rows, buffer 1 the answers; each other one is made for a value. In `exact` plans
    biases are added last.
    """

    def __init__(self, exact: bool) -> None:
        self.exact = exact
        self.widths = [0, 0]
        self.places: dict[Value, Place] = {}
        self.steps: list[Step] = []

    def place(self, value: Value) -> Place:
        """Return the place of a value that steps compute: a buffer of its own unless it was placed before."""
        if value not in self.places:
            self.places[value] = self.new_place(math.prod(row_shape(value)))
        return self.places[value]

    def new_place(self, width: int) -> Place:
        """Return a place that is a buffer of its own."""
        self.widths.append(width)
        return Place(len(self.widths) - 1, 0, width)

    def operand(self, value: Value) -> Place:
        """Return the place of a value that differs by row."""
        if value not in self.places:
            raise unsupported(value.node, "an operand is a constant")
        return self.places[value]

    def move(self, x: Place, y: Place, indices: Array | None = None) -> None:
        """Move numbers, unless they are there already."""
        if indices is not None or x != y:
            chosen = np.arange(x.width) if indices is None else indices
            self.steps.append(MoveStep(x=x, y=y, indices=chosen.astype(np.int32)))

    def map(self, op: Op, node: Node, inputs: Sequence[Value | Place], y: Place) -> None:
        """Apply an op to values that are broadcast to the shape of the node's result."""
        xs = tuple(x if isinstance(x, Place) else self.broadcast(node, x) for x in inputs)
        self.steps.append(MapStep(op=op, xs=xs, y=y))

    def broadcast(self, node: Node, value: Value) -> Operand:
        """Return a value with one number for each of the node's result, or with one number for all."""
        shape = row_shape(node.value)
        if isinstance(value.op, Constant):
            array = value.op.value.array
            if array.dtype == np.int32:
                raise unsupported(node, "an operand is of integers")
            axis = _batch_axis(node.value.type)
            if array.ndim >= -axis and array.shape[axis] != 1:
                raise unsupported(node, "a constant differs by row")
            numbers = np.broadcast_to(array.astype(np.float32), shape).ravel()
            return numbers[:1] if np.all(numbers.view(np.int32) == numbers.view(np.int32)[:1]) else numbers
        if _batch_axis(value.type) != _batch_axis(node.value.type):
            raise unsupported(node, "the axes of rows of its operands differ")
        x = self.operand(value)
        if x.width == 1 or x.width == math.prod(shape):
            return x
        positions = np.arange(x.width).reshape(row_shape(value))
        wide = self.new_place(math.prod(shape))
        self.move(x, wide, np.broadcast_to(positions, shape).ravel())
        return wide
