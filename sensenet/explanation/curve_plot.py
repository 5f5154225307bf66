"""What-if curves of numbers as SVG."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sensenet.drawing.plot import Plot, draw_dot, find_range
from sensenet.explanation.curves import Curve
from sensenet.explanation.wording import format_value, shorten
from sensenet.plain_numbers import format_number

HEIGHT = 300

MISSING = 80
"""Pixels at the right for the answer to a missing value."""

LONGEST_NAME = 60

MARGIN = 0.05
"""Above and below the curves, relative to their height."""


def plot_curve(curve: Curve, output: int, unit: str) -> str:
    """Return a curve of the answers to one output, and dashed that of the background, as SVG.

    `unit` is the name of the axis of answers.
    """
    numbers = np.array([float(value) for value in curve.values if value is not None])
    answers, average = curve.answers[:, output], curve.average[:, output]
    count = len(numbers)
    plot = Plot(
        x=find_range(numbers),
        y=find_range(np.concatenate([answers, average]), MARGIN),
        height=HEIGHT,
        right=MISSING,
    )
    field = shorten(curve.field, LONGEST_NAME)
    label = f"{shorten(curve.outputs[output], LONGEST_NAME)} by {field}"
    content = [
        plot.line(numbers, average[:count], "curve average"),
        plot.line(numbers, answers[:count], "curve s0"),
        *_missing(plot, float(answers[count]), float(average[count])),
        *_own(curve, plot, output),
    ]
    return plot.draw(label, field, unit, content)


def _missing(plot: Plot, answer: float, average: float) -> Iterator[str]:
    """Yield the answers to a missing value, at the right of the curves."""
    place, bottom = plot.width - MISSING / 2, plot.height - plot.bottom
    yield f'<path class="grid" d="M{place - 30} {plot.top}V{bottom}"/>'
    yield draw_dot(place, float(plot.down(average)), "ring")
    yield draw_dot(place, float(plot.down(answer)))
    yield f'<text class="middle" x="{place}" y="{bottom + 17}">missing</text>'


def _own(curve: Curve, plot: Plot, output: int) -> Iterator[str]:
    """Yield the point of the row's own value, if it is a number on the axis."""
    try:
        number = float(curve.given)
    except (TypeError, ValueError, OverflowError):
        return
    if plot.x[0] <= number <= plot.x[1]:
        answer = float(curve.answer[output])
        tooltip = f"this row: {format_value(curve.given)}, {format_number(answer)}"
        yield plot.dot(number, answer, tooltip=tooltip)
