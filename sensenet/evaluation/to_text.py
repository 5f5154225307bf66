"""Writes a report as aligned lines of text, in which names of strangers have no control characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sensenet.evaluation.classification import Classification
from sensenet.evaluation.comparison import ClassComparison, DetectionComparison, NumberComparison
from sensenet.evaluation.detection import Detection
from sensenet.evaluation.overview import make_overview
from sensenet.evaluation.regression import Regression
from sensenet.evaluation.results import Comparison, Evaluation, Evaluations, Result
from sensenet.plain_numbers import format_count, format_interval, format_measure
from sensenet.plain_text import align, cut, one_line

TERMINAL_COLUMNS = 32
"""The most columns of the terminal that a name takes."""

LISTED_CLASSES = 20
"""The most classes that have a line of their own, or of a confusion matrix."""


def report_text(report: Evaluations) -> str:
    """Return the report: the measures of the models side by side, then of the classes of the first."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Evaluations) -> Iterator[str]:
    without = f", {report.rows_without_truth:,} without a true value" if report.rows_without_truth else ""
    source, truth = one_line(report.source), one_line(report.truth)
    noun = "image" if isinstance(report.evaluations[0].result, Detection) else "row"
    yield f"{format_count(report.rows, noun)} of {source}{without}; true values: {truth}"
    yield ""
    yield from _summary(report.evaluations)
    for evaluation in report.evaluations:
        if evaluation.rows_without_answer:
            yield f"{one_line(evaluation.name)} has no answer for {evaluation.rows_without_answer:,} of them"
    first = report.evaluations[0]
    title = f" of {one_line(first.name)}" if len(report.evaluations) > 1 else ""
    for table in _details(first.result, title):
        yield ""
        yield from table
    for comparison in report.comparisons:
        yield ""
        yield from _compare(comparison)
    for note in report.notes:
        yield ""
        yield f"note: {one_line(note)}"


def _summary(evaluations: Sequence[Evaluation]) -> Iterator[str]:
    """Yield a line for each measure, with a column for each model and each baseline of the first."""
    overviews = [make_overview(evaluation.result) for evaluation in evaluations]
    baselines = overviews[0].baselines
    head = ["", *(_cut(evaluation.name) for evaluation in evaluations), *baselines]
    rows = [
        [
            name,
            *(format_measure(overview.measures[name]) for overview in overviews),
            *(format_measure(each[name]) if name in each else "" for each in baselines.values()),
        ]
        for name in overviews[0].measures
    ]
    yield from _table([head, *rows])


def _details(result: Result, title: str) -> Iterator[Iterator[str]]:
    match result:
        case Classification():
            yield _classes(result, title)
            if len(result.class_names) <= LISTED_CLASSES:
                yield _confusion(result, title)
        case Detection():
            yield _detected(result, title)
        case Regression():
            return


def _classes(result: Classification, title: str) -> Iterator[str]:
    head = [f"classes{title}", "rows", "precision", "recall", "f_measure", "phi", "ROC area", "PR area"]
    rows = [
        [
            _cut(each.class_name),
            f"{each.instances:,}",
            *map(format_measure, (each.precision, each.recall, each.f_measure, each.phi_coefficient)),
            format_measure(each.curves.area_under_roc_curve if each.curves else None),
            format_measure(each.curves.area_under_pr_curve if each.curves else None),
        ]
        for each in result.model.per_class_statistics[:LISTED_CLASSES]
    ]
    yield from _table([head, *rows])
    yield from _more(len(result.class_names))


def _confusion(result: Classification, title: str) -> Iterator[str]:
    names = [_cut(name) for name in result.class_names]
    matrix = result.model.confusion_matrix.tolist()
    known = len(names) - result.unknown_classes
    rows = [
        [name, *(f"{count:,}" for count in counts[:known])]
        for name, counts in zip(names, matrix, strict=True)
    ]
    yield from _table([[f"true \\ predicted{title}", *names[:known]], *rows])


def _detected(result: Detection, title: str) -> Iterator[str]:
    head = [f"classes{title}", "objects", "AP@.5:.95", "AP@.5", "precision", "recall"]
    classes = [each for each in result.per_class_statistics if each.instances or each.boxes]
    rows = [
        [
            _cut(each.class_name),
            f"{each.instances:,}",
            *map(format_measure, (each.average_precision, each.at(0.5), each.precision, each.recall)),
        ]
        for each in classes[:LISTED_CLASSES]
    ]
    yield from _table([head, *rows])
    yield from _more(len(classes))


def _more(classes: int) -> Iterator[str]:
    if classes > LISTED_CLASSES:
        yield f"… and {classes - LISTED_CLASSES} more: --json has them all"


def _compare(comparison: Comparison) -> Iterator[str]:
    first, second = one_line(comparison.first), one_line(comparison.second)
    match comparison:
        case ClassComparison():
            total = format_count(comparison.rows, "row")
            rows = [
                ["different predictions", f"{comparison.disagreements:,}"],
                ["only the first is right", f"{comparison.only_first_right:,}"],
                ["only the second is right", f"{comparison.only_second_right:,}"],
                ["p-value (McNemar, exact)", _p_value(comparison.p_value)],
                ["accuracy difference", _interval(comparison.accuracy_difference, comparison.interval)],
                ["change of probabilities", _change(comparison)],
            ]
        case NumberComparison():
            total = format_count(comparison.rows, "row")
            rows = [
                [
                    "mean_absolute_error difference",
                    _interval(comparison.error_difference, comparison.interval),
                ],
                ["p-value", _p_value(comparison.p_value)],
                ["change of predictions", _change(comparison)],
            ]
        case DetectionComparison():
            total = format_count(comparison.images, "image")
            rows = [
                ["mAP@.5:.95 difference", _interval(comparison.difference, comparison.interval)],
                ["p-value (bootstrap)", _p_value(comparison.p_value)],
            ]
    yield f"{second} compared with {first}, {total}"
    yield from (f"  {line}".rstrip() for line in align(rows, (0, 1)))


def _p_value(value: float | None) -> str:
    return format_measure(None) if value is None else f"{value:.3g}"


def _interval(value: float | None, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return format_measure(value)
    return f"{format_measure(value)}, {format_interval(interval)}"


def _change(comparison: ClassComparison | NumberComparison) -> str:
    mean, largest = map(format_measure, (comparison.mean_change, comparison.largest_change))
    return f"{mean} on average, {largest} at most"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    return [line.rstrip() for line in align(rows)]


def _cut(text: str) -> str:
    """Return a name on one line, at most TERMINAL_COLUMNS columns wide."""
    return cut(one_line(text), TERMINAL_COLUMNS)
