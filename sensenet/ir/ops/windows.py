"""Windows that slide over images: their geometry, and convolutions and pools in NumPy.

Images are f32[b, h, w, c]. A window of k pixels starts every `stride` pixels. With valid padding all
windows lie inside; with same padding there are ⌈n / stride⌉ of them, and the image is enlarged by
max((⌈n / stride⌉ - 1) · stride + k - n, 0) pixels, the smaller half (rounded down) before it.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator

import numpy as np

from sensenet.errors import InputError
from sensenet.ir.op import require
from sensenet.ir.types import Array, TensorType

Pair = tuple[int, int]
"""One number for the height and one for the width."""

BUFFER_ELEMENTS = 1 << 22
"""The most numbers (16 MiB of float32) that a convolution copies at a time, if a row of windows has fewer."""

CACHED_ELEMENTS = 1 << 17
"""The numbers (512 KiB of float32) of a part that is processed several times, so that it fits the cache."""


class Padding(enum.Enum):
    """The treatment of an image's edges: only windows inside the image, or zeros around it."""

    SAME = "same"
    VALID = "valid"


def count_windows(size: int, window: int, stride: int, padding: Padding) -> int:
    """Return the number of windows on an axis; at most 0 if the window exceeds a valid-padded axis."""
    return -(-size // stride) if padding is Padding.SAME else (size - window) // stride + 1


def same_padding(size: int, window: int, stride: int) -> Pair:
    """Return the pixels that same padding adds before and after an axis."""
    total = max((count_windows(size, window, stride, Padding.SAME) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def within_image(window: Pair, sizes: Pair, padding: Padding) -> Pair:
    """Return the window of a pool, limited to the size at which every window contains the whole image.

    With same padding, that is twice the image's size.
    """
    if padding is Padding.VALID:
        return window
    return min(window[0], 2 * sizes[0]), min(window[1], 2 * sizes[1])


def infer_windows(
    x: TensorType, window: Pair, strides: Pair, padding: Padding, channels: int | None
) -> TensorType:
    """Return the type of an image with one pixel for each window; raises VerifyError if there is none."""
    require(min(window) > 0, f"the window {window} is empty")
    require(min(strides) > 0, f"the strides {strides} are not positive")
    sizes: list[int | None] = []
    for size, length, stride in zip(x.shape[1:3], window, strides, strict=True):
        count = None if size is None else count_windows(size, length, stride, padding)
        require(count is None or count > 0, f"a window of {window} pixels does not fit into {x}")
        sizes.append(count)
    return x.with_shape((x.shape[0], *sizes, channels))


def enlarge(x: Array, rows: Pair, columns: Pair, value: float = 0.0) -> Array:
    """Return the image padded with rows and columns of a value; the image itself if there is no padding."""
    if rows == columns == (0, 0):
        return x
    batch, height, width, channels = x.shape
    shape = (batch, height + sum(rows), width + sum(columns), channels)
    enlarged: Array = np.full(shape, value, x.dtype)
    enlarged[:, rows[0] : rows[0] + height, columns[0] : columns[0] + width] = x
    return enlarged


def pad_for_windows(x: Array, window: Pair, strides: Pair, padding: Padding, value: float = 0.0) -> Array:
    """Return the image padded so that its windows with valid padding are those of `padding`.

    Raises InputError for an image without windows.
    """
    if padding is Padding.VALID:
        if x.shape[1] < window[0] or x.shape[2] < window[1]:
            raise InputError(
                f"an image of {x.shape[1]} × {x.shape[2]} pixels (height × width) is smaller than a window "
                f"of {window[0]} × {window[1]}"
            )
        return x
    rows, columns = (same_padding(*axis) for axis in zip(x.shape[1:3], window, strides, strict=True))
    return enlarge(x, rows, columns, value)


def convolve(x: Array, kernel: Array, strides: Pair, padding: Padding) -> Array:
    """Return Σ over i, j, c of x[b, y·s + i, x·s + j, c] · kernel[i, j, c, :], by matrix products.

    The windows are copied next to each other (im2col) for some rows of the result at a time; windows of one
    pixel are not copied.
    """
    height, width, channels, filters = kernel.shape
    matrix = kernel.reshape(height * width * channels, filters)
    if (height, width) == (1, 1):
        return _multiply(x[:, :: strides[0], :: strides[1]], matrix)
    x = pad_for_windows(x, (height, width), strides, padding)
    windows = view_windows(x, (height, width), strides)
    result = np.empty((*windows.shape[:3], filters), np.float32)
    for part in _parts(windows.shape, BUFFER_ELEMENTS):
        result[part] = _multiply(windows[part], matrix)
    return result


def _multiply(windows: Array, matrix: Array) -> Array:
    """Return [b, h, w, …] @ matrix by one matrix product, because many small ones take several times as long.

    The operands are contiguous, because NumPy's result differs in the last bit for other layouts.
    """
    outer = windows.shape[:3]
    rows = np.ascontiguousarray(windows).reshape(math.prod(outer), len(matrix))
    product: Array = np.matmul(rows, matrix)
    return product.reshape(*outer, matrix.shape[1])


def view_windows(x: Array, window: Pair, strides: Pair) -> Array:
    """Return f32[b, h', w', window height, window width, c]: all windows inside an image, without a copy."""
    batch, channels = x.shape[0], x.shape[3]
    counts = (count_windows(*axis, Padding.VALID) for axis in zip(x.shape[1:3], window, strides, strict=True))
    by_image, by_row, by_column, by_channel = x.strides
    return np.lib.stride_tricks.as_strided(
        x,
        (batch, *counts, *window, channels),
        (by_image, by_row * strides[0], by_column * strides[1], by_row, by_column, by_channel),
        writeable=False,
    )


def _parts(shape: tuple[int, ...], limit: int) -> Iterator[tuple[slice, slice]]:
    """Yield indices that split [b, h, …] into groups of images, or of rows of an image.

    Each has at most `limit` numbers, if that is possible.
    """
    batch, rows, *rest = shape
    row = max(math.prod(rest), 1)
    if row * rows <= limit:
        step = limit // max(row * rows, 1)
        for start in range(0, batch, step):
            yield slice(start, start + step), slice(None)
        return
    step = max(limit // row, 1)
    for image in range(batch):
        for start in range(0, rows, step):
            yield slice(image, image + 1), slice(start, start + step)


def convolve_depthwise(x: Array, kernel: Array, strides: Pair, padding: Padding) -> Array:
    """Return Σ over i, j of x[b, y·s + i, x·s + j, c] · kernel[i, j, c, m], in channel c · multiplier + m.

    Computes one product for each pixel of the window, over parts of the result that fit the cache. With
    stride 1, a row's columns and channels become one axis, since long loops are faster, unless the kernel,
    repeated for each column, takes much memory.
    """
    height, width, channels, multiplier = kernel.shape
    filters = channels * multiplier
    x = x if multiplier == 1 else x.repeat(multiplier, axis=3)
    x = pad_for_windows(x, (height, width), strides, padding)
    windows = view_windows(x, (height, width), strides)
    batch, rows, columns = windows.shape[:3]
    joined = strides[1] == 1 and height * width * columns * filters <= BUFFER_ELEMENTS
    row, copies = ((columns * filters,), columns) if joined else ((columns, filters), 1)
    taps = np.tile(kernel.reshape(height, width, filters), (1, 1, copies))
    result = np.zeros((batch, rows, *row), np.float32)
    for part in _parts(result.shape, CACHED_ELEMENTS):
        total, block = result[part], windows[part]
        product = np.empty_like(total)
        for i, j in np.ndindex(height, width):
            total += np.multiply(block[:, :, :, i, j].reshape(total.shape), taps[i, j], out=product)
    return result.reshape(batch, rows, columns, filters)


def reduce_windows(x: Array, ufunc: np.ufunc, window: Pair, strides: Pair) -> Array:
    """Return `ufunc` (maximum or add) reduced over each window of a padded image, first down the columns."""
    for axis, length, stride in zip((1, 2), window, strides, strict=True):
        count = count_windows(x.shape[axis], length, stride, Padding.VALID)
        result = _every(x, axis, 0, stride, count).copy()
        for offset in range(1, length):
            ufunc(result, _every(x, axis, offset, stride, count), out=result)
        x = result
    return x


def _every(x: Array, axis: int, start: int, step: int, count: int) -> Array:
    """Return a view of `count` entries of an axis from `start` on, `step` apart."""
    index: list[slice] = [slice(None)] * x.ndim
    index[axis] = slice(start, start + (count - 1) * step + 1, step)
    return x[tuple(index)]
