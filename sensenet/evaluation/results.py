"""The measures of each model, and their comparisons."""

from __future__ import annotations

from collections.abc import Sequence

from sensenet.evaluation.classification import Classification
from sensenet.evaluation.comparison import ClassComparison, DetectionComparison, NumberComparison
from sensenet.evaluation.detection import Detection
from sensenet.evaluation.regression import Regression
from sensenet.records import frozen

Result = Classification | Regression | Detection
Comparison = ClassComparison | NumberComparison | DetectionComparison


@frozen(kw_only=True)
class Evaluation:
    """The measures of one model.

    `rows_without_answer` could not be read, or have an answer with NaN; they count for nothing else.
    """

    name: str
    result: Result
    rows_without_answer: int


MOST_NAMED = 5
"""The most unknown classes that a note names."""


def note_unknown(names: Sequence[str], consequence: str) -> tuple[str, ...]:
    """Return a note on the true classes that a model does not know, if there are any."""
    if not names:
        return ()
    listed = ", ".join(map(repr, names[:MOST_NAMED])) + ", …" * (len(names) > MOST_NAMED)
    return (f"the model does not know {listed} as classes: their {consequence}",)


@frozen(kw_only=True)
class Evaluations:
    """The content of a report: `EvaluationReport` says what each attribute is."""

    truth: str
    source: str
    rows: int
    rows_without_truth: int
    evaluations: tuple[Evaluation, ...]
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
