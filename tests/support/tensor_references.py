"""What each tensor op means, written again in plain Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sensenet.ir.op import Op
from sensenet.ir.ops import control, elementwise, quantization, reduction, shape
from sensenet.ir.ops.convolution import UpsampleMethod


def each(function: Callable[[float], float]) -> Callable[..., Any]:
    return lambda op, x: np.asarray([function(float(value)) for value in x.ravel()]).reshape(x.shape)


def reduce(function: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """The function of all numbers that differ only on the op's axes."""

    def reference(op: Any, x: np.ndarray) -> np.ndarray:
        axes = [axis % x.ndim for axis in op.axes]
        kept = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
        result = np.empty(kept, x.dtype)
        for place in np.ndindex(*kept):
            ranges = [range(x.shape[axis]) if axis in axes else [place[axis]] for axis in range(x.ndim)]
            result[place] = function([x[cell] for cell in itertools.product(*ranges)])
        if op.keep_dimensions:
            return result
        return result.reshape([size for axis, size in enumerate(kept) if axis not in axes])

    return reference


def arg_max(op: reduction.ArgMax, x: np.ndarray) -> np.ndarray:
    rows = np.moveaxis(x, op.axis, -1)
    found = [row.tolist().index(max(row)) for row in rows.reshape(-1, rows.shape[-1])]
    return np.asarray(found).reshape(rows.shape[:-1])


def round_half_even(x: float) -> float:
    return float(round(x))


def take(op: shape.Take, x: np.ndarray, positions: np.ndarray) -> np.ndarray:
    front = np.moveaxis(x, op.axis, 0)
    rows = np.asarray([front[place] for place in positions.ravel()])
    rows = rows.reshape(*positions.shape, *front.shape[1:])
    for axis in range(op.axis):  # the axes before it come first again
        rows = np.moveaxis(rows, positions.ndim + axis, axis)
    return rows


def resize(op: shape.Resize2D, x: np.ndarray, size: np.ndarray) -> np.ndarray:
    batch, height, width, channels = x.shape
    result = np.zeros((batch, int(size[0]), int(size[1]), channels))
    for _, i, j, _ in np.ndindex(result.shape):
        result[:, i, j] = sum(
            row_weight * column_weight * x[:, row, column]
            for row, row_weight in sources(op.method, i, height, result.shape[1])
            for column, column_weight in sources(op.method, j, width, result.shape[2])
        )
    return result


def sources(method: UpsampleMethod, position: int, size: int, target: int) -> list[tuple[int, float]]:
    """The pixels that a pixel is made of, and their shares."""
    if method is UpsampleMethod.NEAREST:
        return [(math.floor((position + 0.5) * size / target), 1.0)]
    exact = (position + 0.5) * size / target - 0.5
    first = math.floor(exact)
    share = exact - first
    return [(max(first, 0), 1 - share), (min(first + 1, size - 1), share)]


def loop(_op: control.While, rows: np.ndarray, steps: int) -> tuple[np.ndarray, int]:
    """What `tensor_op_cases.doubling` does."""
    while rows.max() < 30:
        rows, steps = rows * 2, steps + 1
    return rows, steps


def at_positions(op: quantization.Steps, x: np.ndarray) -> Iterator[tuple[tuple[int, ...], float, int]]:
    """Every position, and the scale and zero point there."""
    for place in np.ndindex(*x.shape):
        channel = () if op.axis is None else (place[op.axis],)
        yield place, float(op.scale.array[channel]), int(op.zero_point.array[channel])


def quantize(op: quantization.Quantize, x: np.ndarray) -> np.ndarray:
    result = np.zeros(x.shape, np.int32)
    half = 2 ** (op.bits - 1)
    for place, scale, zero_point in at_positions(op, x):
        number = 0.0 if math.isnan(x[place]) else max(min(float(x[place]) / scale, 2.0**40), -(2.0**40))
        steps = round_half_even(number) + zero_point
        # a number of 32 bits is computed in float32, which has no 2^31 - 1
        result[place] = max(min(steps, half - (128 if op.bits == 32 else 1)), -half)
    return result


def dequantize(op: quantization.Dequantize, q: np.ndarray) -> np.ndarray:
    result = np.zeros(q.shape)
    for place, scale, zero_point in at_positions(op, q):
        result[place] = (int(q[place]) - zero_point) * scale
    return result


TENSOR_REFERENCES: dict[type[Op], Callable[..., Any]] = {
    elementwise.Negate: each(lambda x: -x),
    elementwise.Absolute: each(abs),
    elementwise.Exp: each(math.exp),
    elementwise.Log: each(math.log),
    elementwise.Floor: each(math.floor),
    elementwise.Round: each(round_half_even),
    elementwise.And: lambda op, a, b: np.asarray([[bool(x and y) for x in a[0]] for y in b[:, 0]]),
    reduction.ReduceSum: reduce(math.fsum),
    reduction.ReduceMax: reduce(max),
    reduction.ReduceMin: reduce(min),
    reduction.ReduceAny: reduce(any),
    reduction.ArgMax: arg_max,
    shape.ShapeOf: lambda op, x: np.asarray(x.shape),
    shape.Range: lambda op, limit: np.asarray(list(range(int(limit))), np.int32),
    shape.Fill: lambda op, sizes: np.asarray([op.value.array.item()] * math.prod(sizes.tolist())).reshape(
        sizes.tolist()
    ),
    shape.DynamicReshape: lambda op, x, sizes: np.asarray(x.ravel().tolist()).reshape(sizes.tolist()),
    shape.Take: take,
    shape.Stack: lambda op, *xs: np.moveaxis(np.asarray([x.tolist() for x in xs]), 0, op.axis),
    shape.Resize2D: resize,
    control.While: loop,
    quantization.Quantize: quantize,
    quantization.Dequantize: dequantize,
}
