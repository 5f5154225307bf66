"""Plots: ticks are round numbers in their range, and any numbers have a place."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sensenet.drawing.plot import Plot, find_range, ticks, widen

EXTREMES = (0.0, 1.0, -1.0, 5e-324, -1e-300, 1e300, -1.7e308, 1.7e308, 3.4e38, 1e15, 1e15 + 1, np.nan, np.inf)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (18, 41.3, [20, 25, 30, 35, 40]),
        (-1e-5, 1e-5, [-1e-5, -5e-6, 0, 5e-6, 1e-5]),
        (990, 1010, [990, 995, 1000, 1005, 1010]),
    ],
)
def test_ticks_are_round(low, high, wanted):
    np.testing.assert_allclose(ticks(low, high), wanted, atol=1e-12)


def test_ranges_have_margins_and_are_never_empty():
    assert widen(2, 4) == (2, 4)
    assert widen(2, 4, 0.25) == (1.5, 4.5)
    assert widen(3, 3) == (1.5, 4.5)
    assert widen(1e15, 1e15 + 1) == (5e14, 1.5e15 + 1.5)
    assert find_range(np.array([np.nan, 4, 2, np.inf])) == (2, 4)
    assert find_range(np.array([np.nan])) == (0, 1)


def test_places_are_inside_of_the_axes():
    plot = Plot(x=(0, 10), y=(0, 1))
    across = plot.across(np.array([-5, 0, 5, 10, 15, np.nan, np.inf])).tolist()
    left, right = plot.left, plot.width - plot.right
    assert across == [left, left, (left + right) / 2, right, right, left, right]
    assert plot.down(np.array([1.0, 0.0])).tolist() == [plot.top, plot.height - plot.bottom]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("low", "high"), list(itertools.combinations_with_replacement(EXTREMES, 2)))
def test_any_numbers_are_drawn(low, high):
    x, y = np.array([low, high]), np.array([high, low])
    plot = Plot(x=find_range(x), y=find_range(y, 0.05))
    drawn = plot.draw(
        "label", "x", "y", [plot.line(x, y, "curve"), plot.box((low, high), (low, high), "bar", "")]
    )
    assert "nan" not in drawn
    assert "inf" not in drawn
    assert 2 <= drawn.count('class="end"') <= 12
