"""Pictures as pixels: reads the cells of image columns, with Pillow and NumPy (SPEC §6).

A cell is None (one black pixel), a path, encoded bytes or an array. The content of a file decides how it is
decoded, not its name. Decoding gives RGB: palettes and grey become colours, an alpha channel is dropped (not
composited), the orientation that a camera noted (EXIF) is not applied. Of several frames the first counts, of
PNG files with 16 bits a channel the high byte.
"""

from __future__ import annotations

import functools
import io
import os
from typing import IO, TYPE_CHECKING

import numpy as np

from sensenet.errors import InputError, InputTypeError
from sensenet.ir.ops.image import RescaleType, rescale
from sensenet.ir.signature import ImageInput
from sensenet.ir.types import Array

if TYPE_CHECKING:
    from PIL import Image

FORMATS = (
    *("JPEG", "PNG", "BMP", "GIF", "PPM", "WEBP", "TIFF", "JPEG2000", "PSD"),
    *("ICO", "CUR", "DIB", "PCX", "SGI", "TGA"),
)
"""What Pillow may decode: raster formats only. It would hand EPS files, for one, to another program.

TGA comes last: it has no signature, so that other files may look like it."""


def read_image(cell: object, where: str, channels: int = 3, path_prefix: str | None = None) -> Array:
    """uint8[h, w, channels]: the pixels of a cell; the cell itself is never changed.

    `where` names the cell in error messages. Files, bytes and None have 3 channels. Relative paths are taken
    from `path_prefix`. Raises InputError for a picture that cannot be read or has other channels.
    """
    if cell is None:
        pixels = np.zeros((1, 1, 3), np.uint8)
    elif isinstance(cell, str | os.PathLike):
        pixels = read_file(os.path.join(path_prefix or "", os.fsdecode(cell)), where)
    elif isinstance(cell, bytes | bytearray | memoryview):
        pixels = decode_image(io.BytesIO(cell), where)
    elif isinstance(cell, np.ndarray):
        pixels = convert_array(cell, where)
    else:
        raise InputTypeError(
            f"{where}: expected a picture (path, encoded bytes, array or None), found {type(cell).__name__}"
        )
    require_channels(pixels, channels, where)
    return pixels


def read_file(path: str, where: str) -> Array:
    """uint8[h, w, 3]: the pixels of a file; raises InputError naming the path."""
    if not os.path.isfile(path):
        raise InputError(f"{where}: there is no file {path!r} (see the setting 'image_path_prefix')")
    try:
        with open(path, "rb") as stream:
            return decode_image(stream, f"{where}: {path}")
    except OSError as error:
        raise InputError(f"{where}: cannot read {path!r}: {error}") from error


def decode_image(stream: IO[bytes], where: str) -> Array:
    """uint8[h, w, 3]: the pixels of an encoded picture.

    Raises InputError for one that is truncated or in no known format, and for one that would decode to more
    than twice `PIL.Image.MAX_IMAGE_PIXELS` pixels (a decompression bomb).
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(stream, formats=FORMATS) as image:
            return _to_rgb(image)
    except UnidentifiedImageError as error:
        raise InputError(f"{where}: this is no picture in a known format ({', '.join(FORMATS)})") from error
    except Exception as error:  # decoders meet broken files with exceptions of many types
        raise InputError(f"{where}: the picture cannot be decoded: {error}") from error


@functools.cache
def image_suffixes() -> frozenset[str]:
    """Return the suffixes of file names that the formats have, such as `.jpg`."""
    from PIL import Image

    formats = {*FORMATS, "MPO"}  # what JPEG files with several frames are called
    return frozenset(name for name, value in Image.registered_extensions().items() if value in formats)


def is_image_file(path: str) -> bool:
    """Return whether the content of a file is that of an image, in a format that has a signature."""
    from PIL import Image

    try:
        with Image.open(path, formats=[name for name in FORMATS if name != "TGA"]):
            return True
    except Exception:  # decoders meet other files with exceptions of many types
        return False


def _to_rgb(image: Image.Image) -> Array:
    if image.format == "PNG" and image.mode.startswith("I"):  # 16 bits of grey
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return _repeat_channel(grey[..., None])
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _repeat_channel(grey: Array) -> Array:
    return np.repeat(grey, 3, axis=2)


def convert_array(array: Array, where: str) -> Array:
    """uint8[h, w, 3 or 4]: an array of pixels, [h, w] or [h, w, 1] (grey), [h, w, 3] or [h, w, 4].

    uint8 is taken as it is. Floats that all lie in [0, 1], and booleans, are scaled by 255; other numbers lie
    in [0, 256), and are cut to integers. Raises InputError for anything else.
    """
    pixels = array[..., None] if array.ndim == 2 else array
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.size == 0:
        raise InputError(
            f"{where}: expected pixels of shape [h, w], [h, w, 1], [h, w, 3] or [h, w, 4], "
            f"found {list(array.shape)}"
        )
    if pixels.dtype != np.uint8:
        pixels = _to_bytes(pixels, where)
    return _repeat_channel(pixels) if pixels.shape[2] == 1 else pixels


def _to_bytes(pixels: Array, where: str) -> Array:
    _require_numbers(pixels, where)
    low, high = pixels.min(), pixels.max()
    if not (low >= 0 and high < 256):  # false for NaN too
        raise InputError(f"{where}: pixels lie in [0, 256), these in [{low}, {high}]")
    if pixels.dtype.kind == "f" and high <= 1:
        pixels = pixels * pixels.dtype.type(255)
    if pixels.dtype.kind == "b":
        pixels = pixels * np.uint8(255)
    result: Array = pixels.astype(np.uint8)
    return result


def _require_numbers(pixels: Array, where: str) -> None:
    if pixels.dtype.kind not in "biuf":
        raise InputError(f"{where}: pixels are numbers, found an array of dtype {pixels.dtype}")


def convert_batch(array: Array, where: str, channels: int = 3) -> Array:
    """float32, same shape: a whole batch of pictures in one array, [n, h, w, c] or [n, pictures, h, w, c].

    Its numbers go to the network as they are: nothing is scaled, checked or cut, even where all lie in
    [0, 1]. Raises InputError for another number of axes or channels.
    """
    if array.ndim not in (4, 5) or 0 in array.shape[1:]:
        raise InputError(
            f"{where}: expected [rows, h, w, c] or [rows, pictures, h, w, c], found {list(array.shape)}"
        )
    _require_numbers(array, where)
    require_channels(array, channels, where)
    return array.astype(np.float32)


def require_channels(pixels: Array, channels: int, where: str) -> None:
    """Raise InputError unless the last axis has that many entries."""
    found = pixels.shape[-1]
    if found != channels:
        spaces = {3: "; color_space 'rgb' or 'bgr' takes 3", 4: "; color_space 'rgba' or 'bgra' takes 4"}
        raise InputError(
            f"{where}: the picture has {found} channels, the model takes {channels}{spaces.get(found, '')}"
        )


def fit_image(pixels: Array, image: ImageInput, where: str) -> Array:
    """float32[height, width, c]: a picture [h, w, c] brought to the network's size, as the graph does it.

    Where that size is not known, the picture as it is.
    The graph's own rescaling leaves such a picture as it is, so pictures of several sizes can share a batch.
    Not for detectors, whose answer depends on the original size. Raises InputError naming the cell where
    nothing of a thin picture would be left.
    """
    if not image.size_known:
        return pixels.astype(np.float32)
    try:
        size = (image.height, image.width)
        fitted: Array = rescale(pixels[None], size, RescaleType(image.rescale_type))[0]
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return fitted
