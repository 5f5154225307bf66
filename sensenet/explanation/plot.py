"""What-if curves of numbers as SVG."""

from __future__ import annotations

import math

import numpy as np

from sensenet.drawing.page import escape_text
from sensenet.drawing.ticks import ticks
from sensenet.explanation.curves import Curve
from sensenet.explanation.wording import format_number, format_value, shorten
from sensenet.ir.types import Array
from sensenet.records import frozen

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 90, 14, 34
"""The margins around the curves; the right one has the answer for a missing value."""


@frozen(kw_only=True)
class Axis:
    """Places numbers from `least` to `greatest` between two positions in the drawing."""

    least: float
    greatest: float
    start: float
    end: float

    def place(self, number: float) -> float:
        """Return the position of a number, at the ends if it is outside."""
        share = (number - self.least) / (self.greatest - self.least)
        share = min(max(share if math.isfinite(share) else 0.0, 0.0), 1.0)
        return round(self.start + share * (self.end - self.start), 1)


def _axis(numbers: Array, start: float, end: float, margin: float) -> Axis:
    finite = numbers[np.isfinite(numbers)]
    least, greatest = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    extra = (greatest - least) * margin
    least, greatest = least - extra, greatest + extra
    if not greatest - least > 1e-9 * max(abs(least), abs(greatest)):
        least, greatest = least - max(abs(least), 1.0) / 10, greatest + max(abs(greatest), 1.0) / 10
    return Axis(least=least, greatest=greatest, start=start, end=end)


def plot_curve(curve: Curve, output: int) -> str:
    """Return a curve of the answers to one output, and dashed that of the background, as SVG."""
    numbers = np.array([float(value) for value in curve.values if value is not None])
    answers, average = curve.answers[:, output], curve.average[:, output]
    x = _axis(numbers, LEFT, WIDTH - RIGHT, 0.0)
    y = _axis(np.concatenate([answers, average]), HEIGHT - BOTTOM, TOP, 0.05)
    count = len(numbers)
    label = f"{shorten(curve.outputs[output], 60)} by {shorten(curve.field, 60)}"
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape_text(label)}">',
        *(_horizontal(y, tick) for tick in ticks(y.least, y.greatest)),
        *(_vertical(x, tick) for tick in ticks(x.least, x.greatest)),
        f'<path class="average" d="{_path(x, y, numbers, average[:count])}"/>',
        f'<path class="curve" d="{_path(x, y, numbers, answers[:count])}"/>',
        _missing(y, answers[count], average[count]),
        _own(curve, x, y, output),
        "</svg>\n",
    ]
    return "".join(parts)


def _path(x: Axis, y: Axis, numbers: Array, answers: Array) -> str:
    points = [
        f"{x.place(number)} {y.place(answer)}"
        for number, answer in zip(numbers.tolist(), answers.tolist(), strict=True)
    ]
    return "M" + "L".join(points) if points else ""


def _horizontal(y: Axis, tick: float) -> str:
    place = y.place(tick)
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place}" y2="{place}"/>'
        f'<text x="{LEFT - 8}" y="{place + 4}" text-anchor="end">{format_number(tick)}</text>'
    )


def _vertical(x: Axis, tick: float) -> str:
    place = x.place(tick)
    return f'<text x="{place}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{format_number(tick)}</text>'


def _missing(y: Axis, answer: float, average: float) -> str:
    place = WIDTH - RIGHT / 2
    return (
        f'<line class="grid" x1="{place - 30}" x2="{place - 30}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<circle class="ring" cx="{place}" cy="{y.place(average)}" r="4.5"/>'
        f'<circle class="dot" cx="{place}" cy="{y.place(answer)}" r="5.5"/>'
        f'<text x="{place}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">missing</text>'
    )


def _own(curve: Curve, x: Axis, y: Axis, output: int) -> str:
    """Return the point of the row's own value, if it is a number on the axis."""
    try:
        number = float(curve.given)
    except (TypeError, ValueError, OverflowError):
        return ""
    if not x.least <= number <= x.greatest:
        return ""
    answer = float(curve.answer[output])
    title = f"this row: {format_value(curve.given)}, {format_number(answer)}"
    return (
        f'<circle class="dot" cx="{x.place(number)}" cy="{y.place(answer)}" r="6.5">'
        f"<title>{escape_text(title)}</title></circle>"
    )
