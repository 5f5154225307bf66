"""Plots of a regression's evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sensenet.drawing.plot import Plot, widen
from sensenet.drawing.report import figure
from sensenet.evaluation.histograms import PLOT_BINS, Histogram
from sensenet.evaluation.ratios import divide
from sensenet.evaluation.regression import Regression
from sensenet.ir.types import Array
from sensenet.plain_numbers import format_count, format_measure

FEWEST_BINS = 12
"""The bins of an axis for few rows."""


def draw_regression(result: Regression) -> Iterator[str]:
    """Yield the cards of an evaluation."""
    bins = min(PLOT_BINS, max(FEWEST_BINS, round(1.5 * math.sqrt(result.rows))))
    yield '<div class="figures">'
    yield _pairs(result.pairs.merge(bins, bins))
    yield _residuals(result, bins)
    yield _by_truth(result.pairs.merge(bins, PLOT_BINS))
    yield "</div>"


def _pairs(pairs: Histogram) -> str:
    """Return the heat map of true values and predictions."""
    x, y = pairs.edges(0), pairs.edges(1)
    low, high = min(x[0], y[0]), max(x[-1], y[-1])
    plot = Plot(x=widen(low, high), y=widen(low, high), height=400)
    most = float(pairs.counts.max(initial=1))
    cells = [
        plot.box(
            (x[i], x[i + 1]),
            (y[j], y[j + 1]),
            "density",
            f"{format_count(int(pairs.counts[i, j]), 'row')}: true {x[i]:.4g} to {x[i + 1]:.4g}, "
            f"predicted {y[j]:.4g} to {y[j + 1]:.4g}",
            0.15 + 0.85 * float(np.sqrt(pairs.counts[i, j] / most)),
        )
        for i, j in zip(*np.nonzero(pairs.counts), strict=True)
    ]
    diagonal = plot.line(np.array([low, high]), np.array([low, high]), "ideal")
    label = "Heat map of predictions against true values; perfect ones are on the diagonal"
    image = plot.draw(label, "True value", "Predicted value", [*cells, diagonal])
    caption = "Rows by true and predicted value; perfect predictions are on the dashed line."
    return figure("Predicted and true values", caption, image)


def _residuals(result: Regression, bins: int) -> str:
    residuals = result.residuals.merge(bins)
    edges, counts = residuals.edges(), residuals.counts
    reach = max(abs(edges[0]), abs(edges[-1]))
    plot = Plot(x=(-reach, reach), y=(0, float(counts.max(initial=1)) * 1.05), height=400)
    bars = [
        plot.box(
            (edges[i], edges[i + 1]),
            (0, float(count)),
            "bar",
            f"{format_count(int(count), 'row')} from {edges[i]:.4g} to {edges[i + 1]:.4g}",
            0.85,
        )
        for i, count in enumerate(counts)
        if count
    ]
    zero = plot.line(np.zeros(2), np.array(plot.y), "ideal")
    label = f"Histogram of the errors; their mean is {format_measure(result.bias)}"
    image = plot.draw(label, "Predicted − true", "Rows", [*bars, zero])
    caption = f"Predicted − true. The mean is {format_measure(result.bias)}: a good model's is near 0."
    return figure("Errors", caption, image)


def _by_truth(pairs: Histogram) -> str:
    """Return the mean error over the true value, with one standard deviation on each side."""
    x, y = _centers(pairs, 0), _centers(pairs, 1)
    rows = pairs.counts.sum(axis=1)
    errors = y[None, :] - x[:, None]
    mean = divide((pairs.counts * errors).sum(axis=1), rows)
    spread = np.sqrt(divide((pairs.counts * (errors - mean[:, None]) ** 2).sum(axis=1), rows))
    some = rows > 0
    low, high = float((mean - spread)[some].min(initial=0)), float((mean + spread)[some].max(initial=0))
    edges = pairs.edges(0)
    plot = Plot(x=widen(edges[0], edges[-1]), y=widen(low, high))
    half = pairs.widths[0] * 0.42
    marks = []
    for center, middle, around, count in zip(x[some], mean[some], spread[some], rows[some], strict=True):
        tooltip = f"{format_count(int(count), 'row')} near {center:.4g}: {middle:.4g} ± {around:.4g}"
        marks.append(
            plot.box((center - half, center + half), (middle - around, middle + around), "faint", tooltip)
        )
    content = [
        plot.line(np.array(plot.x), np.zeros(2), "ideal"),
        *marks,
        plot.line(x[some], mean[some], "curve s0"),
    ]
    image = plot.draw("Mean error by true value", "True value", "Predicted − true", content)
    caption = "The mean error in each bin of true values; bars reach one standard deviation to both sides."
    return figure("Errors by true value", caption, image)


def _centers(histogram: Histogram, axis: int) -> Array:
    centers: Array = histogram.edges(axis)[:-1] + histogram.widths[axis] / 2
    return centers
