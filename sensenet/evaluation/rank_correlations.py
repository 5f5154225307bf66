"""Rank correlations between the scores of rows and whether the rows are positives.

With P positives and N negatives, n rows in all, t rows at each distinct score, and A the area under the ROC
curve:

| measure | formula |
|---|---|
| Kendall's tau-b | (2A − 1) · √(2 P N / (n² − Σ t²)) |
| Spearman's rho | (2A − 1) · √(3 P N n / (n³ − Σ t³)) |

These are tau-b, and the correlation of average ranks, if one of the two variables has two values: of the P N
pairs that differ in it, A counts those in order. So they are `kendalltau` and `spearmanr` of SciPy, but 0 if
all scores are equal.
"""

from __future__ import annotations

import numpy as np

from sensenet.evaluation.score_counts import NEGATIVE, POSITIVE
from sensenet.ir.types import Array

TAU, RHO = 2, 3
"""The powers of the numbers of rows in the two formulas."""


def correlate(counts: Array, area: float, area_error: float, power: int) -> tuple[float, float]:
    """Return a rank correlation, and by how much it may be wrong at most.

    `counts` are i64[n, 2] of both positives and negatives, `area` is wrong by at most `area_error`, 0 if all
    distinct scores were kept, and `power` is TAU or RHO. Scores that were not kept apart may all differ, so
    the true sum of powers is between n and that of `counts`.
    """
    totals = counts.sum(axis=1).astype(float)
    positives, negatives = (float(total) for total in counts.sum(axis=0)[[POSITIVE, NEGATIVE]])
    rows = positives + negatives
    pairs = power * positives * negatives * rows ** (power - 2)
    untied = rows**power - float((totals**power).sum())
    scale = np.sqrt(pairs / untied) if untied else 0.0
    value = float(np.clip((2 * area - 1) * scale, -1, 1))
    if not area_error:
        return value, 0.0
    if not untied:
        return value, 1.0
    least = np.sqrt(pairs / (rows**power - rows))
    ends = 2 * np.array([area - area_error, area + area_error]) - 1
    possible = np.clip(np.outer(ends, [scale, least]), -1, 1)
    return value, float(np.abs(possible - value).max())
