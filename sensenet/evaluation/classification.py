"""Measures of classifiers, under BigML's names; docs/evaluation.md defines each."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from sensenet.evaluation.calibration import Calibration, CalibrationTally
from sensenet.evaluation.curves import Curves, make_curves
from sensenet.evaluation.ratios import divide, phi_coefficients
from sensenet.evaluation.score_counts import ScoreCounts, most_scores
from sensenet.ir.types import Array
from sensenet.limits import require_memory
from sensenet.records import frozen

LEAST_PROBABILITY = float(np.finfo(np.float32).eps)
"""The probability that log loss takes for a smaller one, as scikit-learn does for float32."""

MATRICES = 6
"""The matrices of 8-byte numbers that are in memory at once, for all baselines."""


@frozen(kw_only=True)
class ClassStatistics:
    """The measures of a class against all others; ratios of nothing are 0."""

    class_name: str
    instances: int
    """Rows whose true class it is."""
    predicted: int
    accuracy: float
    precision: float
    recall: float
    f_measure: float
    phi_coefficient: float
    curves: Curves | None = None
    """None for baselines, and for classes that the model does not know."""

    @property
    def present_in_test_data(self) -> bool:
        """Whether it is the true class of some row."""
        return self.instances > 0

    @property
    def is_averaged(self) -> bool:
        """Whether averages include the class: it is the true or the predicted class of some row."""
        return self.instances > 0 or self.predicted > 0


@frozen(kw_only=True, eq=False)
class Measures:
    """The measures that follow from a confusion matrix.

    `confusion_matrix` is [classes, classes], of rows of the true class in the row and the predicted one in
    the column: whole numbers, or expected ones for the random baseline.
    """

    confusion_matrix: Array
    accuracy: float
    per_class_statistics: tuple[ClassStatistics, ...]

    def average(self, name: str) -> float:
        """Return the mean of a measure over the classes that are true or predicted in some row."""
        values = [getattr(each, name) for each in self.per_class_statistics if each.is_averaged]
        return float(np.mean(values)) if values else 0.0

    @property
    def average_precision(self) -> float:
        """The mean of `precision`."""
        return self.average("precision")

    @property
    def average_recall(self) -> float:
        """The mean of `recall`."""
        return self.average("recall")

    @property
    def average_f_measure(self) -> float:
        """The mean of `f_measure`."""
        return self.average("f_measure")

    @property
    def average_phi(self) -> float:
        """The mean of `phi_coefficient`."""
        return self.average("phi_coefficient")


@frozen(kw_only=True, eq=False)
class Classification:
    """The evaluation of a classifier.

    `class_names` are the model's, then those of true values that it does not know, of which there are
    `unknown_classes`.
    """

    class_names: tuple[str, ...]
    unknown_classes: int
    rows: int
    model: Measures
    mode: Measures
    """The most frequent of the true classes, always."""
    random: Measures
    """One of the model's classes, each as probable as the others: the expected counts."""
    log_loss: float
    brier_score: float
    """The mean over rows of Σ (probability − 1 or 0)² over the classes: from 0 to 2."""
    calibration: Calibration

    def average(self, name: str) -> float | None:
        """Return the mean of a measure of Curves, such as `max_phi`, over the classes that have it.

        Of measures with a threshold it is the mean of the measures.
        """
        curves = [each.curves for each in self.model.per_class_statistics if each.curves]
        found = [getattr(each, name) for each in curves]
        known = [each[0] if isinstance(each, tuple) else each for each in found if each is not None]
        return float(np.mean(known)) if known else None


def measure(class_names: Sequence[str], matrix: Array, curves: Sequence[Curves] = ()) -> Measures:
    """Return the measures of a confusion matrix, and with curves for the first of the classes."""
    total = float(matrix.sum())
    tp, true, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    precision, recall = divide(tp, predicted), divide(tp, true)
    columns: dict[str, Array] = {
        "accuracy": divide(total - true - predicted + 2 * tp, total),
        "precision": precision,
        "recall": recall,
        "f_measure": divide(2 * precision * recall, precision + recall),
        "phi_coefficient": phi_coefficients(tp, predicted - tp, true, total - true),
    }
    statistics = (
        ClassStatistics(
            class_name=name,
            instances=int(true[number]),
            predicted=int(np.ceil(predicted[number])),
            curves=curves[number] if number < len(curves) else None,
            **{measure: float(values[number]) for measure, values in columns.items()},
        )
        for number, name in enumerate(class_names)
    )
    return Measures(
        confusion_matrix=matrix,
        accuracy=float(divide(tp.sum(), total)),
        per_class_statistics=tuple(statistics),
    )


@attrs.define
class ClassificationTally:
    """Counts the answers of a classifier, batch by batch; `result` returns the measures so far."""

    classes: tuple[str, ...]
    scores: list[ScoreCounts] = attrs.field(init=False)
    matrix: Array = attrs.field(init=False)
    calibration: CalibrationTally = attrs.field(factory=CalibrationTally)
    loss: float = 0.0
    squares: float = 0.0

    def __attrs_post_init__(self) -> None:
        classes = len(self.classes)
        require_memory(MATRICES * 8 * classes**2, f"confusion matrices of {classes} classes")
        most = most_scores(classes)
        self.scores = [ScoreCounts(most) for _ in self.classes]
        self.matrix = np.zeros((0, len(self.classes)), np.int64)

    @property
    def rows(self) -> int:
        return int(self.matrix.sum())

    def add(self, truth: Array, probabilities: Array) -> None:
        """Count rows: truth i64[rows], positions of classes, from `len(classes)` on unknown ones; f32[rows,
        classes]."""
        count = len(self.classes)
        predicted = probabilities.argmax(axis=1)
        size = max(len(self.matrix), int(truth.max(initial=-1)) + 1, count)
        self.matrix = np.pad(self.matrix, ((0, size - len(self.matrix)), (0, 0)))
        cells = np.bincount(truth * count + predicted, minlength=size * count)
        self.matrix += cells.reshape(size, count)
        for number, scores in enumerate(self.scores):
            scores.add(probabilities[:, number], truth == number)
        known = truth < count
        of_truth = np.zeros(len(truth))
        of_truth[known] = probabilities[known, truth[known]]
        self.loss -= float(np.log(of_truth.clip(LEAST_PROBABILITY, 1.0)).sum())
        exact = probabilities.astype(np.float64)
        self.squares += float((exact**2).sum() + (1 - 2 * of_truth).sum())
        self.calibration.add(exact.max(axis=1, initial=0.0), predicted == truth)

    def result(self, unknown: Sequence[str] = ()) -> Classification:
        """Return the measures; `unknown` are the names of the classes that the model lacks."""
        names = (*self.classes, *unknown)
        matrix = np.zeros((len(names), len(names)), np.int64)
        matrix[: len(self.matrix), : len(self.classes)] = self.matrix
        rows, true = self.rows, matrix.sum(axis=1)
        always = np.zeros(matrix.shape, np.int64)
        always[:, int(np.argmax(true))] = true
        equally = np.zeros(matrix.shape)
        equally[:, : len(self.classes)] = true[:, None] / len(self.classes)
        return Classification(
            class_names=names,
            unknown_classes=len(unknown),
            rows=rows,
            model=measure(names, matrix, [make_curves(scores) for scores in self.scores]),
            mode=measure(names, always),
            random=measure(names, equally),
            log_loss=self.loss / max(rows, 1),
            brier_score=self.squares / max(rows, 1),
            calibration=self.calibration.result(),
        )
