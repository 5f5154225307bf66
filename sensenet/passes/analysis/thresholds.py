"""Finds the float32 threshold before a standardization that is equivalent to one after it."""

from __future__ import annotations

import numpy as np

from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.types import Array, Tensor

_INFINITY = int(np.float32(np.inf).view(np.int32))
_SIGN = np.int64(0x80000000)


def raise_thresholds(threshold: Array, mean: Array, stdev: Array) -> Array:
    """Return float32[n]: the t' for which x <= t' holds for the same float32 x as (x - mean) / stdev <= t.

    Every stdev is positive. Subtracting and dividing round to nearest, so the standardization is monotonic,
    and the x that pass are all those up to a largest one: it is found by bisection over the float32 numbers
    in order, in 33 steps for all thresholds at once. A threshold of NaN, which no x passes, stays NaN.
    """
    standardize = Standardize(mean=Tensor.float32(mean), stdev=Tensor.float32(stdev))
    passing = np.full(threshold.shape, -_INFINITY, np.int64)
    failing = np.full(threshold.shape, _INFINITY + 1, np.int64)
    with np.errstate(all="ignore"):
        while np.any(failing - passing > 1):
            middle = (passing + failing) // 2
            passes = standardize.evaluate(_float_of(middle)) <= threshold
            passing = np.where(passes, middle, passing)
            failing = np.where(passes, failing, middle)
    return np.where(np.isnan(threshold), threshold, _float_of(passing))


def _float_of(rank: Array) -> Array:
    """Return the float32 number of a rank: 0 has rank 0, the next larger number 1, up to infinity."""
    bits = np.where(rank < 0, -rank | _SIGN, rank)
    return bits.astype(np.uint32).view(np.float32)
