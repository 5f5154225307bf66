"""What each op means, written again: plain loops over Python numbers and float64 arrays, no cleverness.

`REFERENCES[op class](op, *inputs)` takes float64, int or bool arrays and gives the result, or a tuple.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sensenet.ir.op import Op
from sensenet.ir.ops import arithmetic, core, dense, rearrangement, reduction, tabular
from sensenet.ir.types import Tensor
from support.activation_references import activate
from support.image_op_references import IMAGE_REFERENCES
from support.tensor_references import TENSOR_REFERENCES


def walk_tree(op: tabular.Forest, root: int, row: np.ndarray) -> np.ndarray:
    """The leaf values of one tree for one row; recursive."""
    left, right = int(op.left.array[root]), int(op.right.array[root])
    if left == root:
        return op.values.array[root].astype(np.float64)
    goes_left = row[op.feature.array[root]] <= op.threshold.array[root]
    return walk_tree(op, left if goes_left else right, row)


def forest(op: tabular.Forest, x: np.ndarray) -> np.ndarray:
    result = []
    for row in x:
        roots, answers = iter(op.roots.array), []
        for size in op.sizes:
            answers.append(np.mean([walk_tree(op, int(next(roots)), row) for _ in range(size)], axis=0))
        result.append(np.concatenate(answers))
    return np.asarray(result)


def one_hot(op: tabular.OneHot, x: np.ndarray) -> np.ndarray:
    rows = [
        [1.0 if code == j else 0.0 for code, depth in zip(row, op.depths, strict=True) for j in range(depth)]
        for row in x
    ]
    return np.asarray(rows).reshape(len(x), -1) if rows and rows[0] else np.zeros((len(x), 0))


def embedding_sum(op: tabular.EmbeddingSum, x: np.ndarray) -> np.ndarray:
    result = np.zeros((len(x), op.table.shape[1]))
    for number, codes in enumerate(x):
        start = 0
        for code, depth in zip(codes, op.depths, strict=True):
            for j in range(depth):
                if code == j:
                    result[number] += op.table.array[start + j]
            start += depth
    return result


def dense_layer(op: dense.Dense, x: np.ndarray) -> np.ndarray:
    kernel = op.kernel.array.astype(np.float64)
    result = np.empty((*x.shape[:-1], kernel.shape[1]))
    for index in np.ndindex(result.shape):
        products = [float(a) * float(b) for a, b in zip(x[index[:-1]], kernel[:, index[-1]], strict=True)]
        result[index] = math.fsum(products) + (float(op.bias.array[index[-1]]) if op.bias else 0.0)
    return activate(op.activation, result)


def batched_dense(op: dense.BatchedDense, x: np.ndarray) -> np.ndarray:
    parts = []
    for i in range(op.networks):
        bias = Tensor.float32(op.bias.array[i]) if op.bias else None
        layer = dense.Dense(kernel=Tensor.float32(op.kernel.array[i]), bias=bias, activation=op.activation)
        parts.append(dense_layer(layer, x if x.ndim == 2 else x[i]))
    return np.asarray(parts)


def batch_normalization(op: dense.BatchNormalization, x: np.ndarray) -> np.ndarray:
    gamma, beta, mean, variance = (
        t.array.astype(np.float64) for t in (op.gamma, op.beta, op.mean, op.variance)
    )
    return gamma * (x - mean) / np.sqrt(variance + op.epsilon) + beta


def pairwise(function: Callable[[Any, Any], Any]) -> Callable[..., np.ndarray]:
    def apply(op: Op, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = np.broadcast_arrays(a, b)
        pairs = zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)
        return np.asarray([function(x, y) for x, y in pairs]).reshape(a.shape)

    return apply


def total(op: Op, *xs: np.ndarray) -> np.ndarray:
    arrays = np.broadcast_arrays(*xs)
    columns = zip(*(x.ravel().tolist() for x in arrays), strict=True)
    return np.asarray([sum(column) for column in columns]).reshape(arrays[0].shape)


def select(op: arithmetic.Select, condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    arrays = np.broadcast_arrays(condition, a, b)
    triples = zip(*(x.ravel().tolist() for x in arrays), strict=True)
    return np.asarray([x if c else y for c, x, y in triples]).reshape(arrays[0].shape)


def concatenate(op: rearrangement.Concatenate, *xs: np.ndarray) -> np.ndarray:
    moved = [list(np.moveaxis(x, op.axis, 0)) for x in xs]
    return np.moveaxis(np.asarray([part for parts in moved for part in parts]), 0, op.axis)


def taken(op: Any, x: np.ndarray, positions: list[int]) -> np.ndarray:
    moved = np.moveaxis(x, op.axis, 0)
    result = np.empty((len(positions), *moved.shape[1:]))
    for place, position in enumerate(positions):
        result[place] = moved[position]
    return np.moveaxis(result, 0, op.axis)


def mat_mul(op: dense.MatMul, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*outer, *a.shape[-2:])), np.broadcast_to(b, (*outer, *b.shape[-2:]))
    return np.einsum("...nk,...km->...nm", a, b)


def transpose(op: rearrangement.Transpose, x: np.ndarray) -> np.ndarray:
    result = np.empty([x.shape[axis] for axis in op.permutation])
    for index in np.ndindex(x.shape):
        result[tuple(index[axis] for axis in op.permutation)] = x[index]
    return result


REFERENCES: dict[type[Op], Callable[..., Any]] = {
    core.Constant: lambda op: op.value.array,
    tabular.Standardize: lambda op, x: (x - op.mean.float64) / op.stdev.float64,
    tabular.Destandardize: lambda op, x: x * op.stdev.float64 + op.mean.float64,
    tabular.OneHot: one_hot,
    tabular.EmbeddingSum: embedding_sum,
    tabular.Forest: forest,
    dense.Dense: dense_layer,
    dense.BatchedDense: batched_dense,
    dense.BatchNormalization: batch_normalization,
    dense.Activation: lambda op, x: activate(op.function, x),
    dense.Dropout: lambda op, x: x,
    arithmetic.Add: total,
    arithmetic.Average: lambda op, *xs: total(op, *xs) / len(xs),
    reduction.Mean: lambda op, x: np.apply_along_axis(lambda y: math.fsum(y) / len(y), op.axis, x),
    arithmetic.Subtract: pairwise(lambda a, b: a - b),
    arithmetic.Multiply: pairwise(lambda a, b: a * b),
    arithmetic.Divide: pairwise(lambda a, b: a / b),
    arithmetic.Maximum: pairwise(max),
    arithmetic.Minimum: pairwise(min),
    arithmetic.Equal: pairwise(lambda a, b: a == b),
    arithmetic.LessEqual: pairwise(lambda a, b: a <= b),
    arithmetic.Greater: pairwise(lambda a, b: a > b),
    arithmetic.Select: select,
    arithmetic.Cast: lambda op, x: np.asarray([int(value) for value in x.ravel()]).reshape(x.shape),
    rearrangement.Concatenate: concatenate,
    rearrangement.Slice: lambda op, x: taken(op, x, list(range(op.start, op.stop))),
    rearrangement.Gather: lambda op, x: taken(op, x, op.indices.array.tolist()),
    rearrangement.Lookup: lambda op, x: np.asarray([[op.table.array[i] for i in row] for row in x]),
    rearrangement.TakeAlong: lambda op, x, positions: np.asarray(
        [
            np.asarray([row[i] for i in places.ravel()]).reshape(*places.shape, *row.shape[1:])
            for row, places in zip(x, positions, strict=True)
        ]
    ),
    dense.MatMul: mat_mul,
    rearrangement.Reshape: lambda op, x: np.asarray(x.ravel().tolist()).reshape([n or -1 for n in op.shape]),
    rearrangement.Flatten: lambda op, x: np.asarray([row.ravel() for row in x]),
    rearrangement.Transpose: transpose,
    **IMAGE_REFERENCES,
    **TENSOR_REFERENCES,
}
