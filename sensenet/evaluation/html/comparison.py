"""The cards of comparisons: a sentence, and the interval of the difference."""

from __future__ import annotations

import numpy as np

from sensenet.drawing.plot import Plot, widen
from sensenet.drawing.report import figure
from sensenet.evaluation.comparison import ClassComparison, DetectionComparison, NumberComparison
from sensenet.evaluation.results import Comparison
from sensenet.plain_numbers import format_count, format_interval, format_measure

SIGNIFICANT = 0.05


def draw_comparison(comparison: Comparison) -> str:
    """Return the card of a comparison."""
    difference: float | None
    match comparison:
        case ClassComparison():
            what, difference = "Difference of accuracy", comparison.accuracy_difference
            rows = format_count(comparison.rows, "row")
            facts = (
                f"Different predictions for {comparison.disagreements:,} of {rows}; only "
                f"the first is right in {comparison.only_first_right:,}, only this one in "
                f"{comparison.only_second_right:,}. Probabilities change by {_change(comparison)}."
            )
            test = "McNemar’s exact test"
        case NumberComparison():
            what, difference = "Difference of mean absolute error", comparison.error_difference
            rows = format_count(comparison.rows, "row")
            facts = f"Predictions change by {_change(comparison)}, over {rows}."
            test = "normal approximation"
        case DetectionComparison():
            what, difference = "Difference of mAP@.5:.95", comparison.difference
            facts = f"On {format_count(comparison.images, 'image')}."
            test = "bootstrap over images"
    caption = " ".join([facts, *_judge(comparison.p_value, test)])
    if difference is None:
        return figure(comparison.second, f"{caption} There are no true objects to compare by.", "")
    if comparison.interval is None:
        return figure(comparison.second, f"{caption} {what} {format_measure(difference)}.", "")
    interval = f"{what} {format_measure(difference)}, {format_interval(comparison.interval)}"
    image = _draw_interval(what, difference, comparison.interval, interval)
    return figure(comparison.second, f"{caption} {interval}.", image)


def _change(comparison: ClassComparison | NumberComparison) -> str:
    mean, largest = map(format_measure, (comparison.mean_change, comparison.largest_change))
    return f"{mean} on average, {largest} at most"


def _judge(p_value: float | None, test: str) -> list[str]:
    """Return a sentence on the p-value, if there is one."""
    if p_value is None:
        return []
    verdict = "differ more than chance explains" if p_value < SIGNIFICANT else "may be equally good"
    return [f"The two {verdict} ({test}, p = {p_value:.3g})."]


def _draw_interval(what: str, difference: float, interval: tuple[float, float], label: str) -> str:
    reach = 1.15 * max(map(abs, (*interval, difference))) or 1.0
    plot = Plot(x=widen(-reach, reach), height=110, y=(-1, 1))
    middle = float(plot.down(0))
    low, high = (float(each) for each in plot.across(np.array(interval)))
    content = [
        plot.line(np.zeros(2), np.array([-1.0, 1.0]), "ideal"),
        f'<path class="interval" d="M{low:.1f} {middle:.1f}H{high:.1f}"/>',
        plot.dot(difference, 0.0),
    ]
    return plot.draw(label, f"{what}, and its interval", "", content)
