"""What each op on images means, written again: loops over windows, pixels and boxes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sensenet.ir.op import Op
from sensenet.ir.ops import convolution, detection, image, pooling
from sensenet.ir.ops.windows import Padding
from support.activation_references import activate, sigmoid


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


IMAGE_REFERENCES: dict[type[Op], Callable[..., Any]] = {
    convolution.Convolution2D: convolution_2d,
    convolution.DepthwiseConvolution2D: depthwise_2d,
    convolution.SeparableConvolution2D: separable_2d,
    pooling.MaxPool2D: pool(max),
    pooling.AveragePool2D: pool(mean),
    pooling.GlobalAveragePool2D: lambda op, x: x.reshape(len(x), -1, x.shape[3]).mean(axis=1),
    pooling.GlobalMaxPool2D: lambda op, x: x.reshape(len(x), -1, x.shape[3]).max(axis=1),
    convolution.Pad2D: pad_2d,
    convolution.Upsample2D: upsample_2d,
    image.Index: lambda op, x: np.asarray([part[op.index] for part in x]) if op.axis == 1 else None,
    image.Rescale: rescale,
    detection.DecodeBoxes: decode_boxes,
    detection.ScaleBoxes: scale_boxes,
    detection.SuppressBoxes: suppress_boxes,
}
