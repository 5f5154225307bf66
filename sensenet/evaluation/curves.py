"""ROC and precision-recall curves, their areas, and what else follows from the counts of scores.

A threshold calls positive all scores that are not below it. With P positives and N negatives in all, of which
TP and FP are called positive:

| measure | formula |
|---|---|
| true positive rate, recall | TP / P |
| false positive rate | FP / N |
| precision | TP / (TP + FP) |
| area under the ROC curve | trapezoids: a positive and a negative of equal scores count one half |
| area under the precision-recall curve | Σ (recall − recall before) · precision, without interpolation |
| share of rows | (TP + FP) / (P + N) |
| gain | the true positive rate, by the share of rows |
| lift | precision / (P / (P + N)), by the share of rows |
| K-S statistic | the largest difference of the two rates |
| maximum phi | the largest phi coefficient |

The areas are those of scikit-learn's `roc_auc_score` and `average_precision_score`.
"""

from __future__ import annotations

import attrs
import numpy as np

from sensenet.evaluation.rank_correlations import RHO, TAU, correlate
from sensenet.evaluation.ratios import divide, phi_coefficients
from sensenet.evaluation.score_counts import NEGATIVE, POSITIVE, ScoreCounts
from sensenet.ir.types import Array
from sensenet.records import frozen


@frozen(kw_only=True, eq=False)
class Curves:
    """The curves of a class against the others, from the highest threshold to the lowest.

    `thresholds`, `true_positives` and `false_positives` are [n]. The first point of the ROC curve, (0, 0), is
    not among them. All measures are None if there are no positives, and all but the area under the
    precision-recall curve if there are no negatives. A measure is wrong by at most its `error`, 0 if all
    distinct scores were kept.
    """

    thresholds: Array
    true_positives: Array
    false_positives: Array
    area_under_pr_curve: float | None = None
    pr_error: float = 0.0
    area_under_roc_curve: float | None = None
    roc_error: float = 0.0
    kendalls_tau_b: float | None = None
    """Between scores, and 1 for rows of the class and 0 for others."""
    tau_error: float = 0.0
    spearmans_rho: float | None = None
    """Between the same."""
    rho_error: float = 0.0
    ks_statistic: tuple[float, float] | None = None
    """The largest difference of the rates, and its threshold."""
    ks_error: float = 0.0
    max_phi: tuple[float, float] | None = None
    """The largest phi coefficient, and its threshold."""
    phi_error: float = 0.0

    @property
    def positives(self) -> int:
        """The number of rows of the class."""
        return int(self.true_positives[-1]) if len(self.true_positives) else 0

    @property
    def negatives(self) -> int:
        """The number of other rows."""
        return int(self.false_positives[-1]) if len(self.false_positives) else 0

    def roc(self) -> tuple[Array, Array]:
        """Return the false and true positive rates, f64[n + 1]; empty without positives or negatives."""
        if not self.positives or not self.negatives:
            return np.zeros(0), np.zeros(0)
        return (
            _from_zero(self.false_positives / self.negatives),
            _from_zero(self.true_positives / self.positives),
        )

    def precision_recall(self) -> tuple[Array, Array]:
        """Return recall and precision, f64[n] each; empty without positives."""
        if not self.positives:
            return np.zeros(0), np.zeros(0)
        return self.true_positives / self.positives, self.true_positives / self._called()

    def gain(self) -> tuple[Array, Array]:
        """Return the share of rows and the true positive rate, f64[n + 1]; empty without positives."""
        if not self.positives:
            return np.zeros(0), np.zeros(0)
        return _from_zero(self._shares()), _from_zero(self.true_positives / self.positives)

    def negative_cdf(self) -> tuple[Array, Array]:
        """Return the share of rows and the false positive rate, f64[n + 1]; empty without negatives."""
        if not self.negatives:
            return np.zeros(0), np.zeros(0)
        return _from_zero(self._shares()), _from_zero(self.false_positives / self.negatives)

    def lift(self) -> tuple[Array, Array]:
        """Return the share of rows and the lift, f64[n] each; empty without positives."""
        if not self.positives:
            return np.zeros(0), np.zeros(0)
        _, precision = self.precision_recall()
        return self._shares(), precision * ((self.positives + self.negatives) / self.positives)

    def _called(self) -> Array:
        """Return the number of rows that each threshold calls positive, [n]."""
        called: Array = self.true_positives + self.false_positives
        return called

    def _shares(self) -> Array:
        shares: Array = self._called() / (self.positives + self.negatives)
        return shares


def _from_zero(numbers: Array) -> Array:
    return np.concatenate([np.zeros(1), numbers])


def thin(x: Array, y: Array, steps: int = 256) -> Array:
    """Return the positions of the points to draw, i64[k]: one of those that fall together, and the last.

    x is from 0 to 1, y from 0 to 1 or to a larger number; this rectangle is divided in steps × steps.
    """
    if not len(x):
        return np.zeros(0, np.int64)
    cells = np.stack([np.round(x * steps), np.round(y * (steps / y.max(initial=1)))])
    moved = (cells[:, 1:] != cells[:, :-1]).any(axis=0)
    return np.flatnonzero(np.concatenate([[True], moved]) | (np.arange(len(x)) == len(x) - 1))


def make_curves(counts: ScoreCounts) -> Curves:
    """Return the curves of counted scores, and the measures that exist."""
    falling = counts.counts[::-1]
    tp, fp = np.cumsum(falling[:, POSITIVE]), np.cumsum(falling[:, NEGATIVE])
    curves = Curves(thresholds=counts.scores[::-1], true_positives=tp, false_positives=fp)
    exact = not counts.dropped_bits
    if curves.positives:
        pr_error = 0.0 if exact else _pr_error(falling, tp, fp)
        curves = attrs.evolve(curves, area_under_pr_curve=_pr_area(falling, tp, fp), pr_error=pr_error)
    if curves.positives and curves.negatives:
        curves = _add_rankings(curves, falling, exact)
    return curves


def _add_rankings(curves: Curves, falling: Array, exact: bool) -> Curves:
    """Return curves of positives and negatives with the measures that need both.

    Scores that were not kept apart have their positives first at best: this bounds what a threshold between
    them reaches.
    """
    tp, fp, positives, negatives = (
        curves.true_positives,
        curves.false_positives,
        curves.positives,
        curves.negatives,
    )
    least_fp = fp if exact else fp - falling[:, NEGATIVE]
    area, area_error = _roc_area(falling, tp), 0.0 if exact else _roc_error(falling)
    tau, tau_error = correlate(falling, area, area_error, TAU)
    rho, rho_error = correlate(falling, area, area_error, RHO)
    difference, best_difference = (tp / positives - each / negatives for each in (fp, least_fp))
    phi, best_phi = (phi_coefficients(tp, each, positives, negatives) for each in (fp, least_fp))
    return attrs.evolve(
        curves,
        area_under_roc_curve=area,
        roc_error=area_error,
        kendalls_tau_b=tau,
        tau_error=tau_error,
        spearmans_rho=rho,
        rho_error=rho_error,
        ks_statistic=_largest(difference, curves.thresholds),
        ks_error=float(best_difference.max() - difference.max()),
        max_phi=_largest(phi, curves.thresholds),
        phi_error=float(best_phi.max() - phi.max()),
    )


def _roc_area(counts: Array, tp: Array) -> float:
    """Return the share of pairs of a positive and a negative whose positive scores higher."""
    before = tp - counts[:, POSITIVE]
    pairs = counts[:, NEGATIVE] * (before + 0.5 * counts[:, POSITIVE])
    positives, negatives = counts.sum(axis=0)[[POSITIVE, NEGATIVE]]
    return float(pairs.sum() / (float(positives) * float(negatives)))


def _roc_error(counts: Array) -> float:
    """Return half of the share of pairs that count as equal."""
    positives, negatives = (float(total) for total in counts.sum(axis=0)[[POSITIVE, NEGATIVE]])
    ties = counts[:, POSITIVE].astype(float) * counts[:, NEGATIVE]
    return float(0.5 * ties.sum() / (positives * negatives))


def _pr_area(counts: Array, tp: Array, fp: Array) -> float:
    return float((counts[:, POSITIVE] / tp[-1] * divide(tp, tp + fp)).sum())


def _pr_error(counts: Array, tp: Array, fp: Array) -> float:
    """Return the sum of the steps of recall times the range in which the precision of each may lie."""
    here = counts[:, POSITIVE] > 0
    tp_before, fp_before = tp - counts[:, POSITIVE], fp - counts[:, NEGATIVE]
    best = divide(tp, tp + fp_before)
    worst = divide(tp_before + 1, tp_before + 1 + fp)
    return float((counts[:, POSITIVE] / tp[-1] * (best - worst))[here].sum())


def _largest(values: Array, thresholds: Array) -> tuple[float, float]:
    best = int(np.argmax(values))
    return float(values[best]), float(thresholds[best])
