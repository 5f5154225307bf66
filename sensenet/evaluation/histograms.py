"""Counts numbers of an unknown range in bins, in one pass and constant memory.

The width of a bin is a power of two, its edges are multiples of it, and it doubles while the numbers span
more bins than allowed. So the bins depend on the numbers alone, not on their order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import numpy as np

from sensenet.ir.types import Array
from sensenet.records import frozen

PLOT_BINS = 64
"""The most bins of an axis of a plot; unless numbers are few, there are more than a quarter as many."""

SMALLEST_EXPONENT = -1000
"""Bins are at least 2**-1000 wide."""

EXACT_BITS = 52
"""A number is at most 2**52 bins away from 0, so that floats count bins exactly."""


@frozen(kw_only=True, eq=False)
class Histogram:
    """Counts of numbers on one axis or two.

    `counts` is f64[n] or f64[n, m], `sums` the sums of the numbers of the first axis in each bin,
    `starts` the lower edge of each axis, and `widths` the width of its bins.
    """

    counts: Array
    sums: Array
    starts: tuple[float, ...]
    widths: tuple[float, ...]

    def edges(self, axis: int = 0) -> Array:
        """Return f64[n + 1], the edges of the bins of an axis."""
        edges: Array = self.starts[axis] + self.widths[axis] * np.arange(self.counts.shape[axis] + 1)
        return edges

    def merge(self, *most: int) -> Histogram:
        """Return the histogram with at most so many bins of each axis."""
        layers, axes = np.stack([self.counts, self.sums]), []
        for axis, (start, width) in enumerate(zip(self.starts, self.widths, strict=True)):
            first = round(start / width)
            old = Bins(math.frexp(width)[1] - 1, first, first + self.counts.shape[axis] - 1)
            axes.append(old.cover(old, most[axis]))
            layers = _move(layers, axis + 1, old, axes[-1])
        return _histogram(layers, axes)


@frozen
class Bins:
    """The bins of an axis: `first` to `last` are multiples of 2**exponent."""

    exponent: int
    first: int
    last: int

    def cover(self, other: Bins, most: int) -> Bins:
        """Return the narrowest bins, at most so many, of both."""
        exponent = max(self.exponent, other.exponent)
        while True:
            first = min(bins.first >> exponent - bins.exponent for bins in (self, other))
            last = max(bins.last >> exponent - bins.exponent for bins in (self, other))
            if last - first < most:
                return Bins(exponent, first, last)
            exponent += 1

    def find(self, numbers: Array) -> Array:
        """Return i64[n], the positions of the bins of numbers."""
        return _multiples(numbers, self.exponent) - self.first


def find_bins(numbers: Array) -> Bins:
    """Return the narrowest bins of finite numbers f64[n], of which there are some."""
    low, high = float(numbers.min()), float(numbers.max())
    largest = max(abs(low), abs(high))
    exponent = max(SMALLEST_EXPONENT, math.frexp(largest)[1] - EXACT_BITS) if largest else SMALLEST_EXPONENT
    return Bins(exponent, *_multiples(np.array([low, high]), exponent).tolist())


def _multiples(numbers: Array, exponent: int) -> Array:
    """Return i64[n], the largest multiples of 2**exponent that are not above the numbers."""
    multiples = np.floor(np.ldexp(numbers, -exponent)).astype(np.int64)
    return np.where(numbers < 0, np.minimum(multiples, -1), multiples)  # of a tiny one, ldexp is -0


@attrs.define
class GrowingHistogram:
    """Counts numbers in bins on one axis, or pairs of numbers on two, at most `most` bins each.

    `layers` is f64[2, bins of each axis]: the counts, and the sums of the first numbers.
    """

    most: int = PLOT_BINS
    axes: tuple[Bins, ...] = ()
    layers: Array = attrs.field(factory=lambda: np.zeros((2, 0)))

    def add(self, *columns: Array) -> None:
        """Count finite numbers f64[n], one array for each axis."""
        if not len(columns[0]):
            return
        found = tuple(map(find_bins, columns))
        before = self.axes or found
        if not self.axes:
            self.layers = np.zeros((2, *(1 for _ in columns)))
            before = tuple(Bins(bins.exponent, bins.first, bins.first) for bins in found)
        self.axes = tuple(old.cover(new, self.most) for old, new in zip(before, found, strict=True))
        for axis, (old, new) in enumerate(zip(before, self.axes, strict=True)):
            self.layers = _move(self.layers, axis + 1, old, new)
        shape = self.layers.shape[1:]
        positions = [bins.find(numbers) for bins, numbers in zip(self.axes, columns, strict=True)]
        flat = np.ravel_multi_index(positions, shape)
        for layer, weights in enumerate((None, columns[0])):
            self.layers[layer] += np.bincount(flat, weights, math.prod(shape)).reshape(shape)

    def result(self) -> Histogram:
        """Return the counts of all bins between the first and the last."""
        return _histogram(self.layers, self.axes)


def _histogram(layers: Array, axes: Sequence[Bins]) -> Histogram:
    return Histogram(
        counts=layers[0],
        sums=layers[1],
        starts=tuple(math.ldexp(bins.first, bins.exponent) for bins in axes),
        widths=tuple(math.ldexp(1.0, bins.exponent) for bins in axes),
    )


def _move(layers: Array, axis: int, old: Bins, new: Bins) -> Array:
    """Return the layers with the bins of an axis added up to wider ones, and others before and after them."""
    if old == new:
        return layers
    bins = (old.first + np.arange(layers.shape[axis]) >> new.exponent - old.exponent) - new.first
    shape = list(layers.shape)
    shape[axis] = new.last - new.first + 1
    moved = np.zeros(shape)
    np.add.at(np.moveaxis(moved, axis, 0), bins, np.moveaxis(layers, axis, 0))
    return moved
