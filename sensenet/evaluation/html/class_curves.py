"""Curves of classes against the others: ROC, precision and recall, gain and lift."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from sensenet.drawing.plot import Plot
from sensenet.drawing.report import Key, figure
from sensenet.evaluation.classification import ClassStatistics
from sensenet.evaluation.curves import Curves, thin
from sensenet.ir.types import Array
from sensenet.plain_numbers import format_measure

FIRST_ROWS = 0.1
"""The share of rows whose gain and lift are in the legends."""

DIAGONAL = np.array([0.0, 1.0])

Classes = Sequence[tuple[ClassStatistics, Curves]]
"""Some classes, with their curves."""

Points = tuple[Array, Array]
"""x and y of points, f64[n] each."""


def draw_curves(classes: Classes, omitted: str) -> Iterator[str]:
    """Yield the cards of all curves; `omitted` is a sentence on classes that are not drawn."""
    yield _roc(classes, omitted)
    yield _precision_recall(classes, omitted)
    yield _gain(classes, omitted)
    yield _lift(classes, omitted)


def _trace(
    classes: Classes,
    find: Callable[[Curves], Points],
    draw: Callable[[Array, Array, str], str],
    say: Callable[[Curves], str],
) -> tuple[list[str], list[Key]]:
    """Return the lines of classes, and their legend with a number for each."""
    lines, legend = [], []
    for series, (each, curves) in enumerate(classes):
        x, y = find(curves)
        chosen, kind = thin(x, y), f"curve s{series}"
        lines.append(draw(x[chosen], y[chosen], kind))
        legend.append(Key(kind, each.class_name, say(curves)))
    return lines, legend


def _describe(what: str, legend: Sequence[Key]) -> str:
    return f"{what}: {', '.join(f'{key.name} {key.value}' for key in legend)}"


def _roc(classes: Classes, omitted: str) -> str:
    plot = Plot()
    lines, legend = _trace(
        classes, Curves.roc, plot.line, lambda each: _area(each.area_under_roc_curve, each.roc_error)
    )
    label = _describe("ROC curves, with areas", legend)
    content = [plot.line(DIAGONAL, DIAGONAL, "ideal"), *lines]
    image = plot.draw(label, "False positive rate", "True positive rate", content)
    caption = f"Each class against the others; the dashed line is chance.{omitted}"
    return figure("ROC curves", caption, image, legend)


def _precision_recall(classes: Classes, omitted: str) -> str:
    plot = Plot()
    lines, legend = _trace(
        classes,
        _until_found,
        plot.steps,
        lambda each: _area(each.area_under_pr_curve, each.pr_error),
    )
    label = _describe("Precision-recall curves, with areas", legend)
    image = plot.draw(label, "Recall", "Precision", lines)
    caption = f"Each class at every threshold of its probability.{omitted}"
    return figure("Precision and recall", caption, image, legend)


def _until_found(curves: Curves) -> Points:
    """Return recall and precision from 0 to where the whole class is found: then precision only falls."""
    recall, precision = curves.precision_recall()
    some = slice(int(np.searchsorted(recall, 1.0)) + 1)
    return np.concatenate([[0.0], recall[some]]), np.concatenate([precision[:1], precision[some]])


def _area(area: float | None, error: float) -> str:
    return format_measure(area) + (f" ± {error:.1g}" if error else "")


def _gain(classes: Classes, omitted: str) -> str:
    plot = Plot()
    lines, legend = _trace(classes, Curves.gain, plot.line, lambda each: f"{_find_first(each):.1%}")
    label = _describe(f"Gain curves, with the share found in the first {FIRST_ROWS:.0%}", legend)
    content = [plot.line(DIAGONAL, DIAGONAL, "ideal"), *lines]
    image = plot.draw(label, "Share of rows, the most probable first", "Share of the class found", content)
    caption = (
        f"What of a class the most probable rows contain; the number is for the first {FIRST_ROWS:.0%}. The "
        f"dashed line is chance.{omitted}"
    )
    return figure("Gain", caption, image, legend)


def _lift(classes: Classes, omitted: str) -> str:
    highest = max(float(curves.lift()[1].max(initial=1)) for _, curves in classes)
    plot = Plot(y=(0, 1.05 * highest))
    lines, legend = _trace(
        classes, Curves.lift, plot.line, lambda each: f"{_find_first(each) / FIRST_ROWS:.3g}"
    )
    label = _describe(f"Lift curves, with the lift of the first {FIRST_ROWS:.0%}", legend)
    content = [plot.line(DIAGONAL, np.ones(2), "ideal"), *lines]
    image = plot.draw(label, "Share of rows, the most probable first", "Lift", content)
    caption = (
        "How many times more often a class is among the most probable rows than among all; the number is for "
        f"the first {FIRST_ROWS:.0%}.{omitted}"
    )
    return figure("Lift", caption, image, legend)


def _find_first(curves: Curves) -> float:
    """Return the share of the class that is found in FIRST_ROWS; rows of equal scores are found evenly."""
    return float(np.interp(FIRST_ROWS, *curves.gain()))
