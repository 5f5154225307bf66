"""Emit functions of the ops of object detectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sensenet.backends.lowering.basic import divide, take_along
from sensenet.backends.lowering.emit import Emit
from sensenet.ir.op import Op
from sensenet.ir.ops import detection

TakeAlong = Callable[[Any, Any, Any], Any]

DROPPED = -1.0
"""Stands for the score of a box that is out of the running; scores are never negative."""


def _decode_boxes(tf: Any, op: detection.DecodeBoxes, x: Any) -> tuple[Any, Any, Any]:
    anchors = op.anchors.array
    rows, columns = (
        known if known is not None else tf.shape(x)[1 + i] for i, known in enumerate(x.shape[1:3])
    )
    raw = tf.reshape(x, [-1, rows, columns, len(anchors), 5 + op.classes])
    boxes = rows * columns * len(anchors)
    shift = 0.5 * (op.xyscale - 1)
    lows, highs = [], []
    cells = (tf.range(columns)[:, None], tf.range(rows)[:, None, None])
    for axis, cell in enumerate(cells):
        offset = _exact_sigmoid(tf, raw[..., axis]) * op.xyscale - shift
        centre = (offset + tf.cast(cell, tf.float32)) * float(op.stride)
        half_size = tf.exp(raw[..., 2 + axis]) * anchors[:, axis] / 2.0
        lows.append(centre - half_size)
        highs.append(centre + half_size)
    corners = tf.reshape(tf.stack(lows + highs, axis=-1), [-1, boxes, 4])
    scores = tf.sigmoid(raw[..., 4:5]) * tf.sigmoid(raw[..., 5:])
    return (
        divide(tf, corners, tf.constant(float(op.input_size))),
        tf.reshape(tf.reduce_max(scores, axis=-1), [-1, boxes]),
        tf.reshape(tf.argmax(scores, axis=-1, output_type=tf.int32), [-1, boxes]),
    )


def _exact_sigmoid(tf: Any, x: Any) -> Any:
    """1 / (1 + e^-x), as the interpreter computes it.

    TensorFlow's own sigmoid errs by up to 6 units in the last place, and not always alike for the same x:
    enough to round a box's side to another pixel. Not for scores: XNNPACK's e^NaN is 0, so NaN would score 1.
    """
    return 1.0 / (1.0 + tf.exp(-x))


def suppress_boxes(
    tf: Any,
    op: detection.SuppressBoxes,
    boxes: Any,
    scores: Any,
    classes: Any,
    *,
    take: TakeAlong = take_along,
) -> tuple[Any, Any, Any, Any]:
    """A loop that takes the best remaining box of every picture of the batch at each step.

    The loop ends when every picture has `max_objects` boxes, or none left that scores enough. `take` is
    `take_along`, or what a target has in its place.
    """
    slots = tf.range(op.max_objects)
    positions = tf.range(tf.shape(scores)[1])

    def searching(remaining: Any, valid: Any) -> Any:
        """bool[b]: whether a picture still wants a box and has one."""
        return tf.logical_and(tf.reduce_max(remaining, axis=1) > op.score_threshold, valid < op.max_objects)

    def proceed(remaining: Any, chosen: Any, valid: Any) -> Any:
        return tf.reduce_any(searching(remaining, valid))

    def step(remaining: Any, chosen: Any, valid: Any) -> tuple[Any, Any, Any]:
        best = tf.argmax(remaining, axis=1, output_type=tf.int32)
        box = take(tf, boxes, best)
        counts = tf.logical_and(searching(remaining, valid), tf.reduce_max(box, axis=1) > 0.0)
        here = tf.logical_and(slots == valid[:, None], counts[:, None])
        stays = tf.logical_and(
            overlap(tf, box[:, None, :], boxes) < op.iou_threshold, positions != best[:, None]
        )
        return (
            tf.where(stays, remaining, DROPPED),
            tf.where(here, best[:, None], chosen),
            valid + tf.cast(counts, tf.int32),
        )

    batch = tf.shape(scores)[0]
    start = (
        tf.where(scores > op.score_threshold, scores, DROPPED),
        tf.zeros([batch, op.max_objects], tf.int32),
        tf.zeros([batch], tf.int32),
    )
    _, chosen, valid = tf.while_loop(proceed, step, start)
    return (
        take(tf, boxes, chosen),
        take(tf, scores, chosen),
        take(tf, classes, chosen),
        valid,
    )


def overlap(tf: Any, box: Any, boxes: Any) -> Any:
    """f32[b, n]: intersection over union of f32[b, 1, 4] with f32[b, n, 4]."""
    sides = tf.minimum(box[..., 2:], boxes[..., 2:]) - tf.maximum(box[..., :2], boxes[..., :2])
    sides = tf.nn.relu(sides)
    intersection = sides[..., 0] * sides[..., 1]
    area, areas = (
        (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1]) for corners in (box, boxes)
    )
    return intersection / (area + areas - intersection + 1e-8)


EMIT: Mapping[type[Op], Emit] = {
    detection.DecodeBoxes: _decode_boxes,
    detection.ScaleBoxes: lambda tf, op, boxes, pixels: tf.round(
        boxes * tf.cast(tf.reduce_max(tf.shape(pixels)[1:3]), tf.float32)
    ),
    detection.SuppressBoxes: suppress_boxes,
}
