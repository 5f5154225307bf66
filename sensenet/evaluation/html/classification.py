"""Plots of a classifier's evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sensenet.evaluation.calibration import BINS
from sensenet.evaluation.classification import Classification, ClassStatistics
from sensenet.evaluation.curves import Curves, thin
from sensenet.evaluation.html.confusion import draw_confusion, list_confusions
from sensenet.evaluation.html.elements import SERIES, Entry, figure, measured, name_of, table
from sensenet.evaluation.html.plot import Plot, Range, widen
from sensenet.evaluation.overview import number
from sensenet.evaluation.ratios import divide

MOST_ROWS = 200
"""The most classes in the table."""

HISTOGRAM_BINS = 25

GAP = 0.045
"""The space on each side of a bar, relative to the width of its bin."""

FIRST_ROWS = 0.1
"""The share of rows for which gain and lift are said in numbers."""

DIAGONAL = np.array([0.0, 1.0])


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
        yield _roc(shown, omitted)
        yield _precision_recall(shown, omitted)
        yield _gain(shown, omitted)
        yield _lift(shown, omitted)
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
            number(each.phi_coefficient),
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
            number(curves.kendalls_tau_b),
            number(curves.spearmans_rho),
        ]
        for each in result.model.per_class_statistics[:MOST_ROWS]
        if (curves := each.curves)
    )
    return table("Ranking by the probability of each class", head, rows)


def _at_threshold(measure: tuple[float, float] | None) -> str:
    if measure is None:
        return number(None)
    return f"{number(measure[0])} <small>from {number(measure[1])}</small>"


def _roc(classes: Sequence[tuple[ClassStatistics, Curves]], omitted: str) -> str:
    plot, lines, legend = Plot(), [], []
    for series, (each, curves) in enumerate(classes):
        x, y = curves.roc()
        chosen = thin(x, y)
        lines.append(plot.line(x[chosen], y[chosen], f"curve s{series}"))
        legend.append(Entry(series, each.class_name, _area(curves.area_under_roc_curve, curves.roc_error)))
    content = [plot.line(DIAGONAL, DIAGONAL, "ideal"), *lines]
    image = plot.draw(
        _say("ROC curves, with areas", legend), "False positive rate", "True positive rate", content
    )
    return figure(
        "ROC curves", f"Each class against the others; the dashed line is chance.{omitted}", image, legend
    )


def _precision_recall(classes: Sequence[tuple[ClassStatistics, Curves]], omitted: str) -> str:
    plot, lines, legend = Plot(), [], []
    for series, (each, curves) in enumerate(classes):
        recall, precision = curves.precision_recall()
        some = slice(int(np.searchsorted(recall, 1.0)) + 1)  # beyond, precision only falls
        x, y = np.concatenate([[0.0], recall[some]]), np.concatenate([precision[:1], precision[some]])
        chosen = thin(x, y)
        lines.append(plot.steps(x[chosen], y[chosen], f"curve s{series}"))
        legend.append(Entry(series, each.class_name, _area(curves.area_under_pr_curve, curves.pr_error)))
    image = plot.draw(_say("Precision-recall curves, with areas", legend), "Recall", "Precision", lines)
    return figure(
        "Precision and recall", f"Each class at every threshold of its probability.{omitted}", image, legend
    )


def _gain(classes: Sequence[tuple[ClassStatistics, Curves]], omitted: str) -> str:
    plot, lines, legend = Plot(), [], []
    for series, (each, curves) in enumerate(classes):
        x, y = curves.gain()
        chosen = thin(x, y)
        lines.append(plot.line(x[chosen], y[chosen], f"curve s{series}"))
        legend.append(Entry(series, each.class_name, f"{np.interp(FIRST_ROWS, x, y):.1%}"))
    content = [plot.line(DIAGONAL, DIAGONAL, "ideal"), *lines]
    label = _say(f"Gain curves, with the share found in the first {FIRST_ROWS:.0%}", legend)
    image = plot.draw(label, "Share of rows, the most probable first", "Share of the class found", content)
    caption = f"What of a class the most probable rows contain; the number is for the first {FIRST_ROWS:.0%}."
    return figure("Gain", f"{caption} The dashed line is chance.{omitted}", image, legend)


def _lift(classes: Sequence[tuple[ClassStatistics, Curves]], omitted: str) -> str:
    lifts = [curves.lift() for _, curves in classes]
    plot = Plot(y=(0, 1.05 * max(float(y.max(initial=1)) for _, y in lifts)))
    lines, legend = [], []
    for series, ((each, curves), (x, y)) in enumerate(zip(classes, lifts, strict=True)):
        chosen = thin(x, y)
        lines.append(plot.line(x[chosen], y[chosen], f"curve s{series}"))
        found = float(np.interp(FIRST_ROWS, *curves.gain()))
        legend.append(Entry(series, each.class_name, f"{found / FIRST_ROWS:.3g}"))
    content = [plot.line(DIAGONAL, np.ones(2), "ideal"), *lines]
    label = _say(f"Lift curves, with the lift of the first {FIRST_ROWS:.0%}", legend)
    image = plot.draw(label, "Share of rows, the most probable first", "Lift", content)
    caption = (
        "How many times more often a class is among the most probable rows than among all; the number is for "
        f"the first {FIRST_ROWS:.0%}.{omitted}"
    )
    return figure("Lift", caption, image, legend)


def _area(area: float | None, error: float) -> str:
    return number(area) + (f" ± {error:.1g}" if error else "")


def _say(what: str, legend: Sequence[Entry]) -> str:
    return f"{what}: {', '.join(f'{entry.name} {entry.value}' for entry in legend)}"


def _reliability(result: Classification) -> str:
    calibration = result.calibration
    plot, bars = Plot(), []
    for position, (rows, probability, accuracy) in enumerate(
        zip(calibration.rows, calibration.mean_probability, calibration.accuracy, strict=True)
    ):
        if rows:
            tooltip = f"{rows:,} rows: probability {probability:.3f} on average, {accuracy:.1%} right"
            bars.append(plot.box(_sides(position, BINS), (0, float(accuracy)), "bar", tooltip, 0.75))
            x, y = (float(pixels) for pixels in (plot.across(probability), plot.down(accuracy)))
            bars.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>')
    content = [*bars, plot.line(DIAGONAL, DIAGONAL, "ideal")]
    error = number(calibration.expected_error)
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
            f"{count:,} rows from {position / BINS:.2f} to {(position + 1) / BINS:.2f}",
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
            tooltip = f"{int(count[position]):,} rows, {share[position]:.1%}"
            heights = (0, sign * float(share[position]))
            boxes.append(plot.box(_sides(position, HISTOGRAM_BINS), heights, f"fill s{series}", tooltip))
    label = f"Histograms of the probability of {each.class_name}"
    image = plot.draw(label, "Probability", "Share of rows", boxes)
    legend = [Entry(0, "its rows, upward"), Entry(1, "other rows, downward")]
    return figure(
        f"Probability of {each.class_name:.60}", "The less the two overlap, the better.", image, legend
    )


def _sides(position: int, bins: int) -> Range:
    """Return the left and right sides of the bar of one of the bins from 0 to 1."""
    return (position + GAP) / bins, (position + 1 - GAP) / bins
