"""Compares the answers of two models for the same rows; those of detectors in `bootstrap`.

Whether two classifiers differ in accuracy is McNemar's question: of b rows that only the first answers right
and c that only the second does, do more fall to one side than a fair coin would explain? The test is the
exact binomial one, with both sides. The interval of the difference is that of Agresti and Min (2005), which
adds half a row to each of the four cells. For regressions the mean difference of the absolute errors has the
interval of a mean, ± 1.96 standard errors, and the p-value of a difference as large as that from a normal
distribution around 0. All suppose rows that are independent of each other.
"""

from __future__ import annotations

import math

import attrs
import numpy as np

from sensenet.evaluation.regression import Moments
from sensenet.ir.types import Array
from sensenet.records import frozen

NORMAL_95 = 1.959963984540054
"""The number of standard deviations on each side that has 95 % of a normal distribution."""


@frozen(kw_only=True)
class ClassComparison:
    """How the answers of a classifier differ from those of the first one."""

    first: str
    second: str
    rows: int
    """Rows that both answer, and whose true class is known."""
    disagreements: int
    """Rows for which they predict different classes."""
    only_first_right: int
    only_second_right: int
    p_value: float
    accuracy_difference: float
    """The second one's accuracy − the first one's."""
    interval: tuple[float, float]
    """The 95 % confidence interval of that."""
    mean_change: float
    """The mean of |probability − probability| over rows and classes."""
    largest_change: float


@frozen(kw_only=True)
class NumberComparison:
    """How the answers of a regression differ from those of the first one."""

    first: str
    second: str
    rows: int
    mean_change: float
    """The mean of |prediction − prediction|."""
    largest_change: float
    error_difference: float
    """The second one's mean absolute error − the first one's."""
    interval: tuple[float, float] | None
    """The 95 % confidence interval of that; None for less than two rows."""
    p_value: float | None


@frozen(kw_only=True)
class DetectionComparison:
    """How the mean average precision of a detector differs from that of the first one."""

    first: str
    second: str
    images: int
    """Images that both answer."""
    difference: float | None
    """The second one's mAP@.5:.95 − the first one's; None if there are no true objects."""
    interval: tuple[float, float] | None
    """The 95 % confidence interval of that; None for less than two images, and without true objects."""
    p_value: float | None


@attrs.define
class ClassPairs:
    """Counts the rows of two classifiers."""

    rows: int = 0
    disagreements: int = 0
    only_first: int = 0
    only_second: int = 0
    change: float = 0.0
    largest: float = 0.0
    classes: int = 1

    def add(self, truth: Array, first: Array, second: Array) -> None:
        """Add rows: i64[rows] and f32[rows, classes] twice."""
        one, other = first.argmax(axis=1), second.argmax(axis=1)
        self.rows += len(truth)
        self.classes = first.shape[1]
        self.disagreements += int((one != other).sum())
        self.only_first += int(((one == truth) & (other != truth)).sum())
        self.only_second += int(((one != truth) & (other == truth)).sum())
        changes = np.abs(second.astype(np.float64) - first)
        self.change += float(changes.sum())
        self.largest = max(self.largest, float(changes.max(initial=0.0)))

    def result(self, first: str, second: str) -> ClassComparison:
        return ClassComparison(
            first=first,
            second=second,
            rows=self.rows,
            disagreements=self.disagreements,
            only_first_right=self.only_first,
            only_second_right=self.only_second,
            p_value=exact_p_value(self.only_first, self.only_second),
            accuracy_difference=(self.only_second - self.only_first) / max(self.rows, 1),
            interval=difference_interval(self.only_first, self.only_second, self.rows),
            mean_change=self.change / max(self.rows * self.classes, 1),
            largest_change=self.largest,
        )


@attrs.define
class NumberPairs:
    """Sums the differences of two regressions."""

    changes: Moments = attrs.field(factory=Moments)
    differences: Moments = attrs.field(factory=Moments)
    largest: float = 0.0

    def add(self, truth: Array, first: Array, second: Array) -> None:
        """Add rows: f64[rows] each."""
        changes = np.abs(second - first)
        self.changes.add(changes)
        self.largest = max(self.largest, float(changes.max(initial=0.0)))
        self.differences.add(np.abs(second - truth) - np.abs(first - truth))

    def result(self, first: str, second: str) -> NumberComparison:
        rows, mean = self.differences.count, self.differences.mean
        error = math.sqrt(self.differences.variance / (rows - 1)) if rows > 1 else 0.0
        half = NORMAL_95 * error
        return NumberComparison(
            first=first,
            second=second,
            rows=rows,
            mean_change=self.changes.mean,
            largest_change=self.largest,
            error_difference=mean,
            interval=(mean - half, mean + half) if rows > 1 else None,
            p_value=normal_p_value(mean, error) if rows > 1 else None,
        )


def exact_p_value(b: int, c: int) -> float:
    """Return the probability that a fair coin divides b + c rows at least as unevenly."""
    n, least = b + c, min(b, c)
    if b == c:
        return 1.0
    steps = np.arange(least)
    logarithms = np.concatenate([[0.0], np.cumsum(np.log((n - steps) / (steps + 1)))]) - n * math.log(2)
    return min(1.0, 2 * float(np.exp(logarithms).sum()))


def normal_p_value(mean: float, error: float) -> float:
    """Return the probability that a normal variable with a standard error is as far from 0 as `mean`."""
    if not error:
        return 0.0 if mean else 1.0
    return math.erfc(abs(mean) / error / math.sqrt(2))


def difference_interval(b: int, c: int, rows: int) -> tuple[float, float]:
    """Return the 95 % interval of (c − b) / rows by Agresti and Min."""
    b, c, rows = b + 0.5, c + 0.5, rows + 2  # type: ignore[assignment]
    difference = (c - b) / rows
    half = NORMAL_95 * math.sqrt((b + c) - (c - b) ** 2 / rows) / rows
    return max(difference - half, -1.0), min(difference + half, 1.0)
