"""Plots of a detector's evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sensenet.drawing.plot import Plot
from sensenet.drawing.report import Key, figure, name_of
from sensenet.evaluation.detection import RECALLS, DetectedClass, Detection
from sensenet.evaluation.html.elements import SERIES, measured, table
from sensenet.evaluation.objects import IOU_THRESHOLDS
from sensenet.ir.types import Array
from sensenet.plain_numbers import format_measure


def draw_detection(result: Detection) -> Iterator[str]:
    """Yield the cards of an evaluation."""
    classes = [each for each in result.per_class_statistics if each.instances or each.boxes]
    head = ["Class", "Objects", "Boxes", "AP@.5:.95", "AP@.5", "AP@.75", "Precision", "Recall", "F-measure"]
    rows = (
        [
            name_of(each.class_name),
            f"{each.instances:,}",
            f"{each.boxes:,}",
            *map(measured, (each.average_precision, each.at(0.5), each.at(0.75))),
            *map(format_measure, (each.precision, each.recall, each.f_measure)),
        ]
        for each in classes
    )
    yield table("Measures by class", head, rows)
    having = [(each, each.precisions) for each in classes if each.precisions is not None]
    shown = sorted(having, key=lambda pair: -pair[0].instances)[:SERIES]
    if shown:
        yield '<div class="figures">'
        yield _precision_recall(shown)
        yield _by_iou(shown)
        yield "</div>"


def _precision_recall(classes: Sequence[tuple[DetectedClass, Array]]) -> str:
    plot = Plot()
    lines = [
        plot.steps(RECALLS, precisions[0], f"curve s{series}")
        for series, (_, precisions) in enumerate(classes)
    ]
    image = plot.draw("Precision-recall curves at the IoU 0.5", "Recall", "Precision", lines)
    caption = "At the IoU 0.5; the number is the average precision."
    return figure("Precision and recall", caption, image, _legend(classes, lambda each: each.at(0.5)))


def _by_iou(classes: Sequence[tuple[DetectedClass, Array]]) -> str:
    plot = Plot(x=(0.5, 0.95))
    lines = [
        plot.line(IOU_THRESHOLDS, precisions.mean(axis=1), f"curve s{series}")
        for series, (_, precisions) in enumerate(classes)
    ]
    image = plot.draw("Average precision by IoU threshold", "IoU threshold", "Average precision", lines)
    caption = "How exactly boxes fit: the number is the mean over the thresholds."
    legend = _legend(classes, lambda each: each.average_precision)
    return figure("Average precision by overlap", caption, image, legend)


def _legend(
    classes: Sequence[tuple[DetectedClass, Array]], measure: Callable[[DetectedClass], float | None]
) -> list[Key]:
    return [
        Key(f"curve s{series}", each.class_name, format_measure(measure(each)))
        for series, (each, _) in enumerate(classes)
    ]
