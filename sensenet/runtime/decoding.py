"""Decodes images with Pillow, in a limited set of formats and within a limit on memory."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from sensenet.errors import InputError
from sensenet.ir.types import Array
from sensenet.limits import require_memory
from sensenet.records import frozen
from sensenet.runtime.image_tags import BOUNDED_SINCE, tag_bytes

if TYPE_CHECKING:
    from PIL import Image

FORMATS = (
    *("JPEG", "PNG", "BMP", "GIF", "PPM", "WEBP", "TIFF", "JPEG2000", "PSD"),
    *("ICO", "CUR", "DIB", "PCX", "SGI", "TGA"),
)
"""The formats that Pillow may decode: raster formats only. It would pass EPS files, for example, to another
program.

TGA comes last: it has no signature, so other files may look like it."""

BYTES_PER_PIXEL = 16
"""The most memory that decoding takes: Pillow's pixels, a copy as RGB, and two copies as bytes; before the
copies, the coefficients of a progressive JPEG."""

MORE_BYTES_PER_PIXEL = {"WEBP": 20, "JPEG2000": 28}
"""The same for formats whose decoders hold several canvases, or channels as 32-bit integers."""

MOST_SCANS = 100
"""The most scans of a JPEG file, as in libtiff: each processes all pixels, however few bytes it has."""

START_OF_SCAN = b"\xff\xda"

PNG_HEADER = re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR(.{8})", re.DOTALL)
"""The header of a PNG file; its group is the width and height."""

TILE_WIDTH, TILE_LENGTH = 322, 323
"""The TIFF tags of the size of a tile, which may be larger than the image."""

_PILLOW_WARNINGS: Any = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


@frozen(kw_only=True)
class OpenedImage:
    """An image of known size, whose pixels are read on demand.

    `memory` is the most bytes that reading takes, `format` is empty if it is not encoded, `read` returns
    u8[height, width, channels].
    """

    height: int
    width: int
    memory: int
    format: str = ""
    read: Callable[[], Array]


def open_encoded(content: bytes | bytearray | memoryview, where: str) -> OpenedImage:
    """Return the image in an encoded file, in RGB, and the first of several frames.

    Raises InputError for an unknown format or a damaged header; LimitError for an image that would take more
    memory than allowed. `read` raises InputError for a damaged or truncated image.
    """
    import PIL
    from PIL import Image, UnidentifiedImageError

    try:
        content = bytes(content)
    except Exception as error:  # such as that of a released view
        raise _undecodable(where, error) from error
    if int(PIL.__version__.partition(".")[0]) < BOUNDED_SINCE:
        require_memory(tag_bytes(content), f"{where}: reading the tags of the image")
    try:
        with _ignore_warnings():
            image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise InputError(f"{where}: not an image in a known format ({', '.join(FORMATS)})") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{where}: {error} (PIL.Image.MAX_IMAGE_PIXELS is the limit)") from error
    except Exception as error:  # decoders raise exceptions of many types for damaged files
        raise _undecodable(where, error) from error
    if image.format == "ICO":  # it may contain PNG files larger than its header says
        for found in PNG_HEADER.finditer(content):
            width, height = struct.unpack(">II", found[1])
            _require_pixels(width, height, BYTES_PER_PIXEL, where)
    memory = len(content) + _memory(image, where)
    if image.format in ("JPEG", "MPO") and content.count(START_OF_SCAN) > MOST_SCANS:
        raise InputError(f"{where}: the image has more than {MOST_SCANS} scans: save it again with fewer")
    return OpenedImage(
        height=image.height,
        width=image.width,
        memory=memory,
        format=image.format or "",
        read=lambda: _decode(image, where),
    )


def open_pillow(image: Image.Image, where: str) -> OpenedImage:
    """Return an image of Pillow as it would be read from its file, in RGB; it stays open.

    One of 16 bits without a file, such as a part of another, is read like PNG.

    Raises LimitError for an image that would take more memory than allowed; `read` raises InputError for a
    damaged or truncated image, or one that is closed.
    """

    def read() -> Array:
        try:
            with _ignore_warnings():
                return _to_rgb(image)
        except Exception as error:
            raise _undecodable(where, error) from error

    return OpenedImage(height=image.height, width=image.width, memory=_memory(image, where), read=read)


def _undecodable(where: str, error: Exception) -> InputError:
    return InputError(f"{where}: the image cannot be decoded: {str(error) or type(error).__name__}")


def _memory(image: Image.Image, where: str) -> int:
    """Return the bytes that decoding takes; raise LimitError if they are more than allowed."""
    width, height = image.size
    per_pixel = MORE_BYTES_PER_PIXEL.get(image.format or "", BYTES_PER_PIXEL)
    memory = _require_pixels(width, height, per_pixel, where)
    tags = getattr(image, "tag_v2", {})
    tile_width, tile_length = (tags.get(tag) for tag in (TILE_WIDTH, TILE_LENGTH))
    if isinstance(tile_width, int) and isinstance(tile_length, int):
        memory += _require_pixels(tile_width, tile_length, per_pixel, f"{where}: tiles")
    return memory


def _require_pixels(width: int, height: int, per_pixel: int, where: str) -> int:
    memory = width * height * per_pixel
    require_memory(memory, f"{where}: an image of {width} × {height} pixels")
    return memory


def _decode(image: Image.Image, where: str) -> Array:
    try:
        with _ignore_warnings(), image:
            return _to_rgb(image)
    except Exception as error:
        raise _undecodable(where, error) from error


def _to_rgb(image: Image.Image) -> Array:
    deep = "I" if image.format == "PNG" else "I;16"  # some versions open PNG of 16 bits as "I"
    if image.format in ("PNG", None) and image.mode.startswith(deep):  # 16 bits of gray: the high byte
        gray = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


@contextlib.contextmanager
def _ignore_warnings() -> Iterator[None]:
    """Ignore Pillow's warnings about a file, such as a damaged tag.

    `warnings.catch_warnings` would affect other threads too, and restore filters that others have changed.
    """
    filters: Any = warnings.filters
    filters.insert(0, _PILLOW_WARNINGS)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # somebody has reset the filters meanwhile
            warnings.filters.remove(_PILLOW_WARNINGS)  # type: ignore[attr-defined]


@functools.cache
def image_suffixes() -> frozenset[str]:
    """Return the file name suffixes of the formats, such as `.jpg`."""
    from PIL import Image

    return frozenset(name for name, value in Image.registered_extensions().items() if value in FORMATS)
