"""Raised thresholds decide every float32 number as before."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from sensenet.passes.analysis.thresholds import raise_thresholds

ANY = st.floats(width=32, allow_nan=False, allow_infinity=True)
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(width=32, min_value=2.0**-126, allow_infinity=False, allow_nan=False)


def standardize(x, mean, stdev):
    with np.errstate(all="ignore"):
        return (x - np.float32(mean)) / np.float32(stdev)


def neighbours(x):
    """A number and those that stand beside it."""
    with np.errstate(all="ignore"):
        return [np.nextafter(x, np.float32(-np.inf)), x, np.nextafter(x, np.float32(np.inf))]


@given(threshold=ANY, mean=FINITE, stdev=POSITIVE, cells=st.lists(ANY, max_size=5))
@example(threshold=0.44444442, mean=0.3, stdev=0.9, cells=[0.7])
@example(threshold=0.0, mean=16777216.0, stdev=1.0, cells=[16777217.0])
@example(threshold=float("inf"), mean=-3e38, stdev=1e-30, cells=[3e38])
@example(threshold=float("-inf"), mean=3e38, stdev=1e-30, cells=[-3e38])
@example(threshold=-0.0, mean=0.0, stdev=1.0, cells=[0.0, -0.0])
def test_every_comparison_keeps_its_answer(threshold, mean, stdev, cells):
    arrays = (np.float32([value]) for value in (threshold, mean, stdev))
    (raised,) = raise_thresholds(*arrays)
    assert raised.dtype == np.float32
    with np.errstate(over="ignore"):
        back = np.float32(np.float64(threshold) * stdev + mean)
    tried = [*neighbours(raised), *neighbours(back), *cells, 0.0, np.inf, -np.inf, np.nan]
    x = np.float32(tried)
    np.testing.assert_array_equal(x <= raised, standardize(x, mean, stdev) <= np.float32(threshold))


def test_nan_passes_nothing():
    (raised,) = raise_thresholds(np.float32([np.nan]), np.float32([1]), np.float32([2]))
    assert np.isnan(raised)


def test_many_at_once():
    rng = np.random.default_rng(0)
    threshold, mean, stdev = rng.normal(size=(3, 1000)).astype(np.float32)
    stdev = np.abs(stdev)
    together = raise_thresholds(threshold, mean, stdev)
    alone = [raise_thresholds(*(a[n : n + 1] for a in (threshold, mean, stdev)))[0] for n in range(1000)]
    np.testing.assert_array_equal(together, alone)
    assert raise_thresholds(*(np.zeros(0, np.float32),) * 3).shape == (0,)
