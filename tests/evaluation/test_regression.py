"""Measures of regressions: scikit-learn's, and baselines that can be stated exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensenet.evaluation.histograms import GrowingHistogram
from sensenet.evaluation.regression import RegressionTally

metrics = pytest.importorskip("sklearn.metrics")

NUMBER = st.floats(-1e6, 1e6, width=32)

PAIRS = st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=50)


def tally(truth, predictions, at_once=7):
    counted = RegressionTally()
    for start in range(0, len(truth), at_once):
        counted.add(truth[start : start + at_once], predictions[start : start + at_once])
    return counted.result()


@given(PAIRS)
def test_measures_are_those_of_scikit_learn(pairs):
    truth, predictions = np.array(pairs, float).T
    result = tally(truth, predictions)
    size = max(1.0, np.abs(truth).max(), np.abs(predictions).max())
    wanted = metrics.mean_absolute_error(truth, predictions)
    assert result.model.mean_absolute_error == pytest.approx(wanted, abs=1e-9 * size)
    wanted = metrics.mean_squared_error(truth, predictions)
    assert result.model.mean_squared_error == pytest.approx(wanted, rel=1e-9, abs=1e-9 * size)
    assert result.bias == pytest.approx(np.mean(predictions - truth), abs=1e-9 * size)
    if np.ptp(truth) > 1e-3 * size:
        assert result.model.r_squared == pytest.approx(metrics.r2_score(truth, predictions), rel=1e-6)


@given(st.lists(NUMBER, min_size=2, max_size=50))
def test_the_baseline_of_the_mean(numbers):
    truth = np.array(numbers, float)
    result = tally(truth, truth)
    deviation = np.abs(truth - truth.mean()).mean()
    width = np.ptp(truth) / 4096 + 1e-9 * np.abs(truth).max()
    assert deviation - width <= result.mean.mean_absolute_error <= deviation + 1e-6 * (1 + deviation)
    assert result.mean.mean_squared_error == pytest.approx(truth.var(), rel=1e-6, abs=1e-6)
    assert result.model.mean_squared_error == 0


def test_the_random_baseline_is_the_mean_over_all_answers():
    truth = np.array([1.0, 2.0, 2.5, 7.0])
    answers = np.linspace(1, 7, 200_001)
    random = tally(truth, truth).random
    absolute = np.mean([np.abs(each - answers).mean() for each in truth])
    squared = np.mean([((each - answers) ** 2).mean() for each in truth])
    assert random.mean_absolute_error == pytest.approx(absolute, rel=1e-4)
    assert random.mean_squared_error == pytest.approx(squared, rel=1e-4)
    assert random.r_squared == pytest.approx(1 - squared / truth.var(), rel=1e-4)


def test_equal_true_values_have_no_r_squared():
    result = tally(np.full(3, 0.1), np.array([0.1, 0.2, 0.3]))
    assert result.model.r_squared is None
    assert result.mean.mean_absolute_error == pytest.approx(0, abs=1e-15)


def test_plots_count_every_row():
    random = np.random.default_rng(3)
    truth = random.normal(50, 1e-3, 1000) * 10.0 ** random.integers(-3, 9, 1000)
    result = tally(truth, truth * 1.5)
    assert result.pairs.counts.sum() == result.residuals.counts.sum() == 1000
    assert all(20 < size <= 64 for size in result.pairs.counts.shape)
    merged = result.pairs.merge(9, 64)
    assert merged.counts.sum() == 1000
    assert merged.counts.shape[0] <= 9
    assert merged.edges(0)[0] <= truth.min() < truth.max() <= merged.edges(0)[-1]


WIDE = st.builds(math.ldexp, NUMBER, st.integers(-300, 900))
"""Numbers of very different sizes."""


@given(st.lists(st.tuples(WIDE, NUMBER), min_size=1, max_size=40), st.integers(1, 9))
def test_bins_do_not_depend_on_the_order_of_rows(pairs, at_once):
    x, y = np.array(pairs, float).T
    one, other = GrowingHistogram(8), GrowingHistogram(8)
    for start in range(0, len(x), at_once):
        one.add(x[start : start + at_once], y[start : start + at_once])
    other.add(x[::-1], y[::-1])
    found, wanted = one.result(), other.result()
    np.testing.assert_array_equal(found.counts, wanted.counts)
    assert (found.starts, found.widths) == (wanted.starts, wanted.widths)
    assert max(found.counts.shape) <= 8
    edges = found.edges(0)
    counts, _ = np.histogram(x, np.concatenate([edges[:-1], [np.inf]]))
    np.testing.assert_array_equal(found.counts.sum(axis=1), counts)
