"""How each op of a graph of rows becomes steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import attrs
import numpy as np

from sensenet.backends.native.arithmetic import FORMULAS
from sensenet.backends.native.plan import (
    DenseStep,
    EmbeddingStep,
    ForestStep,
    MapStep,
    Place,
    ReduceStep,
    SoftmaxStep,
)
from sensenet.backends.native.plan_builder import PlanBuilder, axis_of, row_shape, unsupported
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops import arithmetic, dense, rearrangement, reduction, tabular
from sensenet.ir.types import Array, DType, Tensor

REARRANGEMENTS: tuple[type[Op], ...] = (
    rearrangement.Slice,
    rearrangement.Gather,
    rearrangement.Reshape,
    rearrangement.Flatten,
    rearrangement.Transpose,
)
"""Ops whose answers are numbers of their input at other positions."""


def plan_node(builder: PlanBuilder, node: Node) -> None:
    """Add the steps of a node; raise UnsupportedOpError, naming it, if there is no code for it."""
    op = node.op
    if isinstance(op, REARRANGEMENTS):
        _rearrange(builder, node)
    elif isinstance(op, arithmetic.Cast):
        _cast(builder, node)
    elif isinstance(op, dense.Dropout):
        builder.places.setdefault(node.value, builder.operand(node.inputs[0]))
    elif op.mnemonic() in FORMULAS and not isinstance(op, arithmetic.Add):
        builder.map(op, node, node.inputs, builder.place(node.value))
    elif type(op) in RULES:
        RULES[type(op)](builder, node)
    elif op.mnemonic() in REDUCTIONS:
        _reduce_axes(builder, node)
    else:
        raise unsupported(node, "there is no code for it")


def _rearrange(builder: PlanBuilder, node: Node) -> None:
    (value,) = node.inputs
    x = builder.operand(value)
    positions = np.arange(x.width, dtype=np.int32).reshape(row_shape(value))
    indices = np.asarray(node.op.evaluate(positions)).ravel()
    if len(indices) != math.prod(row_shape(node.value)):
        raise unsupported(node, "it joins rows")
    if len(indices) and np.array_equal(indices, np.arange(indices[0], indices[0] + len(indices))):
        view = Place(x.buffer, x.start + int(indices[0]), len(indices))
        if node.value in builder.places:
            builder.move(view, builder.places[node.value])
        else:
            builder.places[node.value] = view
    else:
        builder.move(x, builder.place(node.value), indices)


def _cast(builder: PlanBuilder, node: Node) -> None:
    """Find truth values as numbers in their own place; there are no integers."""
    if {node.inputs[0].type.dtype, node.value.type.dtype} - {DType.BOOL, DType.FLOAT32}:
        raise unsupported(node, "it converts integers")
    if node.value.type.dtype is DType.BOOL and node.inputs[0].type.dtype is DType.FLOAT32:
        raise unsupported(node, "it converts numbers to truth values")
    builder.move(builder.operand(node.inputs[0]), builder.place(node.value))


def _concatenate(builder: PlanBuilder, node: Node) -> None:
    y, shape, axis = builder.place(node.value), row_shape(node.value), axis_of(node)
    inner, outer = math.prod(shape[axis + 1 :]), math.prod(shape[:axis])
    positions = np.arange(y.width).reshape(outer, -1)
    start = 0
    for value in node.inputs:
        x = builder.operand(value)
        width = value.type.shape[axis]
        assert width is not None
        columns = positions[:, start : start + width * inner]
        start += width * inner
        if outer == 1:
            builder.move(x, Place(y.buffer, y.start + int(columns[0, 0]), x.width))
            continue
        for part, each in zip(np.arange(x.width).reshape(outer, -1), columns, strict=True):
            source = Place(x.buffer, x.start + int(part[0]), len(part))
            builder.move(source, Place(y.buffer, y.start + int(each[0]), len(part)))


def _sum(builder: PlanBuilder, node: Node) -> Value | Place:
    """Return the sum of a node's inputs, from the left: its place, or the only input."""
    y = builder.place(node.value)
    total: Value | Place
    total, *others = node.inputs
    for each in others:
        builder.map(arithmetic.Add(), node, (total, each), y)
        total = y
    return total


def _average(builder: PlanBuilder, node: Node) -> None:
    total = _sum(builder, node)
    x = builder.broadcast(node, total) if isinstance(total, Value) else total
    divisor = np.full(1, len(node.inputs), np.float32)
    builder.steps.append(MapStep(op=arithmetic.Divide(), xs=(x, divisor), y=builder.place(node.value)))


def _map_twice(builder: PlanBuilder, node: Node, first: tuple[Op, Array], second: tuple[Op, Array]) -> None:
    """Apply two ops of a number and a constant to the node's input, one after the other."""
    x, y = builder.operand(node.inputs[0]), builder.place(node.value)
    for op, constant in (first, second):
        builder.steps.append(MapStep(op=op, xs=(x, constant), y=y))
        x = y


def _standardize(builder: PlanBuilder, node: Node) -> None:
    op = node.op
    assert isinstance(op, tabular.Standardize)
    shape = row_shape(node.value)
    mean, stdev = (
        np.ascontiguousarray(np.broadcast_to(each.array, shape)).ravel() for each in (op.mean, op.stdev)
    )
    _map_twice(builder, node, (arithmetic.Subtract(), mean), (arithmetic.Divide(), stdev))


def _destandardize(builder: PlanBuilder, node: Node) -> None:
    op = node.op
    assert isinstance(op, tabular.Destandardize)
    stdev, mean = op.stdev.array.reshape(1), op.mean.array.reshape(1)
    _map_twice(builder, node, (arithmetic.Multiply(), stdev), (arithmetic.Add(), mean))


def _batch_normalization(builder: PlanBuilder, node: Node) -> None:
    op = node.op
    assert isinstance(op, dense.BatchNormalization)
    if node.value.type.shape[-1] is None:
        raise unsupported(node, "it works along the axis of rows")
    groups = math.prod(row_shape(node.value)[:-1])
    scale, shift = (np.tile(each.astype(np.float32), groups) for each in op.scale_and_shift())
    _map_twice(builder, node, (arithmetic.Multiply(), scale), (arithmetic.Add(), shift))


def _one_hot(builder: PlanBuilder, node: Node) -> None:
    op, y = node.op, builder.place(node.value)
    assert isinstance(op, tabular.OneHot)
    builder.move(builder.operand(node.inputs[0]), y, op.groups)
    builder.steps.append(MapStep(op=arithmetic.Equal(), xs=(y, op.codes), y=y))


def _embedding_sum(builder: PlanBuilder, node: Node) -> None:
    assert isinstance(node.op, tabular.EmbeddingSum)
    x, y = builder.operand(node.inputs[0]), builder.place(node.value)
    builder.steps.append(EmbeddingStep(x=x, y=y, op=node.op))


def _forest(builder: PlanBuilder, node: Node) -> None:
    assert isinstance(node.op, tabular.Forest)
    x, y = builder.operand(node.inputs[0]), builder.place(node.value)
    builder.steps.append(ForestStep(x=x, y=y, op=node.op))


def _dense(builder: PlanBuilder, node: Node) -> None:
    op = node.op
    assert isinstance(op, dense.Dense)
    if node.inputs[0].type.shape[-1] is None:
        raise unsupported(node, "it works along the axis of rows")
    x, y = builder.operand(node.inputs[0]), builder.place(node.value)
    size, units = op.kernel.shape
    kernel, bias = op.kernel.array, _bias_or_zeros(op.bias, (units,))
    for group in range(y.width // units if units else 0):
        source = Place(x.buffer, x.start + group * size, size)
        result = Place(y.buffer, y.start + group * units, units)
        step = DenseStep(x=source, y=result, kernel=kernel, bias=bias, activation=op.activation)
        _add_product(builder, step)
    _normalize_after(builder, op.activation, y, units)


def _batched_dense(builder: PlanBuilder, node: Node) -> None:
    op = node.op
    assert isinstance(op, dense.BatchedDense)
    shape = node.inputs[0].type.shape
    if shape[-2] is not None:
        raise unsupported(node, f"its rows are not on the axis before the last of {shape}")
    x, y = builder.operand(node.inputs[0]), builder.place(node.value)
    size = op.kernel.shape[1]
    shared = len(shape) == 2
    kernels, biases = op.kernel.array, _bias_or_zeros(op.bias, (op.networks, op.units))
    for network, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        source = x if shared else Place(x.buffer, x.start + network * size, size)
        result = Place(y.buffer, y.start + network * op.units, op.units)
        step = DenseStep(x=source, y=result, kernel=kernel, bias=bias, activation=op.activation)
        _add_product(builder, step)
    _normalize_after(builder, op.activation, y, op.units)


def _bias_or_zeros(bias: Tensor | None, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape, np.float32) if bias is None else bias.array


def _add_product(builder: PlanBuilder, step: DenseStep) -> None:
    """Add a step, without an activation of several numbers; exact plans add its bias after the product."""
    linear = ActivationFunction.LINEAR
    fused = step.activation if step.activation.elementwise else linear
    if not builder.exact:
        builder.steps.append(attrs.evolve(step, activation=fused))
        return
    builder.steps.append(attrs.evolve(step, bias=np.zeros_like(step.bias), activation=linear))
    builder.steps.append(MapStep(op=arithmetic.Add(), xs=(step.y, step.bias), y=step.y))
    if fused is not linear:
        builder.steps.append(MapStep(op=dense.Activation(function=fused), xs=(step.y,), y=step.y))


def _normalize_after(builder: PlanBuilder, activation: ActivationFunction, y: Place, width: int) -> None:
    if not activation.elementwise:
        logarithm = activation is ActivationFunction.LOG_SOFTMAX
        builder.steps.append(SoftmaxStep(x=y, y=y, width=width, logarithm=logarithm))


def _activation(builder: PlanBuilder, node: Node) -> None:
    op = node.op
    assert isinstance(op, dense.Activation)
    x, y = builder.operand(node.inputs[0]), builder.place(node.value)
    if op.function.elementwise:
        builder.steps.append(MapStep(op=op, xs=(x,), y=y))
        return
    width = node.value.type.shape[-1]
    if width is None:
        raise unsupported(node, "it works along the axis of rows")
    logarithm = op.function is ActivationFunction.LOG_SOFTMAX
    builder.steps.append(SoftmaxStep(x=x, y=y, width=width, logarithm=logarithm))


def _mean(builder: PlanBuilder, node: Node) -> None:
    assert isinstance(node.op, reduction.Mean)
    _reduce(builder, node, arithmetic.Add(), node.op.axis, average=True)


def _reduce_axes(builder: PlanBuilder, node: Node) -> None:
    axes = node.op.axes  # type: ignore[attr-defined]
    if len(axes) != 1:
        raise unsupported(node, "it works along several axes")
    _reduce(builder, node, REDUCTIONS[node.op.mnemonic()], axes[0], average=False)


def _reduce(builder: PlanBuilder, node: Node, op: Op, axis: int, *, average: bool) -> None:
    (value,) = node.inputs
    shape = row_shape(value)
    axis %= len(shape)
    if value.type.shape[axis] is None or not shape[axis]:
        raise unsupported(node, "it works along the axis of rows, or along no entries")
    x, y = builder.operand(value), builder.place(node.value)
    divisor = float(shape[axis]) if average else 1.0
    inner = math.prod(shape[axis + 1 :])
    builder.steps.append(ReduceStep(op=op, x=x, y=y, count=shape[axis], inner=inner, divisor=divisor))


REDUCTIONS: Mapping[str, Op] = {
    "reduce_sum": arithmetic.Add(),
    "reduce_max": arithmetic.Maximum(),
    "reduce_min": arithmetic.Minimum(),
}
"""The ops of two numbers to which reductions come down, by the reductions' mnemonics."""

RULES: Mapping[type[Op], Callable[[PlanBuilder, Node], object]] = {
    rearrangement.Concatenate: _concatenate,
    arithmetic.Add: _sum,
    arithmetic.Average: _average,
    reduction.Mean: _mean,
    dense.Dense: _dense,
    dense.BatchedDense: _batched_dense,
    dense.BatchNormalization: _batch_normalization,
    dense.Activation: _activation,
    tabular.Standardize: _standardize,
    tabular.Destandardize: _destandardize,
    tabular.OneHot: _one_hot,
    tabular.EmbeddingSum: _embedding_sum,
    tabular.Forest: _forest,
}
"""How each other op is planned."""
