"""The axes of a plot, and what is drawn between them, as SVG."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sensenet.drawing.page import escape_text
from sensenet.drawing.ticks import ticks
from sensenet.ir.types import Array
from sensenet.records import frozen

Range = tuple[float, float]

UNIT: Range = (0.0, 1.0)

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
        return 34 + CHARACTER * max((len(tick_label(value)) for value in ticks(*self.y)), default=0)

    def across(self, x: Array | float) -> Array:
        """Return the pixels of values of x."""
        share = (np.asarray(x, float) - self.x[0]) / (self.x[1] - self.x[0])
        pixels: Array = self.left + share * (self.width - self.left - self.right)
        return pixels

    def down(self, y: Array | float) -> Array:
        """Return the pixels of values of y."""
        share = (np.asarray(y, float) - self.y[0]) / (self.y[1] - self.y[0])
        pixels: Array = self.height - self.bottom - share * (self.height - self.top - self.bottom)
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
            yield f'<text class="middle" x="{x}" y="{bottom + 17}">{tick_label(value)}</text>'
        for value in ticks(*self.y) if y_label else ():
            y = float(self.down(value))
            yield f'<path class="grid" d="M{self.left} {y:.1f}H{right}"/>'
            yield f'<text class="end" x="{self.left - 7}" y="{y + 4:.1f}">{tick_label(value)}</text>'
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


def tick_label(value: float) -> str:
    """Return a short text of a number."""
    if value and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2g}"
    return f"{value:.4g}".replace("-", "−")


def widen(low: float, high: float) -> Range:
    """Return a range that is not empty."""
    return (low, high) if high > low else (low - 0.5, high + 0.5)
