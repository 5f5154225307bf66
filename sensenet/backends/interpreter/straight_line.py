"""Answers a graph of rows by a list of calls of NumPy, whose arguments are bound before.

    %1 = dense(%0) {kernel, bias, activation=relu} ; %2 = dense(%1) {kernel}
becomes
    dot(x, kernel, b) ; add(b, bias, b) ; maximum(b, 0, b) ; dot(b, kernel, c) ; and the answer is c.copy()

The answers are those of `sensenet.ir.evaluate`, to the last bit: the same functions of NumPy compute them, in
the same order. Ops without calls of their own are called as they are there. A buffer is used again after the
last reader of what is in it, and in the next call; answers are new arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from sensenet.backends.interpreter.call_writer import INPUT, Call, CallWriter, Slot
from sensenet.backends.interpreter.calls import OVERWRITING, write_node
from sensenet.ir.evaluate import Kernels
from sensenet.ir.graph import Graph, Node
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.types import Array, DType
from sensenet.records import frozen

KEPT_NUMBERS = 1 << 19
"""The numbers of the buffers that are kept for further calls, 2 MiB: more fit no processor's cache."""

FEWEST_NUMBERS = 16
"""The numbers of a row that count at least: blocks have at most 32,768 rows."""

FEWEST_ROWS = 256
"""Rows of a block however wide their buffers are: products of fewer rows take longer for each."""


@frozen(eq=False)
class _Bound:
    """Calls for so many rows, whose arguments are in `values`, by slot; `buffers` may have more rows."""

    buffers: Sequence[Array]
    rows: int
    values: list[Any]
    calls: Sequence[Callable[[], object]]


class StraightLine:
    """Answers f32[rows, columns] with the outputs of a graph, in order; threads may share it."""

    def __init__(self, graph: Graph, kernels: Kernels) -> None:
        """Write the calls of a graph of one input; `kernels` are as for `sensenet.ir.evaluate.prepare`."""
        self._writer = writer = _write(graph, kernels)
        self._answers = [
            (writer.slots[value], np.ndarray.copy if value in writer.shared else np.ascontiguousarray)
            for value in graph.outputs.values()
        ]
        numbers = max(FEWEST_NUMBERS, writer.numbers + sum(writer.buffers.values()))
        self._kept_rows = KEPT_NUMBERS // numbers
        """Rows for which buffers are kept: for more, they are made anew."""
        self.most_rows = max(FEWEST_ROWS, self._kept_rows)
        """Rows of a block."""
        self._of_a_row: list[_Bound] = []
        self._of_rows: list[_Bound] = []

    def __call__(self, x: Array) -> list[Array]:
        """Return the outputs for an array without gaps; as many buffers are kept as threads call at once."""
        rows = len(x)
        kept = self._of_a_row if rows == 1 else self._of_rows
        bound = self._find(kept, rows)
        values = bound.values
        values[INPUT] = x
        with np.errstate(all="ignore"):
            for call in bound.calls:
                call()
        answers = [take(values[slot]) for slot, take in self._answers]
        for slot in self._writer.returned:
            values[slot] = None
        if rows <= self._kept_rows:
            kept.append(bound)
        return answers

    def _find(self, kept: list[_Bound], rows: int) -> _Bound:
        """Return calls that nobody else uses: kept ones, or others with their buffers, or new ones."""
        capacity = rows if rows == 1 else max(rows, self._kept_rows)
        try:
            bound = kept.pop() if capacity <= self._kept_rows else None
        except IndexError:
            bound = None
        if bound is None:
            widths = self._writer.buffers.values()
            buffers = [np.empty((capacity, width), np.float32) for width in widths]
            return _bind(self._writer, buffers, rows)
        return bound if bound.rows == rows else _bind(self._writer, bound.buffers, rows)


def _write(graph: Graph, kernels: Kernels) -> CallWriter:
    """Return the calls of a graph's nodes."""
    writer = CallWriter(frozenset(graph.outputs.values()), kernels)
    last_reader = {value: node for node in graph.nodes for value in node.inputs}
    for node in graph.nodes:
        if isinstance(node.op, Input):
            writer.slots[node.value] = INPUT
            writer.shared.add(node.value)
            continue
        if isinstance(node.op, Constant):
            writer.slots[node.value] = writer.constant(node.op.value.array)
            continue
        last = [v for v in (*dict.fromkeys(node.inputs), *node.values) if last_reader.get(v, node) is node]
        rows = _are_rows(node)
        if rows and node.op.mnemonic() in OVERWRITING and len(node.inputs) <= 2:
            writer.release(last)
        if not (rows and write_node(writer, node)):
            writer.evaluate(node)
        writer.release(last)
        writer.drop(last)
    return writer


def _are_rows(node: Node) -> bool:
    """Return whether the values of a node are f32[rows, n], but for constants of one row or one number."""
    return all(
        value.type.dtype is DType.FLOAT32
        and (
            value.type.rank < 2
            if isinstance(value.op, Constant)
            else value.type.rank == 2 and value.type.shape[0] is None and value.type.shape[1] is not None
        )
        for value in (*node.inputs, *node.values)
    )


def _bind(writer: CallWriter, buffers: Sequence[Array], rows: int) -> _Bound:
    """Return the calls for the first rows of buffers."""
    values: list[Any] = [None] * writer.count
    for slot, constant in writer.constants.items():
        values[slot] = constant
    for slot, buffer in zip(writer.buffers, buffers, strict=True):
        values[slot] = buffer[:rows]
    for (slot, number), column in writer.columns.items():
        values[column] = values[slot][:, number]
    calls = [_bind_call(call, values, writer.returned) for call in writer.calls]
    return _Bound(buffers, rows, values, calls)


def _bind_call(call: Call, values: list[Any], returned: set[Slot]) -> Callable[[], object]:
    """Return a call without arguments, which reads those that differ each time when it is called."""
    function, arguments = call.function, call.arguments
    if not call.results:
        if returned.isdisjoint(arguments):
            return partial(function, *(values[slot] for slot in arguments))
        return lambda: function(*[values[slot] for slot in arguments])
    if len(call.results) > 1:
        return partial(_call_for_several, call, values)
    (result,) = call.results

    def run() -> None:
        values[result] = function(*[values[slot] for slot in arguments])

    return run


def _call_for_several(call: Call, values: list[Any]) -> None:
    found = call.function(*[values[slot] for slot in call.arguments])
    for slot, value in zip(call.results, found, strict=True):
        values[slot] = value
