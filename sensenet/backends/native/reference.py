"""Runs a plan in NumPy with the answers of its machine code, to the last bit.

It answers the first rows of a process, for which compiling does not pay, and tests the machine code. It takes
some microseconds for each row of each kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sensenet.backends.native.arithmetic import exp, formula, log
from sensenet.backends.native.numpy_arithmetic import NumpyArithmetic
from sensenet.backends.native.plan import (
    INPUT,
    OUTPUT,
    SUM_LANES,
    DenseStep,
    EmbeddingStep,
    ForestStep,
    MapStep,
    MoveStep,
    Place,
    Plan,
    ReduceStep,
    SoftmaxStep,
    Step,
)
from sensenet.ir.ops.dense import Activation
from sensenet.ir.types import Array

TO = NumpyArithmetic()

Read = Callable[[Place], Array]
"""Returns the numbers of a place, f32[rows, width]."""


def run_plan(plan: Plan, x: Array) -> Array:
    """Return f32[rows, outputs] for f32[rows, columns]."""
    buffers = [np.empty((len(x), buffer.width), np.float32) for buffer in plan.buffers]
    buffers[INPUT] = x

    def read(place: Place) -> Array:
        return buffers[place.buffer][:, place.start : place.start + place.width]

    with np.errstate(all="ignore"):
        for step in plan.steps:
            read(step.y)[...] = COMPUTE[type(step)](step, read)
    return buffers[OUTPUT]


def count_operations(plan: Plan) -> tuple[int, int]:
    """Return how many operations of NumPy a call takes, about, and the numbers of a row in all of them."""
    counts = [(_operations(step), step.y.width) for step in plan.steps]
    return sum(count for count, _ in counts), sum(count * width for count, width in counts)


def _operations(step: Step) -> int:
    match step:
        case DenseStep():
            return FUSED_OPERATIONS * (len(step.kernel) + 1)
        case EmbeddingStep():
            return COLUMN_OPERATIONS * step.x.width
        case ReduceStep():
            return step.count
        case ForestStep():
            return COLUMN_OPERATIONS * (max(step.op.sizes) + MOST_LEVELS)
    return STEP_OPERATIONS


FUSED_OPERATIONS = 15
"""Operations for a product and a sum that are rounded once."""

COLUMN_OPERATIONS = 5
"""Operations for a column of codes that is looked up, or a level of trees."""

MOST_LEVELS = 20
"""Levels of trees that rows pass, about."""

STEP_OPERATIONS = 60
"""Operations for any other step, about: those of an exponential."""


def _multiply(step: DenseStep, read: Read) -> Array:
    x = read(step.x)
    total = np.broadcast_to(step.bias, (len(x), len(step.bias)))
    for column, weights in zip(x.T, step.kernel, strict=True):
        total = TO.fused(column[:, None], weights, total)
    result: Array = formula(Activation(function=step.activation))(TO, total)
    return result


def _map(step: MapStep, read: Read) -> Array:
    operands = [read(x) if isinstance(x, Place) else x for x in step.xs]
    result: Array = formula(step.op)(TO, *operands)
    return result


def _move(step: MoveStep, read: Read) -> Array:
    return read(step.x)[:, step.indices]


def _normalize(step: SoftmaxStep, read: Read) -> Array:
    x = read(step.x)
    groups = x.reshape(len(x), x.shape[1] // max(1, step.width), step.width)
    largest = np.fmax.reduce(groups, axis=-1, keepdims=True, initial=-np.inf)
    below = groups - largest
    powers = exp(TO, below)
    total = _sum_in_lanes(powers)[..., None]
    result: Array = below - log(TO, total) if step.logarithm else powers / total
    return result.reshape(x.shape)


def _sum_in_lanes(numbers: Array) -> Array:
    """Return the sums along the last axis, in the order of machine code: by lanes, then half and half."""
    width = -(-numbers.shape[-1] // SUM_LANES) * SUM_LANES
    lanes = np.zeros((*numbers.shape[:-1], SUM_LANES), np.float32)
    padded = np.zeros((*numbers.shape[:-1], width), np.float32)
    padded[..., : numbers.shape[-1]] = numbers
    for start in range(0, width, SUM_LANES):
        lanes = lanes + padded[..., start : start + SUM_LANES]
    while lanes.shape[-1] > 1:
        half = lanes.shape[-1] // 2
        lanes = lanes[..., :half] + lanes[..., half:]
    return lanes[..., 0]


def _reduce(step: ReduceStep, read: Read) -> Array:
    x = read(step.x)
    outer = step.y.width // step.inner if step.inner else 0
    parts = x.reshape(len(x), outer, step.count, step.inner)
    total = parts[:, :, 0]
    for number in range(1, step.count):
        total = formula(step.op)(TO, total, parts[:, :, number])
    if step.divisor != 1:
        total = total / np.float32(step.divisor)
    return total.reshape(len(x), step.y.width)


def _embed(step: EmbeddingStep, read: Read) -> Array:
    x, op = read(step.x), step.op
    known = (x >= 0) & (x < op.limits) & (np.floor(x) == x)
    rows = np.where(known, x, 0).astype(np.intp) + op.starts
    total = np.zeros((len(x), op.units), np.float32)
    for column in range(x.shape[1]):
        entries = op.table.array[rows[:, column]]
        total = total + np.where(known[:, column, None], entries, np.float32(0))
    return total


def _walk(step: ForestStep, read: Read) -> Array:
    return step.op.evaluate(np.ascontiguousarray(read(step.x)))


COMPUTE: Mapping[type[Step], Callable[[Any, Read], Array]] = {
    DenseStep: _multiply,
    MapStep: _map,
    MoveStep: _move,
    SoftmaxStep: _normalize,
    ReduceStep: _reduce,
    EmbeddingStep: _embed,
    ForestStep: _walk,
}
"""How each kind of step is computed."""
