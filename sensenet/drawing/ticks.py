"""Round numbers for the axes of plots."""

from __future__ import annotations

import math
from collections.abc import Sequence

TICKS = 5
"""About how many ticks an axis has."""


def ticks(low: float, high: float, most: int = TICKS) -> Sequence[float]:
    """Return round numbers in a range, about `most`."""
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= most + 0.5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
