"""The calls that a graph of rows becomes, and the slots that they read and write."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import Factory, define

from sensenet.ir.evaluate import Kernels
from sensenet.ir.graph import Node, Value
from sensenet.ir.ops.core import Constant
from sensenet.ir.types import Array
from sensenet.records import frozen

Slot = int
"""A number of what calls share: a constant, a buffer, a column of one, or what a call has returned."""

INPUT: Slot = 0
"""The caller's rows."""


@frozen
class Call:
    """A function, the slots of its arguments, and the slots of its results, if it does not write to one."""

    function: Callable[..., Any]
    arguments: Sequence[Slot]
    results: Sequence[Slot] = ()


@define
class CallWriter:
    """Calls that are being written, and their slots.

    `slots` has the slot of each value, and `owned` those with a buffer to themselves. `shared` are the values
    that may have memory in common with a buffer or the caller's rows, `strided` those that are columns of
    another.
    """

    outputs: frozenset[Value]
    kernels: Kernels
    calls: list[Call] = Factory(list)
    constants: dict[Slot, Any] = Factory(dict)
    buffers: dict[Slot, int] = Factory(dict)
    """The numbers of a row in each."""
    columns: dict[tuple[Slot, int], Slot] = Factory(dict)
    """Columns of buffers."""
    returned: set[Slot] = Factory(lambda: {INPUT})
    """The slots that differ with each call."""
    slots: dict[Value, Slot] = Factory(dict)
    owned: set[Value] = Factory(set)
    shared: set[Value] = Factory(set)
    strided: set[Value] = Factory(set)
    count: int = INPUT + 1
    numbers: int = 0
    """The numbers of a row in what whole ops return."""
    _free: list[Slot] = Factory(list)

    def call(self, function: Callable[..., Any], *arguments: Slot) -> None:
        """Call a function that writes to one of its arguments."""
        self.calls.append(Call(function, arguments))

    def _new(self) -> Slot:
        self.count += 1
        return self.count - 1

    # constants

    def constant(self, value: Any) -> Slot:
        """Return a slot with a constant."""
        slot = self._new()
        self.constants[slot] = value
        return slot

    def number(self, value: float) -> Slot:
        """Return a slot with a float32 number, as an array, which takes half of a scalar's time."""
        return self.constant(np.array(value, np.float32))

    def row(self, array: Array) -> Slot:
        """Return a slot with f32[1, n], which takes a third of the time of f32[n] if there is one row."""
        return self.constant(np.ascontiguousarray(array, np.float32).reshape(1, -1))

    # buffers

    def buffer(self, width: int) -> Slot:
        """Return a buffer of so many numbers a row that is free, the one that was released last, or new."""
        for slot in reversed(self._free):
            if self.buffers[slot] == width:
                self._free.remove(slot)
                return slot
        slot = self._new()
        self.buffers[slot] = width
        return slot

    def free(self, *buffers: Slot) -> None:
        """Let others use buffers."""
        self._free += buffers

    def release(self, values: Sequence[Value]) -> None:
        """Let others use the buffers of values."""
        self.free(*(self.slots[value] for value in values if value in self.owned))
        self.keep(values)

    def drop(self, values: Sequence[Value]) -> None:
        """Release the memory of values that whole ops returned, unless they are answers."""
        for value in values:
            if self.slots[value] in self.returned - {INPUT} and value not in self.outputs | self.strided:
                self.calls.append(Call(_nothing, (), (self.slots[value],)))

    def keep(self, values: Sequence[Value]) -> None:
        """Let nobody else use the buffers of values: another value may have memory in common with them."""
        self.owned.difference_update(values)

    def column(self, buffer: Slot, number: int) -> Slot:
        """Return a column of a buffer."""
        key = buffer, number
        if key not in self.columns:
            self.columns[key] = self._new()
        return self.columns[key]

    # values

    def place(self, value: Value) -> Slot:
        """Return a buffer for a value."""
        slot = self.slots[value] = self.buffer(width_of(value))
        self.shared.add(value)
        if value not in self.outputs:  # an answer is read after all calls
            self.owned.add(value)
        return slot

    def returns(self, value: Value, function: Callable[..., Any], *arguments: Slot) -> Slot:
        """Call a function that returns a value."""
        slot = self.slots[value] = self._new()
        self.returned.add(slot)
        self.calls.append(Call(function, arguments, (slot,)))
        return slot

    def contiguous(self, value: Value) -> Slot:
        """Return a value without gaps, as products and whole ops take it."""
        if value in self.strided:
            slot = self._new()
            self.returned.add(slot)
            self.calls.append(Call(np.ascontiguousarray, (self.slots[value],), (slot,)))
            return slot
        return self.slots[value]

    def operand(self, value: Value) -> Slot:
        """Return a value as an operand of a function of each number."""
        if isinstance(value.op, Constant) and value.type.rank == 1:
            return self.row(value.op.value.array)
        return self.slots[value]

    def evaluate(self, node: Node) -> None:
        """Call an op as the interpreter does. Its result may have memory in common with its inputs."""
        kernel = self.kernels.get(type(node.op))
        function = node.op.evaluate if kernel is None else kernel(node.op)
        arguments = [self.contiguous(value) for value in node.inputs]
        results = [self._new() for _ in node.values]
        self.returned.update(results)
        self.calls.append(Call(function, arguments, results))
        self.calls += [Call(np.ascontiguousarray, (slot,), (slot,)) for slot in results]
        self.slots.update(zip(node.values, results, strict=True))
        self.numbers += sum(math.prod(size for size in each.shape if size is not None) for each in node.types)
        if not self.shared.isdisjoint(node.inputs):
            self.shared.update(node.values)
            self.keep(node.inputs)


def _nothing() -> None:
    """Return what is in a slot whose value nobody reads any more."""


def width_of(value: Value) -> int:
    """Return the numbers of a row of f32[rows, n]."""
    width = value.type.shape[1]
    assert width is not None
    return width
