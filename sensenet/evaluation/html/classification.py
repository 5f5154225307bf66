"""Plots of a classifier's evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sensenet.drawing.plot import Plot, Range, widen
from sensenet.drawing.report import Key, figure, name_of
from sensenet.evaluation.calibration import BINS
from sensenet.evaluation.classification import Classification, ClassStatistics
from sensenet.evaluation.curves import Curves
from sensenet.evaluation.html.class_curves import DIAGONAL, draw_curves
from sensenet.evaluation.html.confusion import draw_confusion, list_confusions
from sensenet.evaluation.html.elements import SERIES, measured, table
from sensenet.evaluation.ratios import divide
from sensenet.plain_numbers import format_count, format_measure

MOST_ROWS = 200
"""The most classes in the table."""

HISTOGRAM_BINS = 25

GAP = 0.045
"""The space on each side of a bar, relative to the width of its bin."""


def draw_classification(result: Classification) -> Iterator[str]:
    """Yield the cards of an evaluation."""
    yield _classes(result)
    yield _rankings(result)
    yield '<div class="figures">'
    yield draw_confusion(result)
    yield from list_confusions(result)
    shown = _choose(result)
    if shown:
        few = len(shown) < len(result.class_names) - result.unknown_classes
        omitted = f" These {len(shown)} classes have the most rows." if few else ""
        yield from draw_curves(shown, omitted)
    yield _reliability(result)
    yield from _confidence(result)
    yield from (_scores(each) for each in shown)
    yield "</div>"


def _choose(result: Classification) -> list[tuple[ClassStatistics, Curves]]:
    """Return the classes that have curves, at most SERIES: those with the most rows, in the model's order."""
    having = [
        (each, each.curves) for each in result.model.per_class_statistics if each.curves and each.instances
    ]
    largest = sorted(range(len(having)), key=lambda position: -having[position][0].instances)[:SERIES]
    return [having[position] for position in sorted(largest)]


def _classes(result: Classification) -> str:
    head = ["Class", "Rows", "Precision", "Recall", "F-measure", "Phi"]
    rows = (
        [
            name_of(each.class_name),
            f"{each.instances:,}",
            *map(measured, (each.precision, each.recall, each.f_measure)),
            format_measure(each.phi_coefficient),
        ]
        for each in result.model.per_class_statistics[:MOST_ROWS]
    )
    return table("Measures by class", head, rows)


def _rankings(result: Classification) -> str:
    """Return the table of how well the probability of each class ranks rows, at all thresholds."""
    head = ["Class", "ROC area", "PR area", "K-S statistic", "Largest phi", "Tau-b", "Rho"]
    rows = (
        [
            name_of(each.class_name),
            measured(curves.area_under_roc_curve),
            measured(curves.area_under_pr_curve),
            _at_threshold(curves.ks_statistic),
            _at_threshold(curves.max_phi),
            format_measure(curves.kendalls_tau_b),
            format_measure(curves.spearmans_rho),
        ]
        for each in result.model.per_class_statistics[:MOST_ROWS]
        if (curves := each.curves)
    )
    return table("Ranking by the probability of each class", head, rows)


def _at_threshold(measure: tuple[float, float] | None) -> str:
    if measure is None:
        return format_measure(None)
    return f"{format_measure(measure[0])} <small>from {format_measure(measure[1])}</small>"


def _reliability(result: Classification) -> str:
    calibration = result.calibration
    plot, bars = Plot(), []
    for position, (rows, probability, accuracy) in enumerate(
        zip(calibration.rows, calibration.mean_probability, calibration.accuracy, strict=True)
    ):
        if rows:
            tooltip = (
                f"{format_count(rows, 'row')}: probability {probability:.3f} on average, {accuracy:.1%} right"
            )
            bars.append(plot.box(_sides(position, BINS), (0, float(accuracy)), "bar", tooltip, 0.75))
            bars.append(plot.dot(float(probability), float(accuracy)))
    content = [*bars, plot.line(DIAGONAL, DIAGONAL, "ideal")]
    error = format_measure(calibration.expected_error)
    label = f"Reliability diagram; the expected calibration error is {error}"
    image = plot.draw(label, "Probability of the predicted class", "Share that is right", content)
    caption = f"A calibrated model follows the dashed line. Expected calibration error {error}."
    return figure("Calibration", caption, image)


def _confidence(result: Classification) -> Iterator[str]:
    """Yield the histogram of the probabilities of predicted classes."""
    rows = result.calibration.rows
    highest = int(rows.max(initial=0))
    if not highest:
        return
    plot = Plot(y=(0, highest * 1.05))
    bars = [
        plot.box(
            _sides(position, BINS),
            (0, float(count)),
            "bar",
            f"{format_count(count, 'row')} from {position / BINS:.2f} to {(position + 1) / BINS:.2f}",
        )
        for position, count in enumerate(rows)
        if count
    ]
    image = plot.draw("Histogram of confidence", "Probability of the predicted class", "Rows", bars)
    yield figure("Confidence", "How sure the model is, over all rows.", image)


def _scores(pair: tuple[ClassStatistics, Curves]) -> str:
    """Return the histograms of a class's probability: for its rows upward, for the others downward."""
    each, curves = pair
    bins = np.clip((curves.thresholds * HISTOGRAM_BINS).astype(int), 0, HISTOGRAM_BINS - 1)
    counts = [
        np.bincount(bins, np.diff(totals, prepend=0), HISTOGRAM_BINS)
        for totals in (curves.true_positives, curves.false_positives)
    ]
    shares = [divide(count, count.sum()) for count in counts]
    low, high = -float(shares[1].max(initial=0)), float(shares[0].max(initial=0))
    plot = Plot(y=widen(1.08 * low, 1.08 * high), height=260)
    boxes = []
    for series, (sign, share, count) in enumerate(zip((1, -1), shares, counts, strict=True)):
        for position in np.flatnonzero(count).tolist():
            tooltip = f"{format_count(int(count[position]), 'row')}, {share[position]:.1%}"
            heights = (0, sign * float(share[position]))
            boxes.append(plot.box(_sides(position, HISTOGRAM_BINS), heights, f"fill s{series}", tooltip))
    label = f"Histograms of the probability of {each.class_name}"
    image = plot.draw(label, "Probability", "Share of rows", boxes)
    legend = [Key("curve s0", "its rows, upward"), Key("curve s1", "other rows, downward")]
    return figure(
        f"Probability of {each.class_name:.60}", "The less the two overlap, the better.", image, legend
    )


def _sides(position: int, bins: int) -> Range:
    """Return the left and right sides of the bar of one of the bins from 0 to 1."""
    return (position + GAP) / bins, (position + 1 - GAP) / bins
