"""Comparisons of two models for the same rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensenet.evaluation.comparison import ClassPairs, NumberPairs, difference_interval, exact_p_value

stats = pytest.importorskip("scipy.stats")


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_p_value_is_that_of_the_binomial_test(b, c):
    wanted = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert exact_p_value(b, c) == pytest.approx(wanted, rel=1e-9)


def test_many_differences_have_a_p_value_too():
    assert exact_p_value(1_000_000, 1_002_000) == pytest.approx(0.1575, abs=1e-3)
    assert exact_p_value(0, 5000) == 0


def test_the_interval_by_hand():
    low, high = difference_interval(3, 9, 100)
    half = 1.959963984540054 * np.sqrt((3.5 + 9.5) - 6**2 / 102) / 102
    assert (low, high) == pytest.approx((6 / 102 - half, 6 / 102 + half))
    assert difference_interval(0, 1, 1)[1] == 1


def test_classifiers_by_hand():
    truth = np.array([0, 0, 1, 1])
    first = np.float32([[0.75, 0.25], [0.25, 0.75], [0.25, 0.75], [0.25, 0.75]])
    second = np.float32([[0.25, 0.75], [0.75, 0.25], [0.25, 0.75], [0.75, 0.25]])
    pairs = ClassPairs()
    pairs.add(truth[:3], first[:3], second[:3])
    pairs.add(truth[3:], first[3:], second[3:])
    result = pairs.result("a", "b")
    assert (result.rows, result.disagreements) == (4, 3)
    assert (result.only_first_right, result.only_second_right) == (2, 1)
    assert result.p_value == 1
    assert result.accuracy_difference == pytest.approx(-0.25)
    assert (result.mean_change, result.largest_change) == (6 * 0.5 / 8, 0.5)


def test_regressions_by_hand():
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    pairs = NumberPairs()
    pairs.add(truth[:1], truth[:1], truth[:1] + 1)
    pairs.add(truth[1:], truth[1:] + 1, truth[1:] - 0.5)
    result = pairs.result("a", "b")
    differences = np.array([1, -0.5, -0.5, -0.5])
    error = differences.std(ddof=1) / 2
    assert result.error_difference == pytest.approx(differences.mean())
    assert result.interval == pytest.approx(
        (differences.mean() - 1.959963984540054 * error, differences.mean() + 1.959963984540054 * error)
    )
    assert result.p_value == pytest.approx(2 * stats.norm.sf(abs(differences.mean()) / error))
    assert (result.mean_change, result.largest_change) == pytest.approx((5.5 / 4, 1.5))


def test_regressions_with_the_same_errors_do_not_differ():
    pairs = NumberPairs()
    pairs.add(np.arange(3.0), np.arange(3.0) + 1, np.arange(3.0) + 1)
    assert pairs.result("a", "b").p_value == 1
    pairs = NumberPairs()
    pairs.add(np.arange(3.0), np.arange(3.0), np.arange(3.0) + 1)
    assert pairs.result("a", "b").p_value == 0


def test_one_row_has_no_interval():
    pairs = NumberPairs()
    pairs.add(np.ones(1), np.ones(1), np.zeros(1))
    result = pairs.result("a", "b")
    assert (result.interval, result.p_value) == (None, None)
