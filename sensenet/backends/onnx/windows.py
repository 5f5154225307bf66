"""ONNX's operators whose windows slide over images.

ONNX has the channels of images on their second axis, the IR on the last: each operator is between two
`Transpose`, which onnxruntime takes out again between layers. With same padding, the pixels around the image
are numbers if its size is known, and else `auto_pad`. That goes wrong in onnxruntime if steps are larger than
windows: then the padding is computed in the graph.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sensenet.backends.onnx.operators import Operator, integers, number, operator
from sensenet.ir.graph import Node, Value
from sensenet.ir.ops.windows import Padding, Pair, same_padding
from sensenet.ir.types import Array

FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)
"""The permutations that bring channels to the second axis, and back to the last."""

AXES = integers([1, 2])
"""Height and width."""

NONE = (0, 0, 0, 0)

Images = Value | Operator


def slide(kind: str, node: Node, window: Pair, op: Any, *weights: Array, **attributes: Any) -> Operator:
    """Return an operator with windows, for images whose sizes may be unknown."""
    (x,) = node.inputs
    placed = {"kernel_shape": window, "strides": op.strides, **attributes}
    sizes = x.type.shape[1:3]
    if op.padding is Padding.VALID:
        return _slide(kind, x, weights, {**placed, "pads": NONE})
    if None not in sizes:
        rows, columns = (same_padding(*axis) for axis in zip(sizes, window, op.strides, strict=True))  # type: ignore[arg-type]
        return _slide(kind, x, weights, {**placed, "pads": (rows[0], columns[0], rows[1], columns[1])})
    if all(step <= size for step, size in zip(op.strides, window, strict=True)):
        return _slide(kind, x, weights, {**placed, "auto_pad": "SAME_UPPER"})
    placed["pads"] = NONE
    pixels = _padding(x, window, op.strides)
    result = _slide(kind, _pad(x, pixels, -math.inf if kind == "MaxPool" else 0), weights, placed)
    if kind != "AveragePool":
        return result
    ones = operator("Expand", number(1), operator("Shape", x))
    share = _slide(kind, _pad(ones, pixels, 0), weights, placed)
    return operator("Div", result, share)


def _slide(kind: str, x: Images, weights: tuple[Array, ...], attributes: Mapping[str, Any]) -> Operator:
    images = operator("Transpose", x, perm=FIRST)
    return operator("Transpose", operator(kind, images, *weights, **attributes), perm=LAST)


def _pad(x: Images, pixels: Operator, value: float) -> Operator:
    """Return images with pixels of a value around them."""
    return operator("Pad", x, pixels, number(value), AXES, mode="constant")


def _padding(x: Value, window: Pair, strides: Pair) -> Operator:
    """Return int64[4]: the pixels above, left, below and right, as `same_padding` counts them."""
    sizes = operator("Gather", operator("Shape", x), AXES, axis=0)
    rounded_up = operator("Add", sizes, integers([step - 1 for step in strides]))
    steps = operator("Div", rounded_up, integers(strides))
    last = operator("Mul", operator("Sub", steps, integers([1])), integers(strides))
    missing = operator("Sub", operator("Add", last, integers(window)), sizes)
    total = operator("Max", missing, integers([0]))
    before = operator("Div", total, integers([2]))
    return operator("Concat", before, operator("Sub", total, before), axis=0)
