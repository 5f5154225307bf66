"""Ops of object detectors (SPEC §7). Boxes are f32[b, n, 4]: x1, y1, x2, y2, origin at the top left."""

from __future__ import annotations

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.op import Op, require
from sensenet.ir.types import Array, DType, Tensor, TensorType, f32, matches
from sensenet.records import frozen


def _require_floats(x: TensorType, *shape: int | None) -> None:
    expected = TensorType(DType.FLOAT32, shape)
    require(x.dtype is DType.FLOAT32 and matches(x.shape, shape), f"expected {expected}, found {x}")


@frozen(kw_only=True)
class DecodeBoxes(Op):
    """The boxes of one branch of a YOLO detector, their scores and classes.

    x: f32[b, g, g, a·(5 + classes)] → boxes f32[b, g·g·a, 4], scores f32[b, g·g·a], classes i32[b, g·g·a].
    Box n belongs to row i, column j, anchor k with n = (i·g + j)·a + k; its numbers are dx, dy, dw, dh,
    confidence, class 0, class 1, …. With σ the sigmoid:

        center_x = (σ(dx)·xyscale - (xyscale - 1)/2 + j)·stride, center_y likewise with dy and i
        width    = e^dw · anchor width, height likewise with dh
        scores   = σ(confidence) · σ(class), of which the largest counts; the first, if several are
        box      = (center ∓ half the width and height) / input_size

    anchors: f32[a, 2], widths and heights; a side of the network's input is `input_size` pixels.
    """

    anchors: Tensor
    stride: int
    xyscale: float
    classes: int
    input_size: int

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType, TensorType]:
        shape = self.anchors.shape
        require(
            self.anchors.type == f32(*shape) and len(shape) == 2 and shape[1] == 2 and shape[0] > 0,
            f"anchors are {self.anchors.type}",
        )
        require(self.classes > 0, "there are no classes")
        _require_floats(x, None, None, None, shape[0] * (5 + self.classes))
        batch, rows, columns, _ = x.shape
        boxes = None if rows is None or columns is None else rows * columns * shape[0]
        scores = x.with_shape((batch, boxes))
        return x.with_shape((batch, boxes, 4)), scores, scores.with_dtype(DType.INT32)

    def evaluate(self, x: Array) -> tuple[Array, Array, Array]:
        sigmoid = ActivationFunction.SIGMOID
        batch, rows, columns, _ = x.shape
        anchors = self.anchors.shape[0]
        boxes = rows * columns * anchors
        raw = x.reshape(batch, rows, columns, anchors, 5 + self.classes)
        scale, shift = np.float32(self.xyscale), np.float32(0.5 * (self.xyscale - 1))
        centers = (sigmoid(raw[..., :2]) * scale - shift + grid(rows, columns)) * np.float32(self.stride)
        half_sizes = np.exp(raw[..., 2:4]) * self.anchors.array / np.float32(2)
        corners = np.concatenate([centers - half_sizes, centers + half_sizes], axis=-1)
        all_scores = sigmoid(raw[..., 4:5]) * sigmoid(raw[..., 5:])
        return (
            (corners / np.float32(self.input_size)).reshape(batch, boxes, 4),
            all_scores.max(axis=-1).reshape(batch, boxes),
            all_scores.argmax(axis=-1).astype(np.int32).reshape(batch, boxes),
        )


def grid(rows: int, columns: int) -> Array:
    """Return f32[rows, columns, 1, 2]: each cell's column and row."""
    result = np.empty((rows, columns, 1, 2), np.float32)
    result[..., 0] = np.arange(columns, dtype=np.float32)[:, None]
    result[..., 1] = np.arange(rows, dtype=np.float32)[:, None, None]
    return result


@frozen(kw_only=True)
class ScaleBoxes(Op):
    """y = round(boxes · max(h, w)), halves to even: boxes in pixels of the original image.

    boxes: f32[b, n, 4], relative to the side of a padded square; pixels: f32[b, h, w, c] → f32[b, n, 4].
    """

    def infer(self, boxes: TensorType, pixels: TensorType) -> TensorType:
        _require_floats(boxes, None, None, 4)
        _require_floats(pixels, None, None, None, None)
        return boxes

    def evaluate(self, boxes: Array, pixels: Array) -> Array:
        result: Array = np.rint(boxes * np.float32(max(pixels.shape[1:3])))
        return result


@frozen(kw_only=True)
class SuppressBoxes(Op):
    """Non-maximum suppression over all classes together (SPEC §7).

    boxes f32[b, n, 4], scores f32[b, n], classes i32[b, n] → boxes f32[b, max_objects, 4],
    scores f32[b, max_objects], classes i32[b, max_objects], valid i32[b].

    The boxes with a score greater than `score_threshold` are visited from the highest score down, equal
    scores in order. A box is dropped if it overlaps a kept box by `iou_threshold` or more; the overlap of two
    boxes is intersection / (area + area - intersection + 1e-8), in float32. Kept boxes without a positive
    coordinate are dropped too. The first `max_objects` of the others are the result; `valid` is their number.
    The rows after them repeat box 0 of the input.
    """

    score_threshold: float
    iou_threshold: float
    max_objects: int

    def infer(
        self, boxes: TensorType, scores: TensorType, classes: TensorType
    ) -> tuple[TensorType, TensorType, TensorType, TensorType]:
        _require_floats(boxes, None, None, 4)
        _require_floats(scores, None, boxes.shape[1])
        require(
            classes.dtype is DType.INT32 and matches(classes.shape, scores.shape),
            f"classes are {classes}, the scores {scores}",
        )
        require(boxes.shape[1] != 0, "there are no boxes")
        require(self.max_objects > 0, f"max_objects is {self.max_objects}")
        batch = boxes.shape[0]
        return (
            boxes.with_shape((batch, self.max_objects, 4)),
            scores.with_shape((batch, self.max_objects)),
            classes.with_shape((batch, self.max_objects)),
            classes.with_shape((batch,)),
        )

    def evaluate(self, boxes: Array, scores: Array, classes: Array) -> tuple[Array, Array, Array, Array]:
        chosen = np.zeros((len(boxes), self.max_objects), np.int32)
        valid = np.zeros(len(boxes), np.int32)
        for row in range(len(boxes)):
            stay = self.choose(boxes[row], scores[row])
            chosen[row, : len(stay)] = stay
            valid[row] = len(stay)
        return (
            np.take_along_axis(boxes, chosen[:, :, None], axis=1),
            np.take_along_axis(scores, chosen, axis=1),
            np.take_along_axis(classes, chosen, axis=1),
            valid,
        )

    def choose(self, boxes: Array, scores: Array) -> list[int]:
        """Return the positions of the kept boxes of one image, f32[n, 4], by descending score."""
        remaining = np.argsort(-scores, kind="stable")
        remaining = remaining[scores[remaining] > np.float32(self.score_threshold)]
        chosen: list[int] = []
        while remaining.size and len(chosen) < self.max_objects:
            best, remaining = int(remaining[0]), remaining[1:]
            if (boxes[best] > 0).any():
                chosen.append(best)
            overlaps = overlap(boxes[best], boxes[remaining])
            remaining = remaining[overlaps < np.float32(self.iou_threshold)]
        return chosen


def overlap(box: Array, boxes: Array) -> Array:
    """Return f32[n]: intersection over union of one box, f32[4], with each of f32[n, 4]."""
    width = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0])
    height = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1])
    zero = np.float32(0)
    intersection = np.maximum(width, zero) * np.maximum(height, zero)
    area = (box[2] - box[0]) * (box[3] - box[1])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    result: Array = intersection / (area + areas - intersection + np.float32(1e-8))
    return result
