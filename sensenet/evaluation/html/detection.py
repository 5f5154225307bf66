"""Plots of a detector's evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sensenet.evaluation.detection import RECALLS, DetectedClass, Detection
from sensenet.evaluation.html.elements import SERIES, Entry, figure, measured, name_of, table
from sensenet.evaluation.html.plot import Plot
from sensenet.evaluation.objects import IOU_THRESHOLDS
from sensenet.evaluation.overview import number


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
            *map(number, (each.precision, each.recall, each.f_measure)),
        ]
        for each in classes
    )
    yield table("Measures by class", head, rows)
    shown = sorted(
        (each for each in classes if each.precisions is not None), key=lambda each: -each.instances
    )
    if shown:
        yield '<div class="figures">'
        yield _precision_recall(shown[:SERIES])
        yield _by_iou(shown[:SERIES])
        yield "</div>"


def _precision_recall(classes: Sequence[DetectedClass]) -> str:
    plot, lines, legend = Plot(), [], []
    for series, each in enumerate(classes):
        if each.precisions is not None:
            lines.append(plot.steps(RECALLS, each.precisions[0], f"curve s{series}"))
            legend.append(Entry(series, each.class_name, number(each.at(0.5))))
    image = plot.draw("Precision-recall curves at the IoU 0.5", "Recall", "Precision", lines)
    caption = "At the IoU 0.5; the number is the average precision."
    return figure("Precision and recall", caption, image, legend)


def _by_iou(classes: Sequence[DetectedClass]) -> str:
    plot, lines, legend = Plot(x=(0.5, 0.95)), [], []
    for series, each in enumerate(classes):
        if each.precisions is not None:
            heights = each.precisions.mean(axis=1)
            lines.append(plot.line(IOU_THRESHOLDS, np.asarray(heights), f"curve s{series}"))
            legend.append(Entry(series, each.class_name, number(each.average_precision)))
    image = plot.draw("Average precision by IoU threshold", "IoU threshold", "Average precision", lines)
    caption = "How exactly boxes fit: the number is the mean over the thresholds."
    return figure("Average precision by overlap", caption, image, legend)
