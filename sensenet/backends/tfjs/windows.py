"""TensorFlow.js' operators whose windows slide over images, and the pixels around these.

If windows are smaller than the steps between them, WebAssembly's convolutions answer 0 for the padding SAME,
because the pixels that it adds may be less than none. Then another operator adds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensenet.backends.tfjs.operators import FLOAT, INTEGER, Operator, integers, operator
from sensenet.ir.graph import Value
from sensenet.ir.ops.windows import Padding, Pair, same_padding
from sensenet.ir.types import Array, DType

Attributes = dict[str, Any]


def windows(op: Any) -> Attributes:
    """Return the attributes of all operators with windows."""
    return {"strides": (1, *op.strides, 1), "padding": op.padding.name}


def place_windows(op: Any, x: Value) -> tuple[Value | Operator, Attributes]:
    """Return what a convolution of images reads, and its attributes."""
    placed = windows(op)
    if op.padding is Padding.VALID or all(
        step <= size for step, size in zip(op.strides, op.window, strict=True)
    ):
        return x, placed
    around = [_padding(*axis) for axis in zip(x.type.shape[1:3], op.window, op.strides, strict=True)]
    valid = placed | {"padding": Padding.VALID.name}
    known = [pixels for pixels in around if pixels is not None]
    if len(known) < len(around):
        return operator("Pad", x, _compute_padding(x, op.window, op.strides), **FLOAT), valid
    return (pad(known, x) if any(map(any, known)) else x), valid


def pad(around: Sequence[Pair], x: Value | Operator) -> Operator:
    """Return images with as many zeros before and after their rows and columns."""
    return operator("Pad", x, integers([(0, 0), *around, (0, 0)]), **FLOAT)


def _padding(size: int | None, window: int, step: int) -> Pair | None:
    """Return the pixels before and after an axis; None if they depend on its size, which is unknown."""
    if window == 1:
        return 0, 0
    return None if size is None else same_padding(size, window, step)


def _compute_padding(x: Value, window: Pair, strides: Pair) -> Operator:
    """Return i32[4, 2]: the pixels before and after each axis, as `same_padding` counts them."""

    def compute(kind: str, a: Operator, b: Operator | Array | Pair | int) -> Operator:
        return operator(kind, a, b if isinstance(b, Operator) else integers(b), **INTEGER)

    shape = operator("Shape", x, T=x.type.dtype)
    sizes = operator("Slice", shape, integers([1]), integers([2]), **INTEGER, Index=DType.INT32)
    rounded_up = compute("AddV2", sizes, integers(strides) - 1)
    steps = compute("Sub", compute("FloorDiv", rounded_up, strides), 1)
    covered = compute("AddV2", compute("Mul", steps, strides), window)
    total = compute("Maximum", compute("Sub", covered, sizes), 0)
    before = compute("FloorDiv", total, 2)
    after = compute("Sub", total, before)
    pixels = operator("Pack", before, after, N=2, **INTEGER, axis=1)
    none = integers([(0, 0)])
    return operator("ConcatV2", none, pixels, none, integers(0), N=3, **INTEGER)
