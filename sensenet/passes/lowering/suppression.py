"""Lowering rule for non-maximum suppression; the pass legalize uses it.

    %1 = suppress_boxes(%boxes, %scores, %classes) {…}
becomes
    %2 = while(%remaining, %chosen, %valid, %boxes, %steps) {condition=graph {…}, body=graph {…}}
    %1 = take_along(%boxes, %2:1), …

A loop takes the best remaining box of every image of the batch at each step. It ends when every image has
`max_objects` boxes, or no remaining box scores enough. It counts its steps, at most one per box, so that a
check of the file can prove that it ends. The score of a discarded box is replaced by one that is not above
the threshold.

Valid because it takes the same boxes in the same order as the op, by the same float32 arithmetic: the results
are the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.arithmetic import (
    Add,
    Cast,
    Divide,
    Equal,
    Greater,
    Maximum,
    Minimum,
    Multiply,
    Select,
    Subtract,
)
from sensenet.ir.ops.control import While
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.detection import SuppressBoxes
from sensenet.ir.ops.elementwise import And
from sensenet.ir.ops.image import Index
from sensenet.ir.ops.rearrangement import Reshape, Slice, TakeAlong
from sensenet.ir.ops.reduction import ArgMax, ReduceAny, ReduceMax
from sensenet.ir.ops.shape import Fill
from sensenet.ir.region import Region
from sensenet.ir.types import DType, Tensor
from sensenet.passes.infrastructure.rules import Uses
from sensenet.passes.lowering.activations import RELU
from sensenet.passes.lowering.node_builder import NodeBuilder, named

DROPPED = -1.0
"""The score of a discarded box, or the threshold if that is lower."""


def lower_suppress_boxes(node: Node, _: Uses) -> Sequence[Value] | None:
    """Return the loop, and the boxes, scores and classes that it chose."""
    op = node.op
    if not isinstance(op, SuppressBoxes):
        return None
    build, (boxes, scores, classes) = NodeBuilder(node.name), node.inputs
    batch = build.size(scores, 0)
    zero = Tensor.int32(0)
    rows = scores.type.shape[0]
    in_running = build(Greater(), scores, op.score_threshold)
    start = {
        "remaining": build(Select(), in_running, scores, _dropped(build, op)),
        "chosen": build(Fill(value=zero, shape=(rows, op.max_objects)), build.shape(batch, op.max_objects)),
        "valid": build(Fill(value=zero, shape=(rows,)), build.shape(batch)),
        "boxes": boxes,
        "steps": build.constant(0, DType.INT32),
    }
    parts = (
        _region(start, lambda values: _proceed(op, values)),
        _region(start, lambda values: _step(op, values)),
    )
    loop = apply(While(condition=parts[0], body=parts[1]), *start.values(), name=f"{node.name}_loop")
    chosen, valid = loop.values[1:3]
    return (
        named(build(TakeAlong(), boxes, chosen), node.name),
        named(build(TakeAlong(), scores, chosen), f"{node.name}_scores"),
        named(build(TakeAlong(), classes, chosen), f"{node.name}_classes"),
        valid,
    )


def _region(
    start: Mapping[str, Value], build: Callable[[Mapping[str, Value]], Mapping[str, Value]]
) -> Region:
    """Return a region whose inputs are the values that the loop carries."""
    inputs = {name: apply(Input(type=value.type), name=name) for name, value in start.items()}
    return Region.create(inputs.values(), build({name: node.value for name, node in inputs.items()}))


def _dropped(build: NodeBuilder, op: SuppressBoxes) -> Value:
    return build.constant(min(DROPPED, op.score_threshold), DType.FLOAT32)


def _searching(build: NodeBuilder, op: SuppressBoxes, values: Mapping[str, Value]) -> Value:
    """Return bool[b]: whether an image needs and has another box."""
    best = build(ReduceMax(axes=(1,)), values["remaining"])
    wanted = build(Greater(), build.constant(op.max_objects, DType.INT32), values["valid"])
    return build(And(), build(Greater(), best, op.score_threshold), wanted)


def _proceed(op: SuppressBoxes, values: Mapping[str, Value]) -> Mapping[str, Value]:
    build = NodeBuilder("proceed")
    searching = build(ReduceAny(axes=(0,)), _searching(build, op, values))
    left = build(Greater(), build.size(values["remaining"], 1), values["steps"])
    return {"proceed": build(And(), searching, left)}


def _step(op: SuppressBoxes, values: Mapping[str, Value]) -> Mapping[str, Value]:
    build = NodeBuilder("step")
    remaining, chosen, valid, boxes, steps = values.values()
    best = build(ArgMax(axis=1), remaining)
    column = build(Reshape(shape=(None, 1)), best)
    box = build(TakeAlong(), boxes, best)
    positive = build(Greater(), build(ReduceMax(axes=(1,)), box), 0.0)
    counts = build(And(), _searching(build, op, values), positive)
    slot = build(Equal(), build(Reshape(shape=(None, 1)), valid), np.arange(op.max_objects))
    here = build(And(), slot, build(Reshape(shape=(None, 1)), counts))
    overlap = _overlap(build, build(Reshape(shape=(None, 1, 4)), box), boxes)
    apart = build(Greater(), build.constant(op.iou_threshold, DType.FLOAT32), overlap)
    dropped = _dropped(build, op)
    others = build(Select(), apart, remaining, dropped)
    taken = build(Equal(), build.count(remaining, 1), column)
    return {
        "remaining": build(Select(), taken, dropped, others),
        "chosen": build(Select(), here, column, chosen),
        "valid": build(Add(), valid, build(Cast(dtype=DType.INT32), counts)),
        "boxes": boxes,
        "steps": build(Add(), steps, 1),
    }


def _overlap(build: NodeBuilder, box: Value, boxes: Value) -> Value:
    """Return f32[b, n]: intersection over union of f32[b, 1, 4] with f32[b, n, 4]."""

    def sides(lows: Value, highs: Value) -> Value:
        return build(Subtract(), highs, lows)

    def area(corners: Value) -> Value:
        return product(sides(low(corners), high(corners)))

    def low(corners: Value) -> Value:
        return build(Slice(start=0, stop=2), corners)

    def high(corners: Value) -> Value:
        return build(Slice(start=2, stop=4), corners)

    def product(pairs: Value) -> Value:
        return build(Multiply(), *(build(Index(axis=2, index=index), pairs) for index in (0, 1)))

    common = sides(build(Maximum(), low(box), low(boxes)), build(Minimum(), high(box), high(boxes)))
    intersection = product(build(RELU, common))  # unlike TFLite's maximum, it keeps NaN
    union = build(Subtract(), build(Add(), area(box), area(boxes)), intersection)
    return build(Divide(), intersection, build(Add(), union, 1e-8))
