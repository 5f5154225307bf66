"""The axes of a plot, and what is drawn between them, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from sensenet.drawing.page import escape_text
from sensenet.ir.types import Array
from sensenet.plain_numbers import format_tick
from sensenet.records import frozen

Range = tuple[float, float]

UNIT: Range = (0.0, 1.0)

TICKS = 5
"""About how many ticks an axis has."""

NARROWEST = 1e-9
"""The least width of a range, relative to its numbers: ticks of a narrower one would have the same labels."""

LARGEST, SMALLEST = 1e300, 1e-300
"""Numbers beyond are drawn at the ends of a range, and ranges are at least as wide: nothing overflows."""

CHARACTER = 8
"""Pixels of a digit, at most about: texts are larger on phones."""


@frozen(kw_only=True)
class Plot:
    """A rectangle of `width` × `height` pixels with axes at the left and the bottom.

    `x` and `y` are the ranges of the axes; margins are pixels, the left one as wide as the labels need.
    """

    x: Range = UNIT
    y: Range = UNIT
    width: int = 460
    height: int = 340
    right: int = 14
    top: int = 12
    bottom: int = 46

    @property
    def left(self) -> int:
        return 34 + CHARACTER * max((len(format_tick(value)) for value in ticks(*self.y)), default=0)

    def across(self, x: Array | float) -> Array:
        """Return the pixels of values of x."""
        pixels: Array = self.left + _share(x, self.x) * (self.width - self.left - self.right)
        return pixels

    def down(self, y: Array | float) -> Array:
        """Return the pixels of values of y."""
        pixels: Array = self.height - self.bottom - _share(y, self.y) * (self.height - self.top - self.bottom)
        return pixels

    def draw(self, label: str, x_label: str, y_label: str, content: Iterable[str]) -> str:
        """Return the image; texts are plain. `label` says to those who do not see it what it shows.

        Without a `y_label`, the vertical axis has no ticks.
        """
        box = f'viewBox="0 0 {self.width} {self.height}"'
        drawn = "".join([*self._axes(x_label, y_label), *content])
        return f'<svg class="plot" {box} role="img" aria-label="{escape_text(label)}">{drawn}</svg>'

    def _axes(self, x_label: str, y_label: str) -> Iterable[str]:
        bottom, right = self.height - self.bottom, self.width - self.right
        for value in ticks(*self.x):
            x = f"{float(self.across(value)):.1f}"
            yield f'<path class="grid" d="M{x} {self.top}V{bottom}"/>'
            yield f'<text class="middle" x="{x}" y="{bottom + 17}">{format_tick(value)}</text>'
        for value in ticks(*self.y) if y_label else ():
            y = float(self.down(value))
            yield f'<path class="grid" d="M{self.left} {y:.1f}H{right}"/>'
            yield f'<text class="end" x="{self.left - 7}" y="{y + 4:.1f}">{format_tick(value)}</text>'
        yield f'<path class="axis" d="M{self.left} {self.top}V{bottom}H{right}"/>'
        middle = (self.left + right) / 2
        yield f'<text class="middle" x="{middle}" y="{self.height - 8}">{escape_text(x_label)}</text>'
        turned = f'transform="translate(13 {(self.top + bottom) / 2}) rotate(-90)"'
        yield f'<text class="middle" {turned}>{escape_text(y_label)}</text>'

    def line(self, x: Array, y: Array, kind: str) -> str:
        """Return a line through points; `kind` are its classes in the page's style."""
        points = zip(self.across(x).tolist(), self.down(y).tolist(), strict=True)
        path = " ".join(f"{across:.1f} {down:.1f}" for across, down in points)
        return f'<path class="{kind}" d="M{path}"/>' if path else ""

    def steps(self, x: Array, y: Array, kind: str) -> str:
        """Return a line that keeps the next height until each point."""
        return self.line(np.repeat(x, 2)[:-1], np.repeat(y, 2)[1:], kind)

    def box(self, x: Range, y: Range, kind: str, tooltip: str, opacity: float = 1.0) -> str:
        """Return a rectangle."""
        left, right = sorted(self.across(np.array(x)).tolist())
        top, bottom = sorted(self.down(np.array(y)).tolist())
        faded = f' fill-opacity="{opacity:.3f}"' if opacity < 1 else ""
        return (
            f'<rect class="{kind}" x="{left:.2f}" y="{top:.2f}" width="{max(right - left, 1):.2f}" '
            f'height="{max(bottom - top, 1):.2f}"{faded}><title>{escape_text(tooltip)}</title></rect>'
        )

    def dot(self, x: float, y: float, kind: str = "dot", tooltip: str = "") -> str:
        """Return a dot at a point."""
        return draw_dot(float(self.across(x)), float(self.down(y)), kind, tooltip)


def draw_dot(across: float, down: float, kind: str = "dot", tooltip: str = "") -> str:
    """Return a dot at a place in pixels."""
    title = f"<title>{escape_text(tooltip)}</title>" if tooltip else ""
    return f'<circle class="{kind}" cx="{across:.1f}" cy="{down:.1f}" r="5.5">{title}</circle>'


def _share(numbers: Array | float, between: Range) -> Array:
    """Return how far numbers are on the way through a range, from 0 to 1; NaN is at 0."""
    low, high = between
    shares: Array = np.clip(np.nan_to_num((np.asarray(numbers, float) - low) / (high - low)), 0, 1)
    return shares


def ticks(low: float, high: float, most: int = TICKS) -> Sequence[float]:
    """Return round numbers in a range, about `most`."""
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= most + 0.5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def widen(low: float, high: float, margin: float = 0.0) -> Range:
    """Return a range with margins relative to its width, and one that is wide enough if it is empty."""
    extra = (high - low) * margin
    low, high = low - extra, high + extra
    if high - low > max(NARROWEST * max(abs(low), abs(high)), SMALLEST):
        return low, high
    return low - max(abs(low), 1.0) / 2, high + max(abs(high), 1.0) / 2


def find_range(numbers: Array, margin: float = 0.0) -> Range:
    """Return the range of those numbers that are finite, with margins; from 0 to 1 if there are none."""
    finite = np.clip(numbers[np.isfinite(numbers)], -LARGEST, LARGEST)
    if not len(finite):
        return UNIT
    return widen(float(finite.min()), float(finite.max()), margin)
