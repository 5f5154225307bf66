"""Measures of regressions, under BigML's names; docs/evaluation.md defines each."""

from __future__ import annotations

import math

import attrs
import numpy as np

from sensenet.evaluation.histograms import GrowingHistogram, Histogram
from sensenet.ir.types import Array
from sensenet.records import frozen

FINE_BINS = 8192
"""The most bins of true values, for the mean absolute error of their mean."""


@frozen(kw_only=True)
class Errors:
    """BigML's measures of a regression; r_squared is None if all true values are equal."""

    mean_absolute_error: float
    mean_squared_error: float
    r_squared: float | None

    @property
    def root_mean_squared_error(self) -> float:
        """The root of the mean squared error."""
        return math.sqrt(self.mean_squared_error)


@frozen(kw_only=True, eq=False)
class Regression:
    """The evaluation of a regression.

    `mean` and `random` are the errors of answering always the mean of the true values, and any number from
    the least to the largest true value with equal probability (as expected). `pairs` counts rows by their
    true value (first axis) and prediction, `residuals` by prediction − truth.
    """

    rows: int
    model: Errors
    mean: Errors
    random: Errors
    truth_mean: float
    truth_range: tuple[float, float]
    bias: float
    """The mean of prediction − truth."""
    pairs: Histogram
    residuals: Histogram


@attrs.define
class Moments:
    """The number, mean, and sum of squared deviations of numbers, merged batch by batch (Chan et al.)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, numbers: Array) -> None:
        """Add f64[n]."""
        if not len(numbers):
            return
        count, mean = len(numbers), float(numbers.mean())
        squares = float(((numbers - mean) ** 2).sum())
        total = self.count + count
        apart = mean - self.mean
        self.squares += squares + apart**2 * self.count * count / total
        self.mean += apart * count / total
        self.count = total

    @property
    def variance(self) -> float:
        """The mean squared deviation."""
        return self.squares / self.count if self.count else 0.0


@attrs.define
class RegressionTally:
    """Sums the errors of a regression, batch by batch; `result` returns the measures so far."""

    truth: Moments = attrs.field(factory=Moments)
    residuals: Moments = attrs.field(factory=Moments)
    absolute: Moments = attrs.field(factory=Moments)
    least: float = math.inf
    largest: float = -math.inf
    pairs: GrowingHistogram = attrs.field(factory=GrowingHistogram)
    errors: GrowingHistogram = attrs.field(factory=GrowingHistogram)
    truths: GrowingHistogram = attrs.field(factory=lambda: GrowingHistogram(FINE_BINS))

    @property
    def rows(self) -> int:
        return self.truth.count

    def add(self, truth: Array, predictions: Array) -> None:
        """Add rows: f64[rows] each, finite."""
        residuals = predictions - truth
        self.truth.add(truth)
        self.residuals.add(residuals)
        self.absolute.add(np.abs(residuals))
        self.least = min(self.least, float(truth.min(initial=math.inf)))
        self.largest = max(self.largest, float(truth.max(initial=-math.inf)))
        self.pairs.add(truth, predictions)
        self.errors.add(residuals)
        self.truths.add(truth)

    def result(self) -> Regression:
        variance = self.truth.variance if self.least < self.largest else 0.0  # exactly 0 if all are equal
        squared = self.residuals.variance + self.residuals.mean**2
        return Regression(
            rows=self.rows,
            model=_errors(self.absolute.mean, squared, variance),
            mean=_errors(self._deviation(), variance, variance),
            random=self._random(variance),
            truth_mean=self.truth.mean,
            truth_range=(self.least, self.largest),
            bias=self.residuals.mean,
            pairs=self.pairs.result(),
            residuals=self.errors.result(),
        )

    def _deviation(self) -> float:
        """Return the mean of |truth − mean|.

        It is exact but for the true values in the bin of their mean: of these only the sum counts, so the
        result is too small by at most the width of that bin times its share of the rows.
        """
        bins = self.truths.result()
        return float(np.abs(bins.sums - bins.counts * self.truth.mean).sum()) / max(self.truth.count, 1)

    def _random(self, variance: float) -> Errors:
        """Return the expected errors of a uniformly distributed answer u from a to b.

        For a truth y, E(y−u)² = (y−m)² + (b−a)²/12 with m = (a+b)/2, and E|y−u| = (y−m)²/(b−a) + (b−a)/4.
        """
        width = self.largest - self.least
        around_middle = variance + (self.truth.mean - (self.least + self.largest) / 2) ** 2
        absolute = around_middle / width + width / 4 if width > 0 else 0.0
        return _errors(absolute, around_middle + width**2 / 12, variance)


def _errors(absolute: float, squared: float, variance: float) -> Errors:
    return Errors(
        mean_absolute_error=absolute,
        mean_squared_error=squared,
        r_squared=1 - squared / variance if variance > 0 else None,
    )
