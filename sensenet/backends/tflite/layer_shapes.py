"""The rules of `shapes` for operators that multiply, slide windows or choose boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from sensenet.backends.tflite.reading import Record
from sensenet.backends.tflite.shapes import Inputs, Known, Rule, Sizes, content, require

SAME, VALID = 0, 1
"""Kinds of padding."""

LARGEST_WINDOW = 1 << 16
"""Windows and steps are shorter than this."""


def _fully_connected(inputs: Inputs, options: Record) -> list[Sizes]:
    x, kernel, *bias = inputs
    require(options["weights_format"] == 0 and len(kernel.shape) == 2, "the kernel")
    units, width = kernel.shape
    require(x.shape and x.shape[-1] == width > 0 and units > 0, "the kernel's shape")
    _check_bias(bias, units)
    rows = x.shape[:-1]
    return [(*rows, units) if options["keep_dims"] else (math.prod(rows), units)]


def _check_bias(bias: Sequence[Known], channels: int) -> None:
    require(all(each.shape == (channels,) for each in bias), "the bias")


def _windows(size: int, window: int, step: int, padding: int) -> int:
    require(window > 0 and 0 < step < LARGEST_WINDOW and padding in (SAME, VALID), "the windows")
    return -(-size // step) if padding == SAME else max(0, (size - window + step) // step)


def _slide(x: Known, window: Sequence[int], options: Record, channels: int) -> list[Sizes]:
    count, height, width = x.shape[:3]
    rows = _windows(height, window[0], options["stride_h"], options["padding"])
    columns = _windows(width, window[1], options["stride_w"], options["padding"])
    return [(count, rows, columns, channels)]


def _convolution(inputs: Inputs, options: Record) -> list[Sizes]:
    x, kernel, *bias = inputs
    require(len(x.shape) == len(kernel.shape) == 4 and all(kernel.shape), "the kernel")
    require(kernel.shape[3] == x.shape[3], "the channels")
    require(options["dilation_w"] == options["dilation_h"] == 1, "dilated windows")
    _check_bias(bias, kernel.shape[0])
    return _slide(x, kernel.shape[1:3], options, kernel.shape[0])


def _depthwise_convolution(inputs: Inputs, options: Record) -> list[Sizes]:
    x, kernel, *bias = inputs
    require(len(x.shape) == len(kernel.shape) == 4 and all(kernel.shape), "the kernel")
    channels = kernel.shape[3]
    require(kernel.shape[0] == 1 and x.shape[3] * options["multiplier"] == channels, "the channels")
    require(options["dilation_w"] == options["dilation_h"] == 1, "dilated windows")
    _check_bias(bias, channels)
    return _slide(x, kernel.shape[1:3], options, channels)


def _pool(inputs: Inputs, options: Record) -> list[Sizes]:
    (x,) = inputs
    window = options["height"], options["width"]
    require(len(x.shape) == 4 and max(window) < LARGEST_WINDOW, "the windows")
    return _slide(x, window, options, x.shape[3])


def _batch_matmul(inputs: Inputs, options: Record) -> list[Sizes]:
    a, b = (x.shape for x in inputs)
    require(min(len(a), len(b)) >= 2 and max(len(a), len(b)) <= 5, "the number of axes")
    left = a[:-2] + (a[-2:][::-1] if options["adjoint_x"] else a[-2:])
    right = b[:-2] + (b[-2:][::-1] if options["adjoint_y"] else b[-2:])
    require(left[-1] == right[-2], "the matrices")
    return [(*np.broadcast_shapes(left[:-2], right[:-2]), left[-2], right[-1])]


def _suppress(inputs: Inputs, _: Record) -> list[Sizes]:
    boxes, scores, most, *limits = inputs
    require(boxes.shape == (*scores.shape, 4) and len(scores.shape) == 1, "the boxes")
    require(all(x.shape == () for x in (most, *limits)), "the limits")
    (count,) = content(most, "the number of boxes")
    require(count >= 0, "the number of boxes")
    return [(count,), ()]


LAYER_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _pool),
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise_convolution,
    "FULLY_CONNECTED": _fully_connected,
    "NON_MAX_SUPPRESSION_V4": _suppress,
}
"""For each kind of operator, its rule."""
