"""Whether rows of which a model is 80 % sure are right in 80 % of the cases.

Rows are divided by the probability of their predicted class into BINS of equal width, (0, 1/15], (1/15, 2/15]
and so on. The expected calibration error is Σ rows of the bin / rows · |share that is right − mean
probability|, the maximum calibration error the largest of these differences (Guo et al., “On Calibration of
Modern Neural Networks”, 2017).
"""

from __future__ import annotations

import attrs
import numpy as np

from sensenet.evaluation.ratios import divide
from sensenet.ir.types import Array
from sensenet.records import frozen

BINS = 15


@frozen(kw_only=True, eq=False)
class Calibration:
    """The reliability of each bin; arrays are [BINS], and 0 in bins without rows."""

    rows: Array
    mean_probability: Array
    accuracy: Array

    @property
    def expected_error(self) -> float:
        """The mean of the differences, weighted by rows."""
        return float((divide(self.rows, self.rows.sum()) * self.differences).sum())

    @property
    def maximum_error(self) -> float:
        """The largest of the differences."""
        return float(self.differences.max(initial=0.0))

    @property
    def differences(self) -> Array:
        """|accuracy − mean probability| of each bin."""
        differences: Array = np.abs(self.accuracy - self.mean_probability)
        return differences


@attrs.define
class CalibrationTally:
    """Sums rows, their probabilities, and those that are right, by bin."""

    sums: Array = attrs.field(factory=lambda: np.zeros((3, BINS)))

    def add(self, probabilities: Array, right: Array) -> None:
        """Add f64[rows], the probabilities of the predicted classes, and bool[rows]."""
        bins = np.clip(np.ceil(probabilities * BINS) - 1, 0, BINS - 1).astype(np.intp)
        for row, weights in enumerate((None, probabilities, right.astype(float))):
            self.sums[row] += np.bincount(bins, weights, BINS)

    def result(self) -> Calibration:
        rows, probabilities, right = self.sums
        return Calibration(
            rows=rows.astype(np.int64),
            mean_probability=divide(probabilities, rows),
            accuracy=divide(right, rows),
        )
