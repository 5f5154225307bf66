"""Lowering rules for the boxes of object detectors; the pass legalize uses them.

    %1 = decode_boxes(%0) {…}     becomes  a reshape to f32[b, cells, anchors, 5 + classes], and arithmetic
    %2 = scale_boxes(%0, %1) {}   becomes  round(multiply(%0, the larger of the sizes of %1))

Valid because these are the ops' own formulas, step by step: the results are the same, bit for bit.

The sigmoid of centers is 1 / (1 + e^-x), as the interpreter computes it: TensorFlow's own errs by up to 6
units in the last place, and not always equally for the same x, which is enough to round a box's side to
another pixel. Scores use the target's sigmoid: XNNPACK's e^NaN is 0, so NaN would score 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value
from sensenet.ir.ops.arithmetic import Add, Cast, Divide, Multiply, Subtract
from sensenet.ir.ops.dense import Activation
from sensenet.ir.ops.detection import DecodeBoxes, ScaleBoxes
from sensenet.ir.ops.elementwise import Exp, Negate, Round
from sensenet.ir.ops.rearrangement import Concatenate, Reshape, Slice
from sensenet.ir.ops.reduction import ArgMax, ReduceMax
from sensenet.ir.types import DType
from sensenet.passes.infrastructure.rules import Uses
from sensenet.passes.lowering.node_builder import NodeBuilder, named

SIGMOID = Activation(function=ActivationFunction.SIGMOID)


def lower_decode_boxes(node: Node, _: Uses) -> Sequence[Value] | None:
    """Return boxes, scores and classes, each computed for all cells at once."""
    op = node.op
    if not isinstance(op, DecodeBoxes):
        return None
    build, (x,) = NodeBuilder(node.name), node.inputs
    anchors, batch, boxes = len(op.anchors.array), x.type.shape[0], node.types[1].shape[1]
    cells = _cells(build, x)
    total = cells * anchors if isinstance(cells, int) else build(Multiply(), cells, anchors)
    width = 5 + op.classes
    raw = build.reshape(x, [-1, cells, anchors, width], (batch, boxes and boxes // anchors, anchors, width))
    shift = 0.5 * (op.xyscale - 1)
    offsets = _exact_sigmoid(build, build(Slice(start=0, stop=2), raw))
    if op.xyscale != 1:
        offsets = build(Subtract(), build(Multiply(), offsets, op.xyscale), shift)
    centers = build(Multiply(), build(Add(), offsets, _grid(build, x)), op.stride)
    sizes = build(Multiply(), build(Exp(), build(Slice(start=2, stop=4), raw)), op.anchors.array)
    halves = build(Divide(), sizes, 2.0)
    corners = build(Concatenate(), build(Subtract(), centers, halves), build(Add(), centers, halves))
    confidence = build(SIGMOID, build(Slice(start=4, stop=5), raw))
    scores = build(Multiply(), confidence, build(SIGMOID, build(Slice(start=5, stop=width), raw)))
    relative = build(Divide(), corners, op.input_size)
    best = build(ReduceMax(axes=(-1,)), scores)
    classes = build(ArgMax(axis=-1), scores)
    return (
        named(build.reshape(relative, [-1, total, 4], (batch, boxes, 4)), node.name),
        named(build.reshape(best, [-1, total], (batch, boxes)), f"{node.name}_scores"),
        named(build.reshape(classes, [-1, total], (batch, boxes)), f"{node.name}_classes"),
    )


def _cells(build: NodeBuilder, x: Value) -> int | Value:
    """Return the number of cells of a grid; i32[] if it is unknown."""
    rows, columns = x.type.shape[1:3]
    if rows is not None and columns is not None:
        return rows * columns
    return build(Multiply(), build.size(x, 1), build.size(x, 2))


def _grid(build: NodeBuilder, x: Value) -> Value:
    """Return f32[cells, 1, 2]: each cell's column and row; the target computes it for many cells."""
    by_row, by_column = (build(Cast(dtype=DType.FLOAT32), build.count(x, axis)) for axis in (1, 2))
    below = build(Multiply(), build(Reshape(shape=(None, 1, 1)), by_row), [0, 1])
    right = build(Multiply(), build(Reshape(shape=(1, None, 1)), by_column), [1, 0])
    return build(Reshape(shape=(None, 1, 2)), build(Add(), below, right))


def _exact_sigmoid(build: NodeBuilder, x: Value) -> Value:
    one = build.constant(1, DType.FLOAT32)
    return build(Divide(), one, build(Add(), build(Exp(), build(Negate(), x)), one))


def lower_scale_boxes(node: Node, _: Uses) -> Value | None:
    """Return the boxes times the larger side of the image, rounded."""
    if not isinstance(node.op, ScaleBoxes):
        return None
    build, (boxes, pixels) = NodeBuilder(node.name), node.inputs
    sizes = build.sizes(pixels, 1, 3)
    largest = build(Cast(dtype=DType.FLOAT32), build(ReduceMax(axes=(0,)), sizes))
    return named(build(Round(), build(Multiply(), boxes, largest)), node.name)
