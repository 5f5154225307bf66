"""The true objects of an image, and how detected ones are matched with them, as COCO does.

Detected boxes of a class take turns, those of higher scores first. Each takes the true object of its class
with the largest intersection over union (IoU) that is at least a threshold and that no other box has taken.
True objects that are ignored, such as crowds, are taken only if no other fits, by any number of boxes; such
boxes count neither as right nor as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.ir.types import Array
from sensenet.records import frozen

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)

MOST_BOXES = 100
"""The boxes of an image and class that count: those of the highest scores."""

NEVER = -1.0


@frozen(kw_only=True, eq=False)
class TrueObjects:
    """The true objects of an image.

    `boxes` are f64[n, 4], left, top, right and bottom in pixels; `labels` the names of their classes.
    `crowds` bool[n] marks boxes around many objects, where the whole detected box counts as the union;
    `ignored` bool[n], crowds among them, marks those that need not be found.
    """

    boxes: Array
    labels: tuple[str, ...]
    crowds: Array
    ignored: Array


@frozen(kw_only=True, eq=False)
class Matches:
    """What became of the detected boxes of one class in one image, the highest score first.

    `scores` are f32[n]; `right` and `ignored` bool[n, thresholds], by IOU_THRESHOLDS.
    """

    scores: Array
    right: Array
    ignored: Array


def find_ious(boxes: Array, true: Array, crowds: Array) -> Array:
    """Return f64[boxes, true boxes], the IoU of each pair; for crowds, the share of the box inside."""
    low = np.maximum(boxes[:, None, :2], true[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], true[None, :, 2:])
    inside = (high - low).clip(0).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)[:, None]
    true_areas = (true[:, 2:] - true[:, :2]).prod(axis=1)[None]
    union = np.where(crowds[None], areas, areas + true_areas - inside)
    return np.divide(inside, union, out=np.zeros(inside.shape), where=union > 0)


def match_boxes(boxes: Array, scores: Array, true: Array, crowds: Array, ignored: Array) -> Matches:
    """Match boxes f64[n, 4] of one class with the true ones f64[m, 4]; see the module."""
    order = np.argsort(-scores, kind="stable")[:MOST_BOXES]
    ious = find_ious(boxes[order], true, crowds)
    shape = len(order), len(IOU_THRESHOLDS)
    right, left_out = np.zeros(shape, bool), np.zeros(shape, bool)
    taken = np.zeros((len(IOU_THRESHOLDS), len(true)), bool)
    thresholds = np.arange(len(IOU_THRESHOLDS))
    for number, row in enumerate(ious if len(true) else ()):
        close = row >= IOU_THRESHOLDS[:, None] - 1e-10
        found, best = _last_best(row, close & ~ignored & ~taken)
        taken[thresholds[found], best[found]] = True
        right[number] = found
        left_out[number] = ~found & (close & ignored).any(axis=1)
    return Matches(scores=scores[order].astype(np.float32), right=right, ignored=left_out)


def _last_best(ious: Array, allowed: Array) -> tuple[Array, Array]:
    """Return whether an object is allowed at each threshold, and the last one of the largest IoU."""
    candidates = np.where(allowed, ious, NEVER)
    best = candidates.shape[1] - 1 - candidates[:, ::-1].argmax(axis=1)
    return allowed.any(axis=1), best


def match_image(found: Sequence[Mapping[str, Any]], true: TrueObjects) -> dict[str, Matches]:
    """Return the matches of each class of the objects that a detector found in an image."""
    names = np.array([each["label"] for each in found], object)
    boxes = np.array([each["box"] for each in found], float).reshape(-1, 4)
    scores = np.array([each["score"] for each in found], np.float32)
    labels = np.array(true.labels, object)
    matches = {}
    for name in dict.fromkeys(names):
        of_found, of_true = names == name, labels == name
        of_class = (each[of_true] for each in (true.boxes, true.crowds, true.ignored))
        matches[name] = match_boxes(boxes[of_found], scores[of_found], *of_class)
    return matches
