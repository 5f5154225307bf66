"""Average precision of object detectors, by COCO's definition.

The boxes of all images are sorted by score. Precision at a recall is the largest precision at this recall or
a higher one; average precision is its mean at the recalls 0, 0.01, …, 1. `average_precision` is the mean of
that over the ten IoU thresholds 0.5, 0.55, …, 0.95; means over classes leave out those without true objects.
A box takes 12 bytes until the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from sensenet.evaluation.objects import IOU_THRESHOLDS, Matches, TrueObjects
from sensenet.evaluation.ratios import divide
from sensenet.ir.types import Array
from sensenet.records import frozen

RECALLS = np.linspace(0, 1, 101)

CONFIDENT = 0.5
"""The score above which boxes count for precision, recall and F-measure: BigML's threshold by default."""


@frozen(kw_only=True, eq=False)
class DetectedClass:
    """The measures of a class; average precisions are None if no object of it is in the images.

    `precisions` is f64[thresholds, recalls]. `precision`, `recall` and `f_measure` are those of boxes with
    scores above CONFIDENT, at the IoU 0.5.
    """

    class_name: str
    instances: int
    """True objects, without ignored ones."""
    boxes: int
    precisions: Array | None
    precision: float
    recall: float
    f_measure: float

    @property
    def average_precision(self) -> float | None:
        """The mean over the IoU thresholds from 0.5 to 0.95."""
        return None if self.precisions is None else float(self.precisions.mean())

    def at(self, iou: float) -> float | None:
        """Return the average precision at one of IOU_THRESHOLDS."""
        if self.precisions is None:
            return None
        return float(self.precisions[int(np.abs(IOU_THRESHOLDS - iou).argmin())].mean())


@frozen(kw_only=True)
class Detection:
    """The evaluation of a detector; None if there is no true object.

    `lowest_score` is the setting `bounding_box_threshold`: the model returns no boxes below it.
    """

    images: int
    per_class_statistics: tuple[DetectedClass, ...]
    lowest_score: float

    @property
    def mean_average_precision(self) -> float | None:
        """The mean over classes and the IoU thresholds from 0.5 to 0.95."""
        return _mean([each.average_precision for each in self.per_class_statistics])

    def at(self, iou: float) -> float | None:
        """Return the mean average precision at one of IOU_THRESHOLDS."""
        return _mean([each.at(iou) for each in self.per_class_statistics])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


@frozen(kw_only=True, eq=False)
class ClassBoxes:
    """The boxes of a class in all images, the highest score first.

    `scores` are f32[n]; `right` and `ignored` bool[n, thresholds]; `images` i64[n], the positions of the
    images of the boxes; `objects` i64[m], those of the true objects, without ignored ones.
    """

    scores: Array
    right: Array
    ignored: Array
    images: Array
    objects: Array


@attrs.define
class DetectionTally:
    """Collects the matches of all images; `result` returns the measures so far.

    `answered` says for each image if the model has an answer.
    """

    classes: tuple[str, ...]
    answered: list[bool] = attrs.field(factory=list)
    objects: dict[str, list[int]] = attrs.field(factory=dict)
    matches: dict[str, list[tuple[Array, Array, Array, Array]]] = attrs.field(factory=dict)

    @property
    def images(self) -> int:
        """The number of images with an answer."""
        return sum(self.answered)

    def add(self, matches: Mapping[str, Matches], true: TrueObjects) -> None:
        """Add an image."""
        image = len(self.answered)
        self.answered.append(True)
        for name, ignored in zip(true.labels, true.ignored, strict=True):
            self.objects.setdefault(name, []).extend([] if ignored else [image])
        for name, match in matches.items():
            images = np.full(len(match.scores), image, np.int32)
            packed = (match.scores, _pack(match.right), _pack(match.ignored), images)
            self.matches.setdefault(name, []).append(packed)

    def skip(self) -> None:
        """Add an image without an answer, which counts for nothing."""
        self.answered.append(False)

    def class_names(self) -> tuple[str, ...]:
        """Return the model's classes, and those of true objects that it does not know."""
        return tuple(dict.fromkeys((*self.classes, *self.objects)))

    def result(self, lowest_score: float) -> Detection:
        """Return the measures so far."""
        return Detection(
            images=self.images,
            per_class_statistics=tuple(_measure(name, self.boxes_of(name)) for name in self.class_names()),
            lowest_score=lowest_score,
        )

    def boxes_of(self, name: str) -> ClassBoxes:
        """Return the boxes of a class."""
        flags = np.zeros(0, np.uint16)
        none = (np.zeros(0, np.float32), flags, flags, np.zeros(0, np.int32))
        columns = zip(*(self.matches.get(name) or [none]), strict=True)
        scores, right, ignored, images = (np.concatenate(parts) for parts in columns)
        order = np.argsort(-scores, kind="stable")
        return ClassBoxes(
            scores=scores[order],
            right=_unpack(right[order]),
            ignored=_unpack(ignored[order]),
            images=images[order].astype(np.intp),
            objects=np.array(self.objects.get(name, ()), np.intp),
        )


def _measure(name: str, boxes: ClassBoxes) -> DetectedClass:
    instances = len(boxes.objects)
    sure = (boxes.scores > CONFIDENT) & ~boxes.ignored[:, 0]
    tp = int((sure & boxes.right[:, 0]).sum())
    return DetectedClass(
        class_name=name,
        instances=instances,
        boxes=len(boxes.scores),
        precisions=_precisions(boxes.right, boxes.ignored, instances) if instances else None,
        precision=float(divide(tp, sure.sum())),
        recall=float(divide(tp, instances)),
        f_measure=float(divide(2 * tp, sure.sum() + instances)),
    )


def _precisions(right: Array, ignored: Array, instances: int) -> Array:
    """Return f64[thresholds, recalls] of boxes in the order of their scores, bool[boxes, thresholds]."""
    precisions = np.zeros((len(IOU_THRESHOLDS), len(RECALLS)))
    for number in range(len(IOU_THRESHOLDS)):
        counted = right[~ignored[:, number], number]
        tp = np.cumsum(counted)
        precision = tp / np.arange(1, len(tp) + 1)
        highest = np.maximum.accumulate(precision[::-1])[::-1]
        positions = np.searchsorted(tp / instances, RECALLS, side="left")
        reached = positions < len(tp)
        precisions[number, reached] = highest[positions[reached]]
    return precisions


def _pack(flags: Array) -> Array:
    """Return u16[n] of bool[n, thresholds]."""
    packed: Array = (flags << np.arange(len(IOU_THRESHOLDS), dtype=np.uint16)).sum(axis=1, dtype=np.uint16)
    return packed


def _unpack(packed: Array) -> Array:
    unpacked: Array = (packed[:, None] >> np.arange(len(IOU_THRESHOLDS), dtype=np.uint16) & 1).astype(bool)
    return unpacked
