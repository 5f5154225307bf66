"""Pools: ops that reduce the pixels of an image, or of windows of it; images are f32[b, h, w, c].

Windows and padding are those of `sensenet.ir.ops.windows`. Strides and sizes are in the order height, width.
"""

from __future__ import annotations

import math

import numpy as np

from sensenet.ir.op import Op
from sensenet.ir.ops.convolution import require_image
from sensenet.ir.ops.windows import (
    Padding,
    Pair,
    infer_windows,
    pad_for_windows,
    reduce_windows,
    within_image,
)
from sensenet.ir.types import Array, TensorType
from sensenet.records import frozen


class Pool(Op):
    """The base of pools: one number for each window and channel; f32[b, h, w, c] → f32[b, h', w', c]."""

    pool_size: Pair
    strides: Pair
    padding: Padding

    def infer(self, x: TensorType) -> TensorType:
        require_image(x)
        return infer_windows(x, self.pool_size, self.strides, self.padding, x.shape[3])


@frozen(kw_only=True)
class MaxPool2D(Pool):
    """The largest number of each window, without padding."""

    pool_size: Pair
    strides: Pair
    padding: Padding = Padding.VALID

    def evaluate(self, x: Array) -> Array:
        window = within_image(self.pool_size, x.shape[1:3], self.padding)
        x = pad_for_windows(x, window, self.strides, self.padding, -math.inf)
        return reduce_windows(x, np.maximum, window, self.strides)


@frozen(kw_only=True)
class AveragePool2D(Pool):
    """The mean of the pixels of each window, without padding."""

    pool_size: Pair
    strides: Pair
    padding: Padding = Padding.VALID

    def evaluate(self, x: Array) -> Array:
        sizes = x.shape[1:3]
        window = within_image(self.pool_size, sizes, self.padding)
        x = pad_for_windows(x, window, self.strides, self.padding)
        total = reduce_windows(x, np.add, window, self.strides)
        result: Array = total / self.count_pixels(sizes)
        return result

    def count_pixels(self, sizes: Pair) -> Array:
        """Return f32[h', w', 1]: the number of pixels of each window that are in an image of h × w pixels."""
        inside = np.ones((1, *sizes, 1), np.float32)
        window = within_image(self.pool_size, sizes, self.padding)
        inside = pad_for_windows(inside, window, self.strides, self.padding)
        counts: Array = reduce_windows(inside, np.add, window, self.strides)[0]
        return counts


@frozen(kw_only=True)
class GlobalAveragePool2D(Op):
    """The mean of each channel over the whole image; f32[b, h, w, c] → f32[b, c].

    Summed in float64: a float32 sum over the pixels of a large image loses digits.
    """

    def infer(self, x: TensorType) -> TensorType:
        require_image(x)
        return x.with_shape((x.shape[0], x.shape[3]))

    def evaluate(self, x: Array) -> Array:
        result: Array = np.mean(x, axis=(1, 2), dtype=np.float64).astype(np.float32)
        return result


@frozen(kw_only=True)
class GlobalMaxPool2D(Op):
    """The largest number of each channel; f32[b, h, w, c] → f32[b, c]."""

    def infer(self, x: TensorType) -> TensorType:
        require_image(x)
        return x.with_shape((x.shape[0], x.shape[3]))

    def evaluate(self, x: Array) -> Array:
        result: Array = np.max(x, axis=(1, 2))
        return result
