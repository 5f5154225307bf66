"""The calls of ops: functions of NumPy that write into given arrays, and round as `evaluate` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from sensenet.backends.interpreter.call_writer import CallWriter, Slot, width_of
from sensenet.ir.activation import LEAKY_RELU_SLOPE, ActivationFunction
from sensenet.ir.graph import Node
from sensenet.ir.types import Array


def _maximum(x: Array, other: Array, y: Array) -> None:
    np.maximum(x, other, out=y)  # a third position is deprecated, of this function and the next alone


def _minimum(x: Array, other: Array, y: Array) -> None:
    np.minimum(x, other, out=y)


PAIRWISE = 8
"""From so many numbers on, NumPy does not add a row's numbers one after the other."""

FOLDS: Mapping[str, Callable[..., Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": _maximum,
    "minimum": _minimum,
}
"""The functions that ops of several inputs apply from the left, by mnemonic."""

OVERWRITING = {*FOLDS, "standardize", "destandardize", "activation"}
"""The ops, of at most two inputs, that may write where they read."""


def write_node(writer: CallWriter, node: Node) -> bool:
    """Write the calls of a node of f32[rows, n]; return False if its op has none."""
    rule = RULES.get(node.op.mnemonic())
    return rule is not None and rule(writer, node)


def _copy(y: Array, x: Array) -> None:
    y[...] = x


def _compute(function: Callable[[Array], Array], x: Array, y: Array) -> None:
    y[...] = function(x)


def _dot(x: Array, kernel: Array, y: Array) -> None:
    x.dot(kernel, y)  # the method takes half of the time of numpy.matmul for a row


def _take(x: Array, indices: Array, y: Array) -> None:
    x.take(indices, 1, y, "clip")  # the indices were checked


def _equal(codes: Array, y: Array) -> None:
    y[...] = np.equal(y, codes)


def _join(y: Array, *parts: Array) -> None:
    np.concatenate(parts, 1, y)


def _cut(x: Array, start: int, stop: int) -> Array:
    return x[:, start:stop]


def _reduce_rows(function: np.ufunc, x: Array, y: Array) -> None:
    function.reduce(x, 1, None, y, True)


def _fold(writer: CallWriter, node: Node) -> bool:
    """Apply a function of two numbers to all inputs, from the left."""
    first, *others = (writer.operand(value) for value in node.inputs)
    y = writer.place(node.value)
    for other in others:
        writer.call(FOLDS[node.op.mnemonic()], first, other, y)
        first = y
    return True


def _standardize(writer: CallWriter, node: Node) -> bool:
    op: Any = node.op
    return _apply(writer, node, (np.subtract, op.mean.array), (np.divide, op.stdev.array))


def _destandardize(writer: CallWriter, node: Node) -> bool:
    op: Any = node.op
    return _apply(writer, node, (np.multiply, op.stdev.array), (np.add, op.mean.array))


def _apply(writer: CallWriter, node: Node, *steps: tuple[Callable[..., Any], Array]) -> bool:
    """Apply functions of the input and a constant, one after the other."""
    x, y = writer.slots[node.inputs[0]], writer.place(node.value)
    for function, constant in steps:
        writer.call(function, x, writer.row(constant), y)
        x = y
    return True


def _slice(writer: CallWriter, node: Node) -> bool:
    op: Any = node.op
    if op.axis not in (-1, 1):
        return False
    (x,) = node.inputs
    writer.returns(node.value, _cut, writer.slots[x], writer.constant(op.start), writer.constant(op.stop))
    writer.strided.add(node.value)
    if x in writer.shared:
        writer.shared.add(node.value)
        writer.keep([x])
    return True


def _gather(writer: CallWriter, node: Node) -> bool:
    op: Any = node.op
    if op.axis not in (-1, 1):
        return False
    _choose(writer, node, op.indices.array)
    return True


def _choose(writer: CallWriter, node: Node, indices: Array) -> Slot:
    x = writer.slots[node.inputs[0]]
    y = writer.place(node.value)
    writer.call(_take, x, writer.constant(indices.astype(np.intp)), y)
    return y


def _one_hot(writer: CallWriter, node: Node) -> bool:
    op: Any = node.op
    y = _choose(writer, node, op.groups)
    writer.call(_equal, writer.row(op.codes), y)
    return True


def _concatenate(writer: CallWriter, node: Node) -> bool:
    if node.op.axis not in (-1, 1):  # type: ignore[attr-defined]
        return False
    parts = [writer.slots[value] for value in node.inputs]
    writer.call(_join, writer.place(node.value), *parts)
    return True


def _dense(writer: CallWriter, node: Node) -> bool:
    op: Any = node.op
    x, y = writer.contiguous(node.inputs[0]), writer.place(node.value)
    writer.call(_dot, x, writer.constant(op.kernel.array), y)
    if op.bias is not None:
        writer.call(np.add, y, writer.row(op.bias.array), y)
    _activate(writer, op.activation, y, y, op.units)
    return True


def _activation(writer: CallWriter, node: Node) -> bool:
    op: Any = node.op
    x, y = writer.slots[node.inputs[0]], writer.place(node.value)
    _activate(writer, op.function, x, y, width_of(node.value))
    return True


def _activate(writer: CallWriter, function: ActivationFunction, x: Slot, y: Slot, width: int) -> None:
    """Write y = function(x), where y may be x."""
    call, number = writer.call, writer.number
    match function:
        case ActivationFunction.LINEAR:
            if x != y:
                call(_copy, y, x)
        case ActivationFunction.RELU:
            call(_maximum, x, number(0), y)
        case ActivationFunction.RELU6:
            call(_maximum, x, number(0), y)
            call(_minimum, y, number(6), y)
        case ActivationFunction.LEAKY_RELU:
            small = writer.buffer(width)
            call(np.multiply, x, number(LEAKY_RELU_SLOPE), small)
            call(_maximum, x, small, y)
            writer.free(small)
        case ActivationFunction.TANH:
            call(np.tanh, x, y)
        case ActivationFunction.EXPONENTIAL:
            call(np.exp, x, y)
        case ActivationFunction.SIGMOID:
            one = number(1)
            call(np.negative, x, y)
            call(np.exp, y, y)
            call(np.add, one, y, y)
            call(np.divide, one, y, y)
        case ActivationFunction.SOFTMAX:
            _softmax(writer, x, y, width)
        case _:
            call(partial(_compute, function), x, y)


def _softmax(writer: CallWriter, x: Slot, y: Slot, width: int) -> None:
    """Write y = softmax(x)."""
    if x != y:
        writer.call(_copy, y, x)
    found = writer.buffer(1)
    _reduce(writer, np.maximum, y, found, width)
    writer.call(np.subtract, y, found, y)
    writer.call(np.exp, y, y)
    _reduce(writer, np.add, y, found, width)
    writer.call(np.divide, y, found, y)
    writer.free(found)


def _reduce(writer: CallWriter, function: np.ufunc, x: Slot, y: Slot, width: int) -> None:
    """Write y = function.reduce(x): column by column if there are few, in a third of the time."""
    if not 1 < width < PAIRWISE:
        writer.call(partial(_reduce_rows, function), x, y)
        return
    first, *others = (writer.column(x, number) for number in range(width))
    fold, total = FOLDS[function.__name__], writer.column(y, 0)
    for column in others:
        writer.call(fold, first, column, total)
        first = total


RULES: Mapping[str, Callable[[CallWriter, Node], bool]] = {
    **dict.fromkeys(FOLDS, _fold),
    "standardize": _standardize,
    "destandardize": _destandardize,
    "slice": _slice,
    "gather": _gather,
    "one_hot": _one_hot,
    "concatenate": _concatenate,
    "dense": _dense,
    "activation": _activation,
}
"""How ops with calls of their own are written, by mnemonic: importing all of their classes takes time."""
