"""Parallel dense layers as one layer with a block-diagonal kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sensenet.ir.graph import Value
from sensenet.ir.ops.dense import Dense
from sensenet.passes.analysis.columns import starts, width
from sensenet.passes.analysis.linear_layers import bias_of
from sensenet.passes.analysis.sums import Sums, Weights, as_sums
from sensenet.records import frozen

LARGEST_BLOCK = 8192
"""Entries of a block-diagonal kernel that, zeros and all, cost less than the ops that they save: one row is
quicker on every target, 10,000 take up to 1.6 times as long. With 16,384 these take twice as long, and one
row gains nothing in LiteRT (benchmarks/ensembles.py)."""


@frozen(kw_only=True)
class ParallelLayers:
    """Results of dense layers on rows, f32[b, units], which may read the same values or different ones."""

    values: tuple[Value, ...]

    @property
    def layers(self) -> list[Dense]:
        return [value.op for value in self.values if isinstance(value.op, Dense)]

    @property
    def sources(self) -> tuple[Value, ...]:
        """The inputs of the layers, each value once."""
        return tuple(dict.fromkeys(value.node.inputs[0] for value in self.values))

    @property
    def size(self) -> int:
        """Entries of the kernel that makes the results side by side of the sources side by side."""
        return sum(map(_width, self.sources)) * sum(layer.units for layer in self.layers)

    @property
    def pays(self) -> bool:
        """Whether that kernel has no more weights than the layers, or so few that zeros don't matter."""
        return self.size <= max(sum(layer.kernel.array.size for layer in self.layers), LARGEST_BLOCK)

    def side_by_side(self) -> tuple[Weights, Weights]:
        """Return that kernel and its bias: zeros where a result does not depend on a source."""
        kernel = self._place(list(starts(self.values)), sum(layer.units for layer in self.layers))
        return kernel.value, np.concatenate([bias_of(layer) for layer in self.layers])

    def sum(self) -> tuple[Sums, Sums]:
        """Return the kernel and bias that make the sum of the results, which are equally wide."""
        kernel = self._place([0] * len(self.values), self.layers[0].units)
        biases = as_sums([bias_of(layer) for layer in self.layers])
        return kernel, biases.map(lambda rows: np.sum(rows, axis=0))

    def _place(self, columns: Sequence[int], units: int) -> Sums:
        rows = dict(zip(self.sources, starts(self.sources), strict=True))
        kernel, terms = np.zeros((2, sum(map(_width, self.sources)), units))
        for value, layer, column in zip(self.values, self.layers, columns, strict=True):
            row = rows[value.node.inputs[0]]
            height, own_units = layer.kernel.shape
            place = slice(row, row + height), slice(column, column + own_units)
            kernel[place] += layer.kernel.float64
            terms[place] += np.abs(layer.kernel.float64)
        return Sums(kernel, terms)


def _width(value: Value) -> int:
    return width(value) or 0
