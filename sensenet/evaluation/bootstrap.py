"""Compares the mean average precision of two detectors by a paired bootstrap over images.

Each of DRAWS draws takes n of the n images, with replacement and a fixed seed, and measures both detectors on
them. The interval of the difference is from the 2.5 % to the 97.5 % quantile of the drawn differences (Efron
and Tibshirani, “An Introduction to the Bootstrap”, 1993, chapter 13). The p-value is 2 · (1 + the smaller of
the numbers of draws in which the difference is at most 0, and at least 0) / (1 + draws): how far the interval
may narrow until it leaves out 0, never 0 itself (Davison and Hinkley, “Bootstrap Methods and their
Application”, 1997, chapter 4). Both suppose images that are independent of each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sensenet.evaluation.comparison import DetectionComparison
from sensenet.evaluation.detection import RECALLS, ClassBoxes, DetectionTally
from sensenet.evaluation.objects import IOU_THRESHOLDS
from sensenet.evaluation.ratios import divide
from sensenet.ir.types import Array

DRAWS = 1000

CELLS = 1 << 20
"""About the most numbers of an array: images or boxes, times the draws that are measured at once."""

TAIL = 0.025


def compare_detectors(
    first: DetectionTally, second: DetectionTally, names: tuple[str, str]
) -> DetectionComparison:
    """Return the difference of two detectors, by their `names`, on the images that both answered.

    It is None if these have no objects; the interval and the p-value are None also for fewer than two images.
    """
    answered = np.logical_and(first.answered, second.answered)
    common = np.flatnonzero(answered)
    classes = first.class_names()  # in the same order for both: rounding is the same too
    boxes = [[tally.boxes_of(name) for name in classes] for tally in (first, second)]
    difference = _subtract(boxes, answered[None].astype(np.int32))[0]
    drawn = [_subtract(boxes, weights) for weights in _draw(common, len(answered))]
    differences = np.concatenate([*drawn, np.zeros(0)])
    known = differences[np.isfinite(differences)]
    tested = len(common) > 1 and len(known) > 0
    return DetectionComparison(
        first=names[0],
        second=names[1],
        images=len(common),
        difference=float(difference) if np.isfinite(difference) else None,
        interval=(float(np.quantile(known, TAIL)), float(np.quantile(known, 1 - TAIL))) if tested else None,
        p_value=find_p_value(known) if tested else None,
    )


def find_p_value(differences: Array) -> float:
    """Return the p-value of drawn differences, f64[n]."""
    fewest = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (1 + fewest) / (1 + len(differences)))


def _draw(images: Array, total: int) -> Iterator[Array]:
    """Yield i32[draws, total], how many times each of some images is drawn, for DRAWS draws in all."""
    random = np.random.default_rng(0)
    for draws in _split(DRAWS if len(images) else 0, total):
        drawn = images[random.integers(0, len(images), (draws, len(images)))]
        cells = (drawn + total * np.arange(draws)[:, None]).ravel()
        yield np.bincount(cells, minlength=draws * total).reshape(draws, total).astype(np.int32)


def _split(draws: int, width: int) -> Iterator[int]:
    """Yield numbers of draws whose arrays, with `width` numbers for each, have about CELLS."""
    at_once = max(1, CELLS // max(width, 1))
    for start in range(0, draws, at_once):
        yield min(at_once, draws - start)


def _subtract(boxes: Sequence[Sequence[ClassBoxes]], weights: Array) -> Array:
    first, second = (weigh_precisions(of_model, weights) for of_model in boxes)
    difference: Array = second - first
    return difference


def weigh_precisions(boxes: Sequence[ClassBoxes], weights: Array) -> Array:
    """Return f64[draws], mAP@.5:.95 if each image is there as many times as `weights` i32[draws, images] say.

    It is NaN if no object is in these images.
    """
    total, classes = np.zeros(len(weights)), np.zeros(len(weights))
    for each in boxes:
        objects = weights[:, each.objects].sum(axis=1)
        start = 0
        for draws in _split(len(weights), len(each.scores)):
            part = slice(start, start + draws)
            total[part] += _average_precision(each, weights[part][:, each.images], objects[part])
            start += draws
        classes += objects > 0
    return np.where(classes > 0, divide(total, classes), np.nan)


def _average_precision(boxes: ClassBoxes, weights: Array, objects: Array) -> Array:
    """Return f64[draws], the average precision of a class with i32[draws, boxes] and i64[draws] objects.

    Each right box adds the recalls that it reaches at the largest precision from there on. Without objects
    there are no right boxes, and the result is 0.
    """
    precisions = np.zeros(len(weights))
    called, called_without = np.zeros(0), None
    for right, ignored in zip(boxes.right.T, boxes.ignored.T, strict=True):
        if called_without is None or not np.array_equal(ignored, called_without):  # mostly, all are equal
            called, called_without = (weights * ~ignored).cumsum(axis=1), ignored
        found = weights[:, right].cumsum(axis=1)
        highest = np.maximum.accumulate(divide(found, called[:, right])[:, ::-1], axis=1)[:, ::-1]
        reached = np.searchsorted(RECALLS, divide(found, objects[:, None]), side="right")
        precisions += (highest * np.diff(reached, axis=1, prepend=0)).sum(axis=1)
    return precisions / (len(RECALLS) * len(IOU_THRESHOLDS))
