"""Ratios of counts: 0 if there is nothing to divide by, as in scikit-learn with `zero_division=0`."""

from __future__ import annotations

from typing import Any

import numpy as np

from sensenet.ir.types import Array

ROUNDING = 1e-13
"""The difference of two products, relative to their sum, that rounding may have made."""


def divide(numerator: Any, denominator: Any) -> Array:
    """Return f64, the quotients, and 0 where a denominator is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.divide(top, bottom, out=np.zeros(top.shape), where=bottom != 0)


def phi_coefficients(tp: Any, fp: Any, positives: Any, negatives: Any) -> Array:
    """Return the phi coefficients, that is Matthews' correlation coefficients, of counts; f64 of their shape.

    (TP·TN − FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN)), and 0 if a factor is 0.
    """
    tp, fp, positives, negatives = (np.asarray(each, float) for each in (tp, fp, positives, negatives))
    fn, tn = positives - tp, negatives - fp
    right, wrong = tp * tn, fp * fn
    difference = np.where(np.abs(right - wrong) > ROUNDING * (right + wrong), right - wrong, 0.0)
    roots = [np.sqrt(factor) for factor in (tp + fp, positives, negatives, tn + fn)]
    return divide(divide(difference, roots[0] * roots[1]), roots[2] * roots[3])
