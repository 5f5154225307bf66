"""Writes a report as one page of HTML without scripts, which loads nothing: on screens, phones and paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sensenet.drawing.page import escape_text, write_page
from sensenet.drawing.report import name_of, read_report_style
from sensenet.evaluation.classification import Classification
from sensenet.evaluation.detection import Detection
from sensenet.evaluation.html.classification import draw_classification
from sensenet.evaluation.html.comparison import draw_comparison
from sensenet.evaluation.html.detection import draw_detection
from sensenet.evaluation.html.elements import gauge, table
from sensenet.evaluation.html.regression import draw_regression
from sensenet.evaluation.overview import RANKINGS, make_overview
from sensenet.evaluation.regression import Regression
from sensenet.evaluation.results import Evaluations, Result
from sensenet.plain_numbers import format_count, format_measure

STYLE = read_report_style(Path(__file__).parent / "page.css")

LABELS = {
    "accuracy": "Accuracy",
    "average_precision": "Mean precision",
    "average_recall": "Mean recall",
    "average_f_measure": "Mean F-measure",
    "average_phi": "Mean phi",
    "average_area_under_roc_curve": "Mean ROC area",
    "average_area_under_pr_curve": "Mean PR area",
    "average_ks_statistic": "Mean K-S statistic",
    "average_max_phi": "Mean largest phi",
    "average_kendalls_tau_b": "Mean tau-b",
    "average_spearmans_rho": "Mean rho",
    "log_loss": "Log loss",
    "brier_score": "Brier score",
    "expected_calibration_error": "Calibration error",
    "mean_absolute_error": "Mean absolute error",
    "mean_squared_error": "Mean squared error",
    "root_mean_squared_error": "Root mean squared error",
    "r_squared": "R squared",
    "bias": "Mean of errors",
}
"""What the page calls measures; others have their name."""

HIGHER_IS_BETTER = {
    *("accuracy", "average_precision", "average_recall", "average_f_measure", "average_phi", "r_squared"),
    *(f"average_{name}" for name in RANKINGS),
    *("mAP@.5:.95", "mAP@.5", "mAP@.75"),
}
"""These are at most 1; of the others, the one nearest to 0 is the best."""


def report_page(report: Evaluations) -> str:
    """Return the page of a report."""
    names = ", ".join(evaluation.name for evaluation in report.evaluations)
    return write_page(f"Evaluation of {names}", STYLE, _body(report))


def _body(report: Evaluations) -> Iterator[str]:
    names = [name_of(evaluation.name) for evaluation in report.evaluations]
    yield '<header><p class="eyebrow">Evaluation</p>'
    yield f"<h1>{' <small>and</small> '.join(names) if len(names) < 3 else ', '.join(names)}</h1>"
    yield f"<p>{' · '.join(_facts(report))}</p></header><main>"
    yield from (f'<p class="note">{escape_text(note)}</p>' for note in report.notes)
    first = report.evaluations[0]
    if len(report.evaluations) == 1:
        yield _tiles(first.result)
        yield "<h2>Details</h2>"
        yield from _draw(first.result)
    else:
        yield "<h2>Side by side</h2>"
        yield _side_by_side(report)
        if report.comparisons:
            yield f'<h2>Differences from {names[0]}</h2><div class="figures">'
            yield from map(draw_comparison, report.comparisons)
            yield "</div>"
        for name, evaluation in zip(names, report.evaluations, strict=True):
            yield f"<h2>{name}</h2>"
            yield from _draw(evaluation.result)
    yield "</main><footer>Measures have BigML’s definitions where it has them. Made by sensenet.</footer>"


def _facts(report: Evaluations) -> Iterator[str]:
    detected = isinstance(report.evaluations[0].result, Detection)
    yield f"{format_count(report.rows, 'image' if detected else 'row')} of {name_of(report.source, 200)}"
    yield f"true values: {name_of(report.truth)}"
    if report.rows_without_truth:
        yield f"{report.rows_without_truth:,} without a true value"
    for evaluation in report.evaluations:
        if evaluation.rows_without_answer:
            yield f"{evaluation.rows_without_answer:,} without an answer of {name_of(evaluation.name)}"


def _draw(result: Result) -> Iterator[str]:
    match result:
        case Classification():
            return draw_classification(result)
        case Regression():
            return draw_regression(result)
        case Detection():
            return draw_detection(result)


def _tiles(result: Result) -> str:
    overview = make_overview(result)
    tiles = []
    for name, value in overview.measures.items():
        against = {
            baseline: values[name]
            for baseline, values in overview.baselines.items()
            if values.get(name) is not None
        }
        bar = gauge(value) if value is not None and name in HIGHER_IS_BETTER else ""
        tiles.append(
            f'<div class="tile"><dt>{escape_text(LABELS.get(name, name))}</dt>'
            f'<dd class="value">{format_measure(value)}{bar}</dd>{_against(against)}</div>'
        )
    return f'<dl class="tiles">{"".join(tiles)}</dl>'


def _against(baselines: Mapping[str, float | None]) -> str:
    if not baselines:
        return ""
    texts = (f"<span>{name} {format_measure(value)}</span>" for name, value in baselines.items())
    return f'<dd class="against">{" ".join(texts)}</dd>'


def _side_by_side(report: Evaluations) -> str:
    overviews = [make_overview(evaluation.result) for evaluation in report.evaluations]
    baselines = overviews[0].baselines
    rows = []
    for name in overviews[0].measures:
        values = [overview.measures[name] for overview in overviews]
        known = [value for value in values if value is not None]
        best = (max(known) if name in HIGHER_IS_BETTER else min(known, key=abs)) if known else None
        distinct = len(set(map(format_measure, known))) > 1
        cells = [
            f'<span class="best">{text}</span>' if distinct and value == best else text
            for value, text in zip(values, map(format_measure, values), strict=True)
        ]
        cells += [
            f'<span class="baseline">{format_measure(each[name]) if name in each else ""}</span>'
            for each in baselines.values()
        ]
        rows.append([escape_text(LABELS.get(name, name)), *cells])
    head = ["Measure", *(evaluation.name for evaluation in report.evaluations), *baselines]
    return table("Measures of all models", head, rows)
