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
| K-S statistic | the largest difference of the two rates |
| maximum phi | the largest phi coefficient |

The areas are those of scikit-learn's `roc_auc_score` and `average_precision_score`.
"""

from __future__ import annotations

import numpy as np

from sensenet.evaluation.ratios import divide, phi_coefficients
from sensenet.evaluation.score_counts import NEGATIVE, POSITIVE, ScoreCounts
from sensenet.ir.types import Array
from sensenet.records import frozen


@frozen(kw_only=True, eq=False)
class Curves:
    """The curves of a class against the others, from the highest threshold to the lowest.

    `thresholds`, `true_positives` and `false_positives` are [n]. The first point of the ROC curve, (0, 0), is
    not among them. Areas are None if there are no positives, or for the ROC curve no negatives. An area is
    wrong by at most its `error`, 0 if all distinct scores were kept.
    """

    thresholds: Array
    true_positives: Array
    false_positives: Array
    area_under_roc_curve: float | None
    roc_error: float
    area_under_pr_curve: float | None
    pr_error: float
    ks_statistic: tuple[float, float] | None
    """The largest difference of the rates, and its threshold."""
    max_phi: tuple[float, float] | None
    """The largest phi coefficient, and its threshold."""

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
        start = np.zeros(1)
        return (
            np.concatenate([start, self.false_positives / self.negatives]),
            np.concatenate([start, self.true_positives / self.positives]),
        )

    def precision_recall(self) -> tuple[Array, Array]:
        """Return recall and precision, f64[n] each; empty without positives."""
        if not self.positives:
            return np.zeros(0), np.zeros(0)
        called = self.true_positives + self.false_positives
        return self.true_positives / self.positives, self.true_positives / called


def thin(x: Array, y: Array, steps: int = 256) -> Array:
    """Return the positions of the points to draw, i64[k]: one of those that fall together, and the last.

    The points are in the unit square, divided in steps × steps.
    """
    if not len(x):
        return np.zeros(0, np.int64)
    cells = np.stack([np.round(x * steps), np.round(y * steps)])
    moved = (cells[:, 1:] != cells[:, :-1]).any(axis=0)
    return np.flatnonzero(np.concatenate([[True], moved]) | (np.arange(len(x)) == len(x) - 1))


def make_curves(counts: ScoreCounts) -> Curves:
    """Return the curves of counted scores."""
    falling = counts.counts[::-1]
    tp, fp = np.cumsum(falling[:, POSITIVE]), np.cumsum(falling[:, NEGATIVE])
    thresholds = counts.scores[::-1]
    positives, negatives = (int(tp[-1]), int(fp[-1])) if len(tp) else (0, 0)
    exact = not counts.dropped_bits
    both = positives > 0 and negatives > 0
    return Curves(
        thresholds=thresholds,
        true_positives=tp,
        false_positives=fp,
        area_under_roc_curve=_roc_area(falling, tp) if both else None,
        roc_error=0.0 if exact or not both else _roc_error(falling),
        area_under_pr_curve=_pr_area(falling, tp, fp) if positives else None,
        pr_error=0.0 if exact or not positives else _pr_error(falling, tp, fp),
        ks_statistic=_largest(tp / positives - fp / negatives, thresholds) if both else None,
        max_phi=_largest(phi_coefficients(tp, fp, positives, negatives), thresholds) if both else None,
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
