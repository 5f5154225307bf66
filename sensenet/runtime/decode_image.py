"""Reads the cells of image columns as pixels (SPEC §6).

A cell is None (one black pixel), a path, encoded bytes, an array or an image of Pillow. The content of a
file, not its name, determines the format. Decoding returns RGB: palettes and gray become colors, an alpha
channel is dropped (not composited), the orientation in EXIF is not applied. Only the first of several frames
is read, and only the high byte of PNG files with 16 bits per channel.
"""

from __future__ import annotations

import math
import os
import stat

import numpy as np

from sensenet.errors import InputError, InputTypeError
from sensenet.ir.ops.image import rescale
from sensenet.ir.types import Array
from sensenet.limits import require_memory
from sensenet.runtime.decoding import OpenedImage, open_encoded, open_pillow
from sensenet.runtime.image_lists import is_pillow_image
from sensenet.signature import ImageInput, RescaleType

FLOAT_BYTES = 4


def read_image(cell: object, where: str, channels: int = 3, path_prefix: str | None = None) -> Array:
    """Return the pixels of a cell, u8[h, w, channels]; the cell itself is never changed.

    Takes and raises what `open_image` does.
    """
    return open_image(cell, where, channels, path_prefix).read()


def open_image(cell: object, where: str, channels: int = 3, path_prefix: str | None = None) -> OpenedImage:
    """Return the image of a cell, without reading its pixels yet.

    `where` names the cell in error messages. All but arrays have 3 channels. Relative paths are taken
    from `path_prefix`. Raises InputError for an image that cannot be read or has a different number of
    channels, here or when it is read, and LimitError for one that would take more memory than allowed.
    """
    if isinstance(cell, np.ndarray):
        pixels = as_pixels(cell, where)
        require_channels(pixels.shape[2] if pixels.shape[2] > 1 else 3, channels, where)
        return _open_array(pixels, where)
    require_channels(3, channels, where)
    if cell is None:
        return OpenedImage(height=1, width=1, memory=3, read=lambda: np.zeros((1, 1, 3), np.uint8))
    if isinstance(cell, bytes | bytearray | memoryview):
        return open_encoded(cell, where)
    if is_pillow_image(cell):
        return open_pillow(cell, where)
    if isinstance(cell, str | os.PathLike):
        path = os.path.join(path_prefix or "", _path_text(cell, where))
        return open_encoded(_read_file(path, where), f"{where}: {path}")
    raise InputTypeError(
        f"{where}: expected an image (path, encoded bytes, array, image of Pillow or None), found "
        f"{type(cell).__name__}"
    )


def _path_text(cell: str | os.PathLike[str], where: str) -> str:
    try:
        return os.fsdecode(cell)
    except TypeError as error:  # a path whose `__fspath__` returns no text
        raise InputTypeError(f"{where}: {error}") from error


def _read_file(path: str, where: str) -> bytes:
    """Return the content of a regular file; raises InputError naming the path, LimitError for a huge one."""
    if not os.path.isfile(path):
        found = "not a file" if os.path.exists(path) else "no such file"
        raise InputError(f"{where}: {found}: {path!r} (see the setting 'image_path_prefix')")
    try:
        # it may have become a FIFO meanwhile, and opening that would block forever
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{where}: not a file: {path!r}")
            require_memory(status.st_size, f"{where}: reading {path!r}")
            return stream.read()
    except OSError as error:
        raise InputError(f"{where}: cannot read {path!r}: {error.strerror or error}") from error


def as_pixels(array: Array, where: str) -> Array:
    """Return a view [h, w, c] of an array of pixels, which may be [h, w]; c is 1, 3 or 4.

    Raises InputError for another shape, for numbers that are not pixels, and for masked pixels.
    """
    if isinstance(array, np.ma.MaskedArray) and np.any(array.mask):
        raise InputError(f"{where}: some pixels are masked: fill them first")
    plain = np.asarray(array)
    pixels = plain[..., None] if plain.ndim == 2 else plain
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.size == 0:
        raise InputError(
            f"{where}: expected pixels of shape [h, w], [h, w, 1], [h, w, 3] or [h, w, 4], "
            f"found {list(array.shape)}"
        )
    _require_numbers(pixels, where)
    return pixels


def _open_array(pixels: Array, where: str) -> OpenedImage:
    height, width, channels = pixels.shape
    as_it_is = pixels.dtype == np.uint8 and pixels.flags.c_contiguous  # else it is copied
    memory = 0 if as_it_is else pixels.size * (pixels.itemsize + 1)
    memory += pixels.size * 3 if channels == 1 else 0
    require_memory(memory, f"{where}: an array of {height} × {width} pixels")
    return OpenedImage(height=height, width=width, memory=memory, read=lambda: convert_array(pixels, where))


def convert_array(array: Array, where: str) -> Array:
    """Return an array of pixels, [h, w] or [h, w, 1] (gray), [h, w, 3] or [h, w, 4], as u8[h, w, 3 or 4].

    uint8 is used unchanged. Floats that all lie in [0, 1], and booleans, are scaled by 255; other numbers
    must lie in [0, 256), and are truncated to integers. Raises InputError for anything else.
    """
    pixels = as_pixels(array, where)
    if pixels.dtype != np.uint8:
        pixels = _to_bytes(pixels, where)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def _to_bytes(pixels: Array, where: str) -> Array:
    low, high = pixels.min(), pixels.max()
    if not (low >= 0 and high < 256):  # false for NaN too
        raise InputError(f"{where}: expected pixels in [0, 256), found [{low}, {high}]")
    if pixels.dtype.kind == "f" and high <= 1:
        pixels = pixels * pixels.dtype.type(255)
    if pixels.dtype.kind == "b":
        pixels = pixels * np.uint8(255)
    result: Array = pixels.astype(np.uint8)
    return result


def _require_numbers(pixels: Array, where: str) -> None:
    if pixels.dtype.kind not in "biuf":
        raise InputError(f"{where}: expected pixels as numbers, found an array of dtype {pixels.dtype}")


def require_batch(array: Array, where: str, channels: int = 3) -> None:
    """Raise InputError unless an array is a batch of images, [n, h, w, c] or [n, images, h, w, c].

    Raises LimitError if one row, as float32, would take more memory than allowed.
    """
    if array.ndim not in (4, 5) or 0 in array.shape[1:]:
        raise InputError(
            f"{where}: expected [rows, h, w, c] or [rows, images, h, w, c], found {list(array.shape)}"
        )
    _require_numbers(array, where)
    require_channels(array.shape[-1], channels, where)
    require_memory(FLOAT_BYTES * math.prod(array.shape[1:]), f"{where}: each row")


def require_channels(found: int, channels: int, where: str) -> None:
    """Raise InputError unless an image has the number of channels that the model reads."""
    if found != channels:
        spaces = {3: "; color_space 'rgb' or 'bgr' has 3", 4: "; color_space 'rgba' or 'bgra' has 4"}
        raise InputError(
            f"{where}: the image has {found} channels, expected {channels}{spaces.get(found, '')}"
        )


def fit_memory(opened: OpenedImage, image: ImageInput) -> int:
    """Return the most bytes that reading an image and rescaling it to the network's size can take."""
    read = opened.height * opened.width * image.channels
    return max(opened.memory, read + _fit_bytes(opened.height, opened.width, image))


def fitted_bytes(opened: OpenedImage, image: ImageInput) -> int:
    """Return the bytes of the result of `fit_image`."""
    size = (image.height, image.width) if image.size_known else (opened.height, opened.width)
    return math.prod(size) * image.channels * FLOAT_BYTES


def _fit_bytes(height: int, width: int, image: ImageInput) -> int:
    """Return the bytes that `fit_image` takes, the result included."""
    if not image.size_known:
        return height * width * image.channels * FLOAT_BYTES
    between = image.height * max(width, image.width)
    return (between + image.height * image.width * FLOAT_BYTES) * image.channels


def fit_image(pixels: Array, image: ImageInput, where: str) -> Array:
    """Return an image [h, w, c] rescaled to the network's size as the graph does: f32[height, width, c].

    If that size is unknown, the image keeps its own. The graph does not rescale such an image again, so
    images of several sizes can share a batch. Not for detectors, whose answer depends on the original size.
    Raises InputError naming the cell if no pixel of a thin image would be left, and LimitError if the
    network's size would take more memory than allowed.
    """
    needed = _fit_bytes(pixels.shape[0], pixels.shape[1], image)
    require_memory(needed, f"{where}: rescaling an image to {image.height} × {image.width} pixels")
    if not image.size_known:
        return pixels.astype(np.float32)
    try:
        size = (image.height, image.width)
        fitted: Array = rescale(pixels[None], size, RescaleType(image.rescale_type))[0]
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return fitted
