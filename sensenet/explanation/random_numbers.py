"""Random numbers that any language can repeat: the generator mulberry32, and shuffles by it.

Number n, from 0 on, is a function of the seed and n alone, with unsigned 32-bit arithmetic:

    a = seed + (n + 1) · 0x6D2B79F5
    t = (a ^ (a >> 15)) · (a | 1)
    t = t ^ (t + (t ^ (t >> 7)) · (t | 61))
    number = t ^ (t >> 14)
"""

from __future__ import annotations

import numpy as np

from sensenet.errors import SettingsError
from sensenet.ir.types import Array

STEP = 0x6D2B79F5


def require_seed(seed: object) -> int:
    """Return a seed; raise SettingsError unless it is an integer from 0 to 2³² - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 32:
        raise SettingsError(f"expected a seed from 0 to 4294967295, found {seed!r:.60}")
    return seed


def random_numbers(seed: int, start: int, count: int) -> Array:
    """Return u32[count], the numbers from `start` on."""
    a = np.arange(start + 1, start + count + 1, dtype=np.uint32) * np.uint32(STEP) + np.uint32(seed)
    t = (a ^ (a >> np.uint32(15))) * (a | np.uint32(1))
    t = t ^ (t + (t ^ (t >> np.uint32(7))) * (t | np.uint32(61)))
    numbers: Array = t ^ (t >> np.uint32(14))
    return numbers


def shuffled(size: int, count: int, seed: int, first: int = 0) -> Array:
    """Return i64[count, size], permutations of 0 … size - 1, beginning with number `first` of them.

    Each takes the next size - 1 random numbers r. For i = size - 1 … 1 it swaps the places i and
    floor(r · (i + 1) / 2³²).
    """
    draws = max(size - 1, 0)
    orders = np.tile(np.arange(size), (count, 1))
    numbers = random_numbers(seed, first * draws, count * draws).reshape(count, draws).astype(np.uint64)
    rows = np.arange(count)
    for draw, place in enumerate(range(size - 1, 0, -1)):
        other = (numbers[:, draw] * np.uint64(place + 1) >> np.uint64(32)).astype(np.int64)
        orders[rows, other], orders[:, place] = orders[:, place].copy(), orders[rows, other]
    return orders
