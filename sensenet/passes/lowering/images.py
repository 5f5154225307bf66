"""Lowering rules for ops on images; the pass legalize uses them.

    %1 = separable_convolution_2d(%0) {…}     becomes  depthwise_convolution_2d, convolution_2d
    %1 = upsample_2d(%0) {size=(2, 2), …}     becomes  resize_2d(%0, multiply(sizes of %0, (2, 2)))
    %1 = resize_2d(%0, %s) {method=nearest}   becomes  take(take(%0, …), …): arithmetic on both sizes
    %1 = rescale(%0) {height=8, width=8, …}   becomes  arithmetic on the sizes of %0, take(take(%0, …), …)

Valid because these are the ops' own formulas, step by step: the results are the same, bit for bit, but for
`rescale` with the method pad: the mean that it fills with is summed in float32, row by row first, where sums
of whole numbers up to 255 are exact. An image too thin to leave any pixels, which the interpreter rejects, is
not rejected: its result is undefined.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.graph import Node, Value
from sensenet.ir.ops.basic import (
    Add,
    Cast,
    Divide,
    Greater,
    Maximum,
    Minimum,
    Multiply,
    Reshape,
    Select,
    Slice,
    Subtract,
)
from sensenet.ir.ops.convolution import (
    Convolution2D,
    DepthwiseConvolution2D,
    SeparableConvolution2D,
    Upsample2D,
    UpsampleMethod,
)
from sensenet.ir.ops.elementwise import And, Floor, Round
from sensenet.ir.ops.image import Index, Rescale
from sensenet.ir.ops.reduction import ReduceMax, ReduceMin, ReduceSum
from sensenet.ir.ops.shape import Range, Resize2D, Take
from sensenet.ir.types import Array, DType
from sensenet.passes.infrastructure.rules import Uses
from sensenet.passes.lowering.making import Maker, named
from sensenet.signature import RescaleType


def lower_separable_convolution(node: Node, _: Uses) -> Value | None:
    """Return a depthwise convolution followed by one of single pixels."""
    op = node.op
    if not isinstance(op, SeparableConvolution2D):
        return None
    make = Maker(node.name)
    depthwise = DepthwiseConvolution2D(kernel=op.depth_kernel, strides=op.strides, padding=op.padding)
    pointwise = Convolution2D(kernel=op.point_kernel, bias=op.bias, activation=op.activation)
    return named(make(pointwise, make(depthwise, node.inputs[0])), node.name)


def lower_upsample(node: Node, _: Uses) -> Value | None:
    """Return images of unknown size, resized to a computed size."""
    op = node.op
    if not isinstance(op, Upsample2D):
        return None
    make, (x,) = Maker(node.name), node.inputs
    size = make(Multiply(), make.sizes(x, 1, 3), op.size)
    return named(make(Resize2D(method=op.method), x, size), node.name)


def lower_resize(node: Node, _: Uses) -> Value | None:
    """Return images whose nearest pixels are taken at computed places: rows, then columns."""
    op = node.op
    if not isinstance(op, Resize2D) or op.method is not UpsampleMethod.NEAREST:
        return None
    make, (taken, size) = Maker(node.name), node.inputs
    source = make.float_sizes(taken, 1, 3)
    ratios = make(Divide(), source, make(Cast(dtype=DType.FLOAT32), make(Maximum(), size, 1)))
    last = make(Subtract(), source, 1.0)
    for axis in (0, 1):
        count = make(Range(), make(Index(axis=0, index=axis), size))
        centers = make(Add(), make(Cast(dtype=DType.FLOAT32), count), 0.5)
        places = make(Floor(), make(Multiply(), centers, _position(make, ratios, axis)))
        rows = make(Minimum(), places, _position(make, last, axis))
        taken = make(Take(axis=axis + 1), taken, make(Cast(dtype=DType.INT32), rows))
    return named(taken, node.name)


def lower_rescale(node: Node, _: Uses) -> Value | None:
    """Return the arithmetic of `sensenet.ir.ops.image.rescale`, on sizes known at run time."""
    op = node.op
    if not isinstance(op, Rescale):
        return None
    make, (x,) = Maker(node.name), node.inputs
    target = np.array([op.height, op.width], np.float32)
    if x.type.shape[1:3] == (op.height, op.width):
        return x
    source = make.float_sizes(x, 1, 3)
    scaled, offsets = _placement(make, op.method, source, target)
    ratios = make(Divide(), source, scaled)
    last = make(Subtract(), source, 1.0)
    taken = x
    for axis, size in enumerate((op.height, op.width)):
        first = _position(make, offsets, axis)
        centers = make(Add(), make(Add(), first, np.arange(size)), 0.5)
        places = make(Floor(), make(Multiply(), centers, _position(make, ratios, axis)))
        rows = make(Minimum(), places, _position(make, last, axis))
        taken = make(Take(axis=axis + 1), taken, make(Cast(dtype=DType.INT32), rows))
    if op.method is RescaleType.PAD:
        taken = _fill_outside(make, taken, scaled, (op.height, op.width))
    return named(taken, node.name)


def _position(make: Maker, sizes: Value, axis: int) -> Value:
    """Return f32[1]: the number of an axis, 0 for the height."""
    return make(Slice(axis=0, start=axis, stop=axis + 1), sizes)


def _placement(make: Maker, method: RescaleType, source: Value, target: Array) -> tuple[Value, Value]:
    """Return f32[2], f32[2]: the size of the scaled image, and its first row and column that are kept."""
    nowhere = make.constant([0, 0], DType.FLOAT32)
    if method is RescaleType.WARP:
        return make.constant(target, DType.FLOAT32), nowhere
    reduction = ReduceMin if method is RescaleType.PAD else ReduceMax
    ratios = make(Divide(), make.constant(target, DType.FLOAT32), source)
    exact = make(Multiply(), source, make(reduction(axes=(0,), keep_dimensions=True), ratios))
    if method is RescaleType.PAD:
        return make(Round(), exact), nowhere
    offsets = make(Round(), make(Divide(), make(Subtract(), exact, target), 2.0))
    return make(Round(), exact), offsets


def _fill_outside(make: Maker, x: Value, scaled: Value, size: tuple[int, int]) -> Value:
    """Return f32[b, h, w, c]: the image, filled outside `scaled` with the mean of its part inside."""
    height, width = size
    above = make(Greater(), _position(make, scaled, 0), np.arange(height).reshape(height, 1, 1))
    before = make(Greater(), _position(make, scaled, 1), np.arange(width).reshape(width, 1))
    inside = make(And(), above, before)
    zero = make.constant(0, DType.FLOAT32)
    rows = make(ReduceSum(axes=(2, 3)), make(Select(), inside, x, zero))
    pixels = make(Multiply(), _position(make, scaled, 0), _position(make, scaled, 1))
    count = make(Multiply(), pixels, make.float_sizes(x, 3, 4))
    mean = make(Divide(), make(ReduceSum(axes=(1,)), rows), count)
    return make(Select(), inside, x, make(Reshape(shape=(None, 1, 1, 1)), mean))
