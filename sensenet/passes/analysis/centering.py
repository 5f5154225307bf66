"""Finds how pixels are centered before a network: (source - mean) / stdev."""

from __future__ import annotations

import numpy as np

from sensenet.ir.graph import Value
from sensenet.ir.ops.arithmetic import Subtract
from sensenet.ir.ops.core import Constant
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.types import DType
from sensenet.passes.analysis.sums import Weights
from sensenet.records import frozen


@frozen(kw_only=True)
class Centered:
    """The images (source - mean) / stdev, f32[b, h, w, c]; mean and stdev broadcast to them."""

    source: Value
    mean: Weights
    stdev: Weights

    @property
    def channel_means(self) -> Weights | None:
        """float64[c]: the mean of each channel, if it is the same for all pixels."""
        return _by_channel(self.mean, self.source.type.shape[3])

    @property
    def channel_stdevs(self) -> Weights | None:
        """float64[c]: the stdev of each channel, if it is the same for all pixels."""
        return _by_channel(self.stdev, self.source.type.shape[3])


def find_centered(value: Value) -> Centered | None:
    """Return how a standardization or the subtraction of a constant centers images, else None."""
    if value.type.rank != 4 or value.type.dtype is not DType.FLOAT32 or not value.node.inputs:
        return None
    source, *others = value.node.inputs
    if source.type != value.type:
        return None
    match value.op:
        case Standardize(mean=mean, stdev=stdev):
            return Centered(source=source, mean=mean.float64, stdev=stdev.float64)
        case Subtract() if isinstance(second := others[0].op, Constant):
            return Centered(source=source, mean=second.value.float64, stdev=np.ones(()))
    return None


def _by_channel(numbers: Weights, channels: int | None) -> Weights | None:
    if not channels or not numbers.size:
        return None
    pixels: Weights = np.broadcast_to(numbers, (*numbers.shape[:-1], channels)).reshape(-1, channels)
    return pixels[0] if np.array_equal(pixels, np.broadcast_to(pixels[0], pixels.shape)) else None
