"""Irregular numbers from a seed."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

SEEDS = st.integers(0, 999)


def seeded(seed: int, *shape: int, scale: float = 1.0) -> np.ndarray:
    """float64[shape] of three digits between -scale and scale; for seed 0 all are half the scale."""
    one_kind = np.full(shape, 0.5 * scale)
    numbers = np.random.default_rng(seed).uniform(-scale, scale, shape) if seed else one_kind
    digits = max(0, 3 - int(np.floor(np.log10(scale))))
    return np.round(numbers, digits)
