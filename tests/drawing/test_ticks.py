"""Ticks are round numbers inside of their range."""

from __future__ import annotations

import numpy as np
import pytest

from sensenet.drawing.ticks import ticks


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
