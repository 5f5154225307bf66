"""Compares what two models answer to the same rows."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any

import numpy as np

from sensenet.errors import InputError, SensenetError
from sensenet.inspection.graphs import largest_gap
from sensenet.inspection.rows import draw_rows
from sensenet.ir.types import Array
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.records import frozen

ROWS, IMAGES = 256, 4
"""How many rows or images are drawn if none are given."""

Model = Deepnet | ObjectDetector


@frozen(kw_only=True)
class ClassChange:
    """A row, counted from 1, and its class by each model; of a detector, an image and its labels."""

    row: int
    first: str
    second: str


@frozen(kw_only=True)
class AnswerChange:
    """How the answers to some rows differ.

    `largest` is the largest difference of a probability, number, feature or score, in the row `row`, counted
    from 1; `boxes` is that of a box's side, in pixels. Scores and boxes are compared in images with the same
    labels. `refusal` says why nothing could be compared, if that is so.
    """

    rows: int
    drawn: bool
    largest: float = 0.0
    row: int = 0
    boxes: float = 0.0
    changed: tuple[ClassChange, ...] = ()
    refusal: str = ""


def compare_answers(first: Model, second: Model, rows: Sequence[Any] | None) -> AnswerChange:
    """Return how the answers of two models differ on rows, or on rows drawn from the first's fields.

    Raises InputError for given rows that the first model cannot read.
    """
    drawn = rows is None
    if rows is None:
        rows = draw_rows(first.signature, IMAGES if first.signature.image else ROWS)
    if isinstance(rows, Sized) and len(rows) == 0:
        raise InputError("there are no rows to compare answers on")
    if isinstance(first, ObjectDetector) is not isinstance(second, ObjectDetector):
        return AnswerChange(rows=0, drawn=drawn, refusal="one model finds objects, and the other does not")
    answers: Any = first(rows)
    try:
        others: Any = second(rows)
    except SensenetError as error:
        return AnswerChange(rows=0, drawn=drawn, refusal=f"the second model cannot read the rows: {error}")
    if isinstance(first, ObjectDetector):
        return compare_objects(answers, others, drawn=drawn)
    return _compare_arrays(first, second, answers, others, drawn)


def _compare_arrays(first: Model, second: Model, answers: Array, others: Array, drawn: bool) -> AnswerChange:
    """Compare f32[rows, outputs], by class if the same classes are in another order."""
    if first.classes != second.classes:
        if sorted(first.classes) != sorted(second.classes):
            return AnswerChange(rows=0, drawn=drawn, refusal="the models have different classes")
        others = others[:, [second.classes.index(name) for name in first.classes]]
    if answers.shape != others.shape:
        sizes = f"{answers.shape[-1]} and {others.shape[-1]}"
        return AnswerChange(rows=0, drawn=drawn, refusal=f"the models answer with {sizes} numbers a row")
    gaps = [largest_gap(one, other) for one, other in zip(answers, others, strict=True)]
    row = int(np.argmax(gaps))
    changed = []
    if first.classes:
        chosen = zip(answers.argmax(axis=1), others.argmax(axis=1), strict=True)
        changed = [
            ClassChange(row=n + 1, first=first.classes[a], second=first.classes[b])
            for n, (a, b) in enumerate(chosen)
            if a != b
        ]
    return AnswerChange(
        rows=len(answers), drawn=drawn, largest=gaps[row], row=row + 1, changed=tuple(changed)
    )


def compare_objects(answers: Sequence[Any], others: Sequence[Any], *, drawn: bool) -> AnswerChange:
    """Return how the objects found in some images differ; both are lists of objects by image."""
    if not all(isinstance(each, list) for each in (*answers, *others)):
        return AnswerChange(rows=0, drawn=drawn, refusal="only lists of objects are compared, and not arrays")
    largest = boxes = 0.0
    worst, changed = 1, []
    for number, (found, other) in enumerate(zip(answers, others, strict=True), start=1):
        labels = [[each["label"] for each in objects] for objects in (found, other)]
        if labels[0] != labels[1]:
            first, second = (", ".join(names) or "nothing" for names in labels)
            changed.append(ClassChange(row=number, first=first, second=second))
            continue
        for one, two in zip(found, other, strict=True):
            gap = abs(one["score"] - two["score"])
            if gap > largest:
                largest, worst = gap, number
            sides = zip(one["box"], two["box"], strict=True)
            boxes = max(boxes, *(float(abs(a - b)) for a, b in sides))
    return AnswerChange(
        rows=len(answers), drawn=drawn, largest=largest, row=worst, boxes=boxes, changed=tuple(changed)
    )
