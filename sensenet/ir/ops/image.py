"""Ops that prepare images for an image network, which reads f32[b, h, w, c].

The steps of SPEC §6 become these ops, in this order, on the pixel input with values from 0 to 255 (or on
`Index` of it if a row has several images):

- size: `Rescale`;
- removing a 4th channel: `Slice(axis=-1, start=0, stop=3)`;
- a `bgr` color space: `Gather(axis=-1, indices=[2, 1, 0])`, and once more for `channelwise_centering`;
- a mean image, f32[3] or f32[height, width, 3]: `Subtract` of a `Constant`;
- the loading method: `Standardize`, mean and stdev of shape [] or [3]:

      normalizing                 0                           255
      centering                   127.5                       127.5
      skewed_centering            128                         128
      channelwise_centering       [103.939, 116.779, 123.68]  1
      channelwise_standardizing   255·[0.485, 0.456, 0.406]   255·[0.229, 0.224, 0.225]
"""

from __future__ import annotations

import numpy as np

from sensenet.errors import InputError
from sensenet.ir.op import INTERPOLATED_COPIES, Op, require
from sensenet.ir.types import Array, DType, TensorType
from sensenet.records import frozen
from sensenet.signature import RescaleType


@frozen(kw_only=True)
class Index(Op):
    """x at one position of an axis, which is dropped: f32[b, n, h, w, c] → f32[b, h, w, c] for axis 1."""

    axis: int
    index: int

    def infer(self, x: TensorType) -> TensorType:
        require(0 <= self.axis < x.rank, f"no axis {self.axis} in {x}")
        size = x.shape[self.axis]
        require(
            self.index >= 0 and (size is None or self.index < size),
            f"no position {self.index} on axis {self.axis} of {x}",
        )
        return x.with_shape((*x.shape[: self.axis], *x.shape[self.axis + 1 :]))

    def evaluate(self, x: Array) -> Array:
        return x[(slice(None),) * self.axis + (self.index,)]


@frozen(kw_only=True)
class Rescale(Op):
    """Images of any size as images of one size; f32[b, h, w, c] → f32[b, height, width, c].

    Pixel k of an axis scaled from n to m pixels is pixel min(⌊(k + 0.5) · (n / m)⌋, n - 1), in float32
    (nearest neighbor, half-pixel centers). With s a ratio of sizes, in float32: warp scales to (height,
    width); pad (s is the smaller ratio) scales to round(h·s), round(w·s), halves to even, and fills below and
    right with the mean of all numbers of that scaled image; crop (s is the larger ratio) scales like pad, and
    starts at row round((h·s - height) / 2), columns likewise. `evaluate` raises InputError for an image so
    thin that it would have no pixels.
    """

    copies = INTERPOLATED_COPIES

    height: int
    width: int
    method: RescaleType

    def infer(self, x: TensorType) -> TensorType:
        require(x.dtype is DType.FLOAT32 and x.rank == 4, f"expected f32[b,h,w,c], found {x}")
        require(self.height > 0 and self.width > 0, f"no image has {self.height} × {self.width} pixels")
        return x.with_shape((x.shape[0], self.height, self.width, x.shape[3]))

    def evaluate(self, x: Array) -> Array:
        return rescale(x, (self.height, self.width), self.method)


def rescale(x: Array, size: tuple[int, int], method: RescaleType) -> Array:
    """Return images [b, h, w, c] of any dtype as f32[b, *size, c], as defined by `Rescale`."""
    if x.shape[1:3] == size:  # each method leaves it unchanged
        return x.astype(np.float32, copy=False)
    if 0 in x.shape[1:3]:
        raise InputError(f"an image of {x.shape[1]} × {x.shape[2]} pixels is empty")
    scaled_size, firsts = placement((x.shape[1], x.shape[2]), size, method)
    if 0 in scaled_size:
        raise InputError(
            f"an image of {x.shape[1]} × {x.shape[2]} pixels (height × width) is too thin to be rescaled to "
            f"{size[0]} × {size[1]} by rescale_type {method.value!r}: use 'warp' or 'crop'"
        )
    rows, columns = (
        nearest_indices(source, scaled, first, min(first + target, scaled))
        for source, scaled, first, target in zip(x.shape[1:3], scaled_size, firsts, size, strict=True)
    )
    scaled = x.take(rows, axis=1).take(columns, axis=2).astype(np.float32)
    if scaled.shape[1:3] == size:
        return scaled
    result = np.empty((len(x), *size, x.shape[3]), np.float32)
    result[:] = scaled.mean(axis=(1, 2, 3), dtype=np.float64).astype(np.float32).reshape(-1, 1, 1, 1)
    result[:, : scaled.shape[1], : scaled.shape[2]] = scaled
    return result


def placement(
    source: tuple[int, int], target: tuple[int, int], method: RescaleType
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the (height, width) that an image is scaled to, and its first row and column that are kept."""
    if method is RescaleType.WARP:
        return target, (0, 0)
    ratios = np.asarray(target, np.float32) / np.asarray(source, np.float32)
    exact = np.asarray(source, np.float32) * (ratios.min() if method is RescaleType.PAD else ratios.max())
    height, width = (int(size) for size in np.rint(exact))
    if method is RescaleType.PAD:
        return (height, width), (0, 0)
    offsets = np.rint((exact - np.asarray(target, np.float32)) / np.float32(2))
    return (height, width), (int(offsets[0]), int(offsets[1]))


def nearest_indices(source: int, target: int, first: int, end: int) -> Array:
    """Return int64[end - first]: the source pixel of each target pixel from `first` to `end`.

    The axis has `source` pixels before scaling, and `target` pixels after it.
    """
    centers = np.arange(first, end).astype(np.float32) + np.float32(0.5)
    indices = np.floor(centers * (np.float32(source) / np.float32(target))).astype(np.int64)
    result: Array = np.minimum(indices, source - 1)
    return result
