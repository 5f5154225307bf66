"""What each op means, written again: plain loops over Python numbers and float64 arrays, no cleverness.

`REFERENCES[op class](op, *inputs)` takes float64, int or bool arrays and gives the result, or a tuple.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.op import Op
from sensenet.ir.ops import basic, convolution, core, dense, detection, image, tabular
from sensenet.ir.ops.windows import Padding
from sensenet.ir.types import Tensor
from support.tensor_references import TENSOR_REFERENCES


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


SELU_ALPHA, SELU_SCALE = 1.67326324235437728, 1.05070098735548049

SCALARS: dict[ActivationFunction, Callable[[float], float]] = {
    ActivationFunction.LINEAR: lambda x: x,
    ActivationFunction.RELU: lambda x: x if x > 0 else 0.0,
    ActivationFunction.RELU6: lambda x: min(max(x, 0.0), 6.0),
    ActivationFunction.LEAKY_RELU: lambda x: x if x > 0 else 0.1 * x,
    ActivationFunction.MISH: lambda x: x * math.tanh(softplus(x)),
    ActivationFunction.TANH: math.tanh,
    ActivationFunction.SIGMOID: sigmoid,
    ActivationFunction.SOFTPLUS: softplus,
    ActivationFunction.SOFTSIGN: lambda x: x / (1 + abs(x)),
    ActivationFunction.ELU: lambda x: x if x > 0 else math.expm1(x),
    ActivationFunction.SELU: lambda x: SELU_SCALE * (x if x > 0 else SELU_ALPHA * math.expm1(x)),
    ActivationFunction.GELU: lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2)),
    ActivationFunction.SWISH: lambda x: x * sigmoid(x),
    ActivationFunction.EXPONENTIAL: exp,
    ActivationFunction.HARD_SIGMOID: lambda x: min(max(0.2 * x + 0.5, 0.0), 1.0),
}
"""The functions of one number, for finite numbers."""


def softmax(row: list[float]) -> list[float]:
    exponentials = [math.exp(x - max(row)) for x in row]
    return [value / math.fsum(exponentials) for value in exponentials]


def activate(function: ActivationFunction, x: np.ndarray) -> np.ndarray:
    if function in SCALARS:
        return np.asarray([SCALARS[function](float(value)) for value in x.ravel()]).reshape(x.shape)
    rows = [softmax(list(map(float, row))) for row in x.reshape(-1, x.shape[-1])]
    result = np.asarray(rows).reshape(x.shape)
    return np.log(result) if function is ActivationFunction.LOG_SOFTMAX else result


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


def windows(size: int, window: int, stride: int, padding: Padding) -> list[list[tuple[int, int]]]:
    """For each window on an axis: (offset in the window, position in the image) of its pixels inside."""
    if padding is Padding.SAME:
        count = math.ceil(size / stride)
        before = max((count - 1) * stride + window - size, 0) // 2
    else:
        count, before = (size - window) // stride + 1, 0
    return [
        [(k, i * stride + k - before) for k in range(window) if 0 <= i * stride + k - before < size]
        for i in range(count)
    ]


def over_windows(
    op: Any, x: np.ndarray, window: tuple[int, int], channels: int, compute: Callable[..., float]
) -> np.ndarray:
    """`compute(plane, pixels, channel)`, pixels ((k, y), (l, x)), for each window and output channel."""
    rows = windows(x.shape[1], window[0], op.strides[0], op.padding)
    columns = windows(x.shape[2], window[1], op.strides[1], op.padding)
    result = np.empty((len(x), len(rows), len(columns), channels))
    for b, i, j, o in np.ndindex(result.shape):
        result[b, i, j, o] = compute(x[b], list(itertools.product(rows[i], columns[j])), o)
    return result


def convolve(op: Any, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    def compute(plane: np.ndarray, pixels: Any, o: int) -> float:
        return math.fsum(float(plane[y, z] @ kernel[k, m, :, o]) for (k, y), (m, z) in pixels)

    return over_windows(op, x, kernel.shape[:2], kernel.shape[3], compute)


def convolve_depthwise(op: Any, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    multiplier = kernel.shape[3]

    def compute(plane: np.ndarray, pixels: Any, o: int) -> float:
        c, n = divmod(o, multiplier)
        return math.fsum(float(plane[y, z, c] * kernel[k, m, c, n]) for (k, y), (m, z) in pixels)

    return over_windows(op, x, kernel.shape[:2], kernel.shape[2] * multiplier, compute)


def finish(op: Any, y: np.ndarray) -> np.ndarray:
    return activate(op.activation, y if op.bias is None else y + op.bias.array.astype(np.float64))


def convolution_2d(op: convolution.Convolution2D, x: np.ndarray) -> np.ndarray:
    return finish(op, convolve(op, x, op.kernel.float64))


def depthwise_2d(op: convolution.DepthwiseConvolution2D, x: np.ndarray) -> np.ndarray:
    return finish(op, convolve_depthwise(op, x, op.kernel.float64))


def separable_2d(op: convolution.SeparableConvolution2D, x: np.ndarray) -> np.ndarray:
    between = convolve_depthwise(op, x, op.depth_kernel.float64)
    return finish(op, np.einsum("bijc,co->bijo", between, op.point_kernel.float64[0, 0]))


def pool(reduce: Callable[[list[float]], float]) -> Callable[[Any, np.ndarray], np.ndarray]:
    def apply(op: Any, x: np.ndarray) -> np.ndarray:
        def compute(plane: np.ndarray, pixels: Any, o: int) -> float:
            return reduce([float(plane[y, z, o]) for (_, y), (_, z) in pixels])

        return over_windows(op, x, op.pool_size, x.shape[3], compute)

    return apply


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def pad_2d(op: convolution.Pad2D, x: np.ndarray) -> np.ndarray:
    return np.pad(x, ((0, 0), *op.padding, (0, 0)))


def upsample_2d(op: convolution.Upsample2D, x: np.ndarray) -> np.ndarray:
    batch, height, width, channels = x.shape
    result = np.empty((batch, height * op.size[0], width * op.size[1], channels))
    for _, i, j, _ in np.ndindex(result.shape):
        if op.method is convolution.UpsampleMethod.NEAREST:
            result[:, i, j] = x[:, i // op.size[0], j // op.size[1]]
            continue
        result[:, i, j] = 0
        for row, row_weight in between(i, op.size[0], height):
            for column, column_weight in between(j, op.size[1], width):
                result[:, i, j] += row_weight * column_weight * x[:, row, column]
    return result


def between(position: int, factor: int, size: int) -> list[tuple[int, float]]:
    """The two pixels that a pixel of the enlarged axis lies between, and their weights."""
    source = (position + 0.5) / factor - 0.5
    low = math.floor(source)
    weight = source - low
    return [(max(low, 0), 1 - weight), (min(low + 1, size - 1), weight)]


def nearest(source: int, target: int) -> list[int]:
    ratio = np.float32(source) / np.float32(target)
    return [min(int((np.float32(k) + np.float32(0.5)) * ratio), source - 1) for k in range(target)]


def rescale(op: image.Rescale, x: np.ndarray) -> np.ndarray:
    ratios = [np.float32(op.height) / np.float32(x.shape[1]), np.float32(op.width) / np.float32(x.shape[2])]
    if op.method is image.RescaleType.WARP:
        rows, columns = nearest(x.shape[1], op.height), nearest(x.shape[2], op.width)
        return np.asarray([[[plane[i, j] for j in columns] for i in rows] for plane in x])
    ratio = min(ratios) if op.method is image.RescaleType.PAD else max(ratios)
    exact = [np.float32(x.shape[1]) * ratio, np.float32(x.shape[2]) * ratio]
    rows, columns = (nearest(n, round(float(m))) for n, m in zip(x.shape[1:3], exact, strict=True))
    result = []
    for plane in x:
        scaled = np.asarray([[plane[i, j] for j in columns] for i in rows])
        if op.method is image.RescaleType.CROP:
            top = round(float((exact[0] - np.float32(op.height)) / np.float32(2)))
            left = round(float((exact[1] - np.float32(op.width)) / np.float32(2)))
            result.append(scaled[top : top + op.height, left : left + op.width])
        else:
            canvas = np.full((op.height, op.width, x.shape[3]), scaled.mean())
            canvas[: len(rows), : len(columns)] = scaled
            result.append(canvas)
    return np.asarray(result)


def decode_boxes(op: detection.DecodeBoxes, x: np.ndarray) -> tuple[np.ndarray, ...]:
    boxes, scores, classes = [], [], []
    for b, i, j in np.ndindex(x.shape[:3]):
        for k, (anchor_width, anchor_height) in enumerate(op.anchors.float64):
            raw = [float(v) for v in x[b, i, j].reshape(len(op.anchors.array), -1)[k]]
            shift = (op.xyscale - 1) / 2
            center_x = (sigmoid(raw[0]) * op.xyscale - shift + j) * op.stride
            center_y = (sigmoid(raw[1]) * op.xyscale - shift + i) * op.stride
            width, height = math.exp(raw[2]) * anchor_width, math.exp(raw[3]) * anchor_height
            corners = (
                center_x - width / 2,
                center_y - height / 2,
                center_x + width / 2,
                center_y + height / 2,
            )
            boxes.append([corner / op.input_size for corner in corners])
            all_scores = [sigmoid(raw[4]) * sigmoid(value) for value in raw[5:]]
            scores.append(max(all_scores))
            classes.append(all_scores.index(max(all_scores)))
    batch = len(x)
    return (
        np.asarray(boxes).reshape(batch, -1, 4),
        np.asarray(scores).reshape(batch, -1),
        np.asarray(classes).reshape(batch, -1),
    )


def scale_boxes(op: detection.ScaleBoxes, boxes: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    side = max(pixels.shape[1:3])
    return np.asarray([round(float(value) * side) for value in boxes.ravel()], float).reshape(boxes.shape)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (areas - width * height + 1e-8)


def suppress_boxes(
    op: detection.SuppressBoxes, boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray
) -> tuple[np.ndarray, ...]:
    chosen, valid = [], []
    for b in range(len(boxes)):
        kept: list[int] = []
        for index in sorted(range(len(scores[b])), key=lambda n: (-scores[b, n], n)):
            if scores[b, index] > np.float32(op.score_threshold) and all(
                overlap(boxes[b, index], boxes[b, other]) < op.iou_threshold for other in kept
            ):
                kept.append(index)
        kept = [index for index in kept if max(boxes[b, index]) > 0][: op.max_objects]
        valid.append(len(kept))
        chosen.append(kept + [0] * (op.max_objects - len(kept)))
    batch = range(len(boxes))
    return (
        np.asarray([boxes[b][chosen[b]] for b in batch]),
        np.asarray([scores[b][chosen[b]] for b in batch]),
        np.asarray([classes[b][chosen[b]] for b in batch]),
        np.asarray(valid),
    )


def elementwise(function: Callable[[Any, Any], Any]) -> Callable[..., np.ndarray]:
    def apply(op: Op, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = np.broadcast_arrays(a, b)
        pairs = zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)
        return np.asarray([function(x, y) for x, y in pairs]).reshape(a.shape)

    return apply


def total(op: Op, *xs: np.ndarray) -> np.ndarray:
    arrays = np.broadcast_arrays(*xs)
    columns = zip(*(x.ravel().tolist() for x in arrays), strict=True)
    return np.asarray([sum(column) for column in columns]).reshape(arrays[0].shape)


def select(op: basic.Select, condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    arrays = np.broadcast_arrays(condition, a, b)
    triples = zip(*(x.ravel().tolist() for x in arrays), strict=True)
    return np.asarray([x if c else y for c, x, y in triples]).reshape(arrays[0].shape)


def concatenate(op: basic.Concatenate, *xs: np.ndarray) -> np.ndarray:
    moved = [list(np.moveaxis(x, op.axis, 0)) for x in xs]
    return np.moveaxis(np.asarray([part for parts in moved for part in parts]), 0, op.axis)


def taken(op: Any, x: np.ndarray, positions: list[int]) -> np.ndarray:
    moved = np.moveaxis(x, op.axis, 0)
    result = np.empty((len(positions), *moved.shape[1:]))
    for place, position in enumerate(positions):
        result[place] = moved[position]
    return np.moveaxis(result, 0, op.axis)


def mat_mul(op: basic.MatMul, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*outer, *a.shape[-2:])), np.broadcast_to(b, (*outer, *b.shape[-2:]))
    return np.einsum("...nk,...km->...nm", a, b)


def transpose(op: basic.Transpose, x: np.ndarray) -> np.ndarray:
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
    convolution.Convolution2D: convolution_2d,
    convolution.DepthwiseConvolution2D: depthwise_2d,
    convolution.SeparableConvolution2D: separable_2d,
    convolution.MaxPool2D: pool(max),
    convolution.AveragePool2D: pool(mean),
    convolution.GlobalAveragePool2D: lambda op, x: x.reshape(len(x), -1, x.shape[3]).mean(axis=1),
    convolution.GlobalMaxPool2D: lambda op, x: x.reshape(len(x), -1, x.shape[3]).max(axis=1),
    convolution.Pad2D: pad_2d,
    convolution.Upsample2D: upsample_2d,
    image.Index: lambda op, x: np.asarray([part[op.index] for part in x]) if op.axis == 1 else None,
    image.Rescale: rescale,
    detection.DecodeBoxes: decode_boxes,
    detection.ScaleBoxes: scale_boxes,
    detection.SuppressBoxes: suppress_boxes,
    basic.Add: total,
    basic.Average: lambda op, *xs: total(op, *xs) / len(xs),
    basic.Mean: lambda op, x: np.apply_along_axis(lambda y: math.fsum(y) / len(y), op.axis, x),
    basic.Subtract: elementwise(lambda a, b: a - b),
    basic.Multiply: elementwise(lambda a, b: a * b),
    basic.Divide: elementwise(lambda a, b: a / b),
    basic.Maximum: elementwise(max),
    basic.Minimum: elementwise(min),
    basic.Equal: elementwise(lambda a, b: a == b),
    basic.LessEqual: elementwise(lambda a, b: a <= b),
    basic.Greater: elementwise(lambda a, b: a > b),
    basic.Select: select,
    basic.Cast: lambda op, x: np.asarray([int(value) for value in x.ravel()]).reshape(x.shape),
    basic.Concatenate: concatenate,
    basic.Slice: lambda op, x: taken(op, x, list(range(op.start, op.stop))),
    basic.Gather: lambda op, x: taken(op, x, op.indices.array.tolist()),
    basic.Lookup: lambda op, x: np.asarray([[op.table.array[i] for i in row] for row in x]),
    basic.TakeAlong: lambda op, x, positions: np.asarray(
        [
            np.asarray([row[i] for i in places.ravel()]).reshape(*places.shape, *row.shape[1:])
            for row, places in zip(x, positions, strict=True)
        ]
    ),
    basic.MatMul: mat_mul,
    basic.Reshape: lambda op, x: np.asarray(x.ravel().tolist()).reshape([n or -1 for n in op.shape]),
    basic.Flatten: lambda op, x: np.asarray([row.ravel() for row in x]),
    basic.Transpose: transpose,
    **TENSOR_REFERENCES,
}
