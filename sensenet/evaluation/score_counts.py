"""Counts scores in bounded memory: each distinct score while there are few, then ever coarser ones.

A score is a float32 from 0 to 1, mapped to an integer key that keeps order. A score from 0.5 on is
represented by its distance from 1, which is exact in float32, so keys are as fine near 1 as near 0. If there
are more distinct keys than allowed, the last bit of all is dropped, and again, until they fit. So the counts
depend on the scores alone, not on the order or the batches that they come in.
"""

from __future__ import annotations

import attrs
import numpy as np

from sensenet.ir.types import Array

HALF = 0x3F000000
"""The bits of 0.5 as float32."""

MOST_SCORES = 65_536
"""The most distinct scores that are kept for a class."""

ALL_SCORES = 2**20
"""The same for all classes together; each may keep FEWEST_SCORES in any case."""

FEWEST_SCORES = 256

POSITIVE, NEGATIVE = 1, 0


def order_scores(scores: Array) -> Array:
    """Return i64[n], keys in the order of scores f32[n]; scores outside of 0 to 1 count as 0 or 1."""
    clipped = np.clip(scores, np.float32(0), np.float32(1)).astype(np.float32) + np.float32(0)  # no -0
    distances = np.minimum(clipped, np.float32(1) - clipped).view(np.int32).astype(np.int64)
    return np.where(clipped < 0.5, distances, 2 * HALF - distances)


def restore_scores(keys: Array) -> Array:
    """Return f32[n], the scores of keys."""
    distances = np.minimum(keys, 2 * HALF - keys).astype(np.int32).view(np.float32)
    return np.where(keys < HALF, distances, np.float32(1) - distances)


def drop_bits(keys: Array, bits: int) -> Array:
    """Return the keys with so many of the last bits of their distances from 0 or 1 set to zero."""
    distances = np.minimum(keys, 2 * HALF - keys) >> bits << bits
    return np.where(keys < HALF, distances, 2 * HALF - distances)


@attrs.define
class ScoreCounts:
    """The number of negatives and positives of each score.

    `keys` are i64[n], rising; `counts` i64[n, 2], negatives before positives. `dropped_bits` is 0 while the
    counts are exact.
    """

    most: int = MOST_SCORES
    keys: Array = attrs.field(factory=lambda: np.zeros(0, np.int64))
    counts: Array = attrs.field(factory=lambda: np.zeros((0, 2), np.int64))
    dropped_bits: int = 0

    def add(self, scores: Array, positive: Array) -> None:
        """Count scores f32[n], of which bool[n] belong to positives."""
        keys, counts = self._coarsen(*_count(order_scores(scores), positive))
        keys = np.concatenate([drop_bits(self.keys, self.dropped_bits), keys])
        order = np.argsort(keys, kind="stable")
        self.keys, self.counts = self._coarsen(keys[order], np.concatenate([self.counts, counts])[order])

    def _coarsen(self, keys: Array, counts: Array) -> tuple[Array, Array]:
        """Return the distinct keys of rising ones, and the sums of their counts; drop bits until they fit."""
        keys = drop_bits(keys, self.dropped_bits)
        starts = _find_starts(keys)
        while len(starts) > self.most:
            self.dropped_bits += 1
            starts = starts[_find_starts(drop_bits(keys[starts], self.dropped_bits))]
        sums = np.add.reduceat(counts, starts, axis=0) if len(starts) else counts
        return drop_bits(keys[starts], self.dropped_bits), sums

    @property
    def scores(self) -> Array:
        """The distinct scores, f32[n], rising."""
        return restore_scores(self.keys)


def _count(keys: Array, positive: Array) -> tuple[Array, Array]:
    """Return the distinct keys of i64[n], rising, and their counts: of them, bool[n] belong to positives."""
    marked = np.sort(keys << 1 | positive)
    ordered = marked >> 1
    starts = _find_starts(ordered)
    totals = np.diff(starts, append=len(ordered))
    positives = np.add.reduceat(marked & 1, starts) if len(starts) else totals
    return ordered[starts], np.stack([totals - positives, positives], axis=1)


def _find_starts(ordered: Array) -> Array:
    """Return the positions of rising numbers that differ from the one before."""
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])


def most_scores(classes: int) -> int:
    """Return how many distinct scores each of some classes may keep."""
    return max(FEWEST_SCORES, min(MOST_SCORES, ALL_SCORES // max(classes, 1)))
