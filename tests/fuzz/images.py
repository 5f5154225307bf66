"""Encoded images of every format, damaged anywhere, and with other sizes in their headers."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from fuzz.formats import Case
from fuzz.mutators import mutate_bytes
from sensenet.errors import SensenetError
from sensenet.models.wrappers import create_model
from sensenet.runtime.decode_image import read_image

NAME = "image"

PIXELS = np.random.default_rng(0).integers(0, 256, (13, 11, 3), dtype=np.uint8).repeat(2, axis=0)

SIZES = (0, 1, 2, 255, 256, 4096, 32767, 65535, 65536, 10**5, 2**31 - 1, 2**31, 2**32 - 1)
"""What a field of a header may say."""


def _encode(file_format: str, mode: str = "RGB", **options: object) -> Case:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(stream, file_format, **options)
    return {NAME: stream.getvalue()}


def _photoshop() -> Case:
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, *PIXELS.shape[:2], 8, 3) + bytes(14)
    return {NAME: header + PIXELS.transpose(2, 0, 1).tobytes()}


def _cursor() -> Case:
    content = bytearray(_encode("ICO", sizes=[(11, 26)], bitmap_format="bmp")[NAME])
    content[2], content[10:14] = 2, bytes(4)
    return {NAME: bytes(content)}


def _frames(file_format: str) -> Case:
    return _encode(file_format, save_all=True, append_images=[Image.fromarray(255 - PIXELS)])


def seeds() -> list[Case]:
    """Return an image of each format, and of each way of packing that its decoder treats otherwise."""
    exif = Image.Exif()
    exif[270] = "text" * 9
    return [
        *(_encode("JPEG", exif=exif), _encode("JPEG", progressive=True), _encode("JPEG", "CMYK")),
        *(_encode("PNG"), _encode("PNG", "RGBA"), _encode("PNG", "P"), _encode("PNG", "1"), _frames("PNG")),
        *(_encode("BMP"), _encode("BMP", "P"), _encode("DIB"), _frames("GIF"), _encode("GIF", "L")),
        *(_encode("PPM"), _encode("PPM", "1"), _encode("WEBP"), _encode("WEBP", "RGBA", lossless=True)),
        *(_encode("TIFF", compression=name) for name in ("raw", "tiff_lzw", "jpeg", "tiff_adobe_deflate")),
        *(_encode("TIFF", "1", compression="group4"), _frames("TIFF"), _frames("WEBP"), _photoshop()),
        *(_encode("JPEG2000"), _encode("JPEG2000", "RGBA", irreversible=True), _encode("PCX"), _cursor()),
        *(
            _encode("ICO", sizes=[(11, 26), (5, 9)]),
            _encode("SGI"),
            _encode("TGA"),
            _encode("TGA", compression="tga_rle"),
        ),
    ]


def mutate(case: Case, random: Random) -> Case:
    """Return the image with damaged bytes, or with a field of 2 or 4 bytes replaced near its start."""
    content = case[NAME]
    if random.random() < 0.5:
        return {NAME: _repair(mutate_bytes(content, random))}
    changed = bytearray(content)
    for _ in range(random.randint(1, 3)):
        field = random.choice(("<H", ">H", "<I", ">I"))
        size = random.choice(SIZES) % (1 << 8 * struct.calcsize(field))
        at = random.randrange(max(1, min(len(content), random.choice((40, 200, 4000))) - 4))
        struct.pack_into(field, changed, at, size)
    return {NAME: _repair(bytes(changed))}


def _repair(content: bytes) -> bytes:
    """Return a PNG file with right checksums, so that what is in its chunks is read; others as they are."""
    if content[:8] != b"\x89PNG\r\n\x1a\n":
        return content
    result, at = bytearray(content[:8]), 8
    while at + 8 <= len(content):
        length = struct.unpack_from(">I", content, at)[0]
        body = content[at + 4 : at + 8 + length]
        result += content[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(result)


@functools.cache
def _model():
    kernel = np.ones((3, 3, 3, 2)).tolist()
    return create_model(
        {
            "preprocess": [{"index": 0, "type": "image"}],
            "trees": [],
            "image_network": {
                "metadata": {
                    "input_image_shape": [8, 8, 3],
                    "base_image_network": "simple",
                    "loading_method": "normalizing",
                },
                "layers": [
                    {"type": "convolution_2d", "kernel": kernel, "bias": None, "strides": [1, 1]}
                    | {"padding": "same", "activation_function": "relu"},
                    {"type": "global_average_pool_2d"},
                ],
            },
            "layers": [
                {"type": "dense", "weights": [[1, 2], [3, 4]], "offset": [0, 0]}
                | {"activation_function": "softmax"}
            ],
            "output_exposition": {"type": "categorical", "values": ["a", "b"]},
        },
        engine="numpy",
    )


def open(folder: Path) -> None:
    """Read the image from its path and from bytes, which must agree, and call a model with it."""
    path = folder / NAME
    content = path.read_bytes()
    try:
        pixels = read_image(path, "cell")
    except SensenetError:
        pixels = None
    try:
        again = read_image(content, "cell")
    except SensenetError:
        assert pixels is None, "the path is read, and the bytes are not"
        raise
    assert pixels is not None, "the bytes are read, and the path is not"
    np.testing.assert_array_equal(pixels, again)
    assert _model()([path, content]).shape == (2, 2)
