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
from sensenet.ir.ops.arithmetic import (
    Add,
    Cast,
    Divide,
    Greater,
    Maximum,
    Minimum,
    Multiply,
    Select,
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
from sensenet.ir.ops.rearrangement import Reshape, Slice
from sensenet.ir.ops.reduction import ReduceMax, ReduceMin, ReduceSum
from sensenet.ir.ops.shape import Range, Resize2D, Take
from sensenet.ir.types import Array, DType
from sensenet.passes.infrastructure.rules import Uses
from sensenet.passes.lowering.node_builder import NodeBuilder, named
from sensenet.signature import RescaleType


def lower_separable_convolution(node: Node, _: Uses) -> Value | None:
    """Return a depthwise convolution followed by one of single pixels."""
    op = node.op
    if not isinstance(op, SeparableConvolution2D):
        return None
    build = NodeBuilder(node.name)
    depthwise = DepthwiseConvolution2D(kernel=op.depth_kernel, strides=op.strides, padding=op.padding)
    pointwise = Convolution2D(kernel=op.point_kernel, bias=op.bias, activation=op.activation)
    return named(build(pointwise, build(depthwise, node.inputs[0])), node.name)


def lower_upsample(node: Node, _: Uses) -> Value | None:
    """Return images of unknown size, resized to a computed size."""
    op = node.op
    if not isinstance(op, Upsample2D):
        return None
    build, (x,) = NodeBuilder(node.name), node.inputs
    size = build(Multiply(), build.sizes(x, 1, 3), op.size)
    return named(build(Resize2D(method=op.method), x, size), node.name)


def lower_resize(node: Node, _: Uses) -> Value | None:
    """Return images whose nearest pixels are taken at computed places: rows, then columns."""
    op = node.op
    if not isinstance(op, Resize2D) or op.method is not UpsampleMethod.NEAREST:
        return None
    build, (taken, size) = NodeBuilder(node.name), node.inputs
    source = build.float_sizes(taken, 1, 3)
    ratios = build(Divide(), source, build(Cast(dtype=DType.FLOAT32), build(Maximum(), size, 1)))
    last = build(Subtract(), source, 1.0)
    for axis in (0, 1):
        count = build(Range(), build(Index(axis=0, index=axis), size))
        centers = build(Add(), build(Cast(dtype=DType.FLOAT32), count), 0.5)
        places = build(Floor(), build(Multiply(), centers, _position(build, ratios, axis)))
        rows = build(Minimum(), places, _position(build, last, axis))
        taken = build(Take(axis=axis + 1), taken, build(Cast(dtype=DType.INT32), rows))
    return named(taken, node.name)


def lower_rescale(node: Node, _: Uses) -> Value | None:
    """Return the arithmetic of `sensenet.ir.ops.image.rescale`, on sizes known at run time."""
    op = node.op
    if not isinstance(op, Rescale):
        return None
    build, (x,) = NodeBuilder(node.name), node.inputs
    target = np.array([op.height, op.width], np.float32)
    if x.type.shape[1:3] == (op.height, op.width):
        return x
    source = build.float_sizes(x, 1, 3)
    scaled, offsets = _placement(build, op.method, source, target)
    ratios = build(Divide(), source, scaled)
    last = build(Subtract(), source, 1.0)
    taken = x
    for axis, size in enumerate((op.height, op.width)):
        first = _position(build, offsets, axis)
        centers = build(Add(), build(Add(), first, np.arange(size)), 0.5)
        places = build(Floor(), build(Multiply(), centers, _position(build, ratios, axis)))
        rows = build(Minimum(), places, _position(build, last, axis))
        taken = build(Take(axis=axis + 1), taken, build(Cast(dtype=DType.INT32), rows))
    if op.method is RescaleType.PAD:
        taken = _fill_outside(build, taken, scaled, (op.height, op.width))
    return named(taken, node.name)


def _position(build: NodeBuilder, sizes: Value, axis: int) -> Value:
    """Return f32[1]: the number of an axis, 0 for the height."""
    return build(Slice(axis=0, start=axis, stop=axis + 1), sizes)


def _placement(build: NodeBuilder, method: RescaleType, source: Value, target: Array) -> tuple[Value, Value]:
    """Return f32[2], f32[2]: the size of the scaled image, and its first row and column that are kept."""
    nowhere = build.constant([0, 0], DType.FLOAT32)
    if method is RescaleType.WARP:
        return build.constant(target, DType.FLOAT32), nowhere
    reduction = ReduceMin if method is RescaleType.PAD else ReduceMax
    ratios = build(Divide(), build.constant(target, DType.FLOAT32), source)
    exact = build(Multiply(), source, build(reduction(axes=(0,), keep_dimensions=True), ratios))
    if method is RescaleType.PAD:
        return build(Round(), exact), nowhere
    offsets = build(Round(), build(Divide(), build(Subtract(), exact, target), 2.0))
    return build(Round(), exact), offsets


def _fill_outside(build: NodeBuilder, x: Value, scaled: Value, size: tuple[int, int]) -> Value:
    """Return f32[b, h, w, c]: the image, filled outside `scaled` with the mean of its part inside."""
    height, width = size
    above = build(Greater(), _position(build, scaled, 0), np.arange(height).reshape(height, 1, 1))
    before = build(Greater(), _position(build, scaled, 1), np.arange(width).reshape(width, 1))
    inside = build(And(), above, before)
    zero = build.constant(0, DType.FLOAT32)
    rows = build(ReduceSum(axes=(2, 3)), build(Select(), inside, x, zero))
    pixels = build(Multiply(), _position(build, scaled, 0), _position(build, scaled, 1))
    count = build(Multiply(), pixels, build.float_sizes(x, 3, 4))
    mean = build(Divide(), build(ReduceSum(axes=(1,)), rows), count)
    return build(Select(), inside, x, build(Reshape(shape=(None, 1, 1, 1)), mean))
