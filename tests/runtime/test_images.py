"""Reading images: recorded pixels, files made here, arrays of every kind, and files that mean harm."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sensenet.errors import InputError, InputTypeError, LimitError
from sensenet.ir.ops.image import Rescale
from sensenet.limits import VARIABLE
from sensenet.runtime.decode_image import fit_image, read_image, require_batch
from sensenet.signature import ImageInput, RescaleType

RGB = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
RGBA = np.random.default_rng(1).integers(0, 256, (7, 5, 4), dtype=np.uint8)


def encode(pixels, file_format="PNG", mode=None, **options):
    stream = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(stream, file_format, **options)
    return stream.getvalue()


def png(width, height, depth, color_type, rows):
    """A PNG file from raw rows of bytes, for what Pillow does not write."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_recorded_pixels(conformance):
    """Every file that the published package reads gives the same pixels, bit for bit."""
    recorded = json.loads((conformance / "decoded.json").read_text())
    refused = []
    for name, expected in recorded.items():
        try:
            pixels = read_image(name, "cell", path_prefix=str(conformance / "images"))
        except InputError:
            refused.append(name)
            assert "error" in expected, name
            continue
        if "error" not in expected:
            assert list(pixels.shape) == expected["shape"]
            assert hashlib.sha256(np.ascontiguousarray(pixels)).hexdigest() == expected["sha256"], name
    assert 0 < len(refused) < len(recorded) / 10


def test_none_is_one_black_pixel():
    np.testing.assert_array_equal(read_image(None, "cell"), np.zeros((1, 1, 3), np.uint8))


@pytest.mark.parametrize("wrapped", [bytes, bytearray, memoryview])
def test_encoded_bytes(wrapped):
    pixels = read_image(wrapped(encode(RGB)), "cell")
    np.testing.assert_array_equal(pixels, RGB)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr", "I;16"])
def test_images_of_pillow_are_read_as_their_files(mode):
    deep = Image.fromarray(RGB[:, :, 0].astype(np.uint16) * 257)
    image = deep if mode == "I;16" else Image.fromarray(RGB).convert(mode)
    file_format = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    stream = io.BytesIO()
    image.save(stream, file_format)
    opened = Image.open(io.BytesIO(stream.getvalue()))
    for _ in range(2):  # it stays open
        np.testing.assert_array_equal(read_image(opened, "cell"), read_image(stream.getvalue(), "cell"))
    assert opened.mode == Image.open(io.BytesIO(stream.getvalue())).mode


def test_images_of_pillow_without_a_file():
    image = Image.fromarray(RGB)
    pixels = read_image(image, "cell")
    np.testing.assert_array_equal(pixels, RGB)
    np.testing.assert_array_equal(np.asarray(image), RGB)


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_parts_of_images_with_16_bits_are_read_as_their_files(mode):
    kind = np.dtype(np.uint16).newbyteorder(">" if mode == "I;16B" else "<")
    image = Image.frombytes(mode, (3, 1), np.array([0, 0x1234, 0xFFFF], kind).tobytes())
    for each in (image, image.crop((0, 0, 3, 1))):
        assert read_image(each, "cell").tolist() == [[[0, 0, 0], [0x12] * 3, [255] * 3]]


def test_images_of_pillow_that_cannot_be_read(monkeypatch):
    content = encode(np.zeros((90, 80, 3), np.uint8), "PNG")
    with pytest.raises(InputError, match="cell: the image cannot be decoded"):
        read_image(Image.open(io.BytesIO(content[:-60])), "cell")
    closed = Image.open(io.BytesIO(content))
    closed.close()
    with pytest.raises(InputError, match="cell: the image cannot be decoded"):
        read_image(closed, "cell")
    monkeypatch.setenv(VARIABLE, "10000")
    with pytest.raises(LimitError, match="cell: an image of 80 × 90 pixels"):
        read_image(Image.open(io.BytesIO(content)), "cell")


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "TGA"])
def test_formats(file_format):
    black_or_white = np.where(RGB[:, :, :1] > 127, np.uint8(255), np.uint8(0)).repeat(3, axis=2)
    options = {"lossless": True} if file_format == "WEBP" else {}
    np.testing.assert_array_equal(
        read_image(encode(black_or_white, file_format, **options), "cell"), black_or_white
    )


def test_paths(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.dat").write_bytes(encode(RGB))
    monkeypatch.chdir(tmp_path)
    for path in ("inner/a.dat", Path("inner/a.dat"), str(tmp_path / "inner" / "a.dat")):
        np.testing.assert_array_equal(read_image(path, "cell"), RGB)
    for prefix in ("inner", "inner/", str(tmp_path / "inner")):
        np.testing.assert_array_equal(read_image("a.dat", "cell", path_prefix=prefix), RGB)
    absolute = str(tmp_path / "inner" / "a.dat")
    np.testing.assert_array_equal(read_image(absolute, "cell", path_prefix="elsewhere"), RGB)


def test_the_content_decides_not_the_name(tmp_path):
    for name in ("a.jpg", "a.gif", "a", "a.txt"):
        (tmp_path / name).write_bytes(encode(RGB, "BMP"))
        np.testing.assert_array_equal(read_image(tmp_path / name, "cell"), RGB)


def test_alpha_is_dropped_not_composited():
    np.testing.assert_array_equal(read_image(encode(RGBA), "cell"), RGBA[:, :, :3])


def test_palettes_are_expanded_and_grey_is_repeated():
    grey = RGB[:, :, 0]
    for pixels in (encode(grey), encode(grey, mode="P"), encode(grey, "TIFF")):
        np.testing.assert_array_equal(read_image(pixels, "cell"), grey[:, :, None].repeat(3, axis=2))


def test_orientation_is_ignored():
    orientation = Image.Exif()
    orientation[0x0112] = 6
    turned = encode(RGB, "JPEG", exif=orientation.tobytes())
    np.testing.assert_array_equal(read_image(turned, "cell"), read_image(encode(RGB, "JPEG"), "cell"))


@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_of_16_bits_the_high_byte_counts(color_type, channels):
    values = np.random.default_rng(2).integers(0, 65536, (3, 4, channels), dtype=np.uint16)
    content = png(4, 3, 16, color_type, [row.astype(">u2").tobytes() for row in values])
    high = (values >> 8).astype(np.uint8)
    expected = high[:, :, :3] if channels >= 3 else high[:, :, :1].repeat(3, axis=2)
    np.testing.assert_array_equal(read_image(content, "cell"), expected)


def test_of_several_frames_the_first_counts():
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    stream = io.BytesIO()
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(stream.getvalue(), "cell"), RGB)


# Arrays


def test_bytes_in_arrays_are_taken_as_they_are():
    np.testing.assert_array_equal(read_image(RGB, "cell"), RGB)
    np.testing.assert_array_equal(read_image(RGB // 255, "cell"), RGB // 255)  # 0 and 1 are almost black
    np.testing.assert_array_equal(read_image(RGBA, "cell", channels=4), RGBA)


def test_grey_arrays_are_repeated():
    grey = RGB[:, :, :1]
    for array in (grey, grey[:, :, 0], grey.astype(np.float64), grey[:, :, 0] / np.float32(255)):
        np.testing.assert_array_equal(read_image(array, "cell"), grey.repeat(3, axis=2))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_up_to_1_are_scaled(dtype):
    every = np.arange(256, dtype=dtype).reshape(16, 16) / dtype(255)
    before = every.copy()
    assert read_image(every, "cell")[:, :, 0].ravel().tolist() == list(range(256))
    np.testing.assert_array_equal(every, before)
    pixels = (RGB / dtype(255)).astype(dtype)
    before = pixels.copy()
    np.testing.assert_array_equal(read_image(pixels, "cell"), RGB)
    np.testing.assert_array_equal(pixels, before)


def test_floats_beyond_1_are_cut():
    array = np.array([[0, 0.9, 1.5], [254.999, 255, 255.999]])
    assert read_image(array, "cell")[:, :, 0].tolist() == [[0, 0, 1], [254, 255, 255]]


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, ">i4"])
def test_integers_are_pixels(dtype):
    array = (RGB // 2).astype(dtype)
    np.testing.assert_array_equal(read_image(array, "cell"), RGB // 2)
    np.testing.assert_array_equal(read_image(array // 127, "cell"), RGB // 254)


def test_booleans_are_black_and_white():
    assert read_image(np.array([[True, False]]), "cell").tolist() == [[[255] * 3, [0] * 3]]


@pytest.mark.parametrize("bad", [-0.001, 256.0, float("nan"), float("inf"), float("-inf")])
def test_numbers_out_of_range(bad):
    array = RGB.astype(np.float64)
    array[3, 2, 1] = bad
    with pytest.raises(InputError, match=r"row 7: expected pixels in \[0, 256\)"):
        read_image(array, "row 7")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 4, 2), np.uint8),
        np.zeros((3, 4, 5), np.uint8),
        np.zeros(7, np.uint8),
        np.zeros((1, 3, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0), np.float32),
        np.array(7),
        np.zeros((3, 4, 3), np.complex64),
        np.array([["a", "b"]]),
        np.array([[None, 1]]),
        np.zeros((2, 2), "datetime64[s]"),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_arrays_that_are_no_image(array):
    with pytest.raises(InputError, match="row 3"):
        read_image(array, "row 3")


@pytest.mark.parametrize(
    ("cell", "channels", "message"),
    [(RGBA, 3, "4 channels.*'rgba'"), (RGB, 4, "3 channels.*'rgb'"), (None, 4, "3 channels")],
)
def test_other_channels_than_the_model_takes(cell, channels, message):
    with pytest.raises(InputError, match=message):
        read_image(cell, "row 3", channels)


def test_batches_that_are_none():
    batch = np.array([0.25, 300.0, -1.0] * 4).reshape(1, 2, 2, 3)
    require_batch(batch, "input")
    require_batch(np.zeros((2, 3, 4, 5, 4), np.uint8), "input", 4)
    for array, channels in ((batch, 4), (batch[0], 3), (batch.astype(str), 3), (batch[:, :, :0], 3)):
        with pytest.raises(InputError, match="input"):
            require_batch(array, "input", channels)


# Files that mean harm


@pytest.mark.parametrize("cell", [3, 3.5, True, [1, 2], {"a": 1}, object(), io.BytesIO(b"x")])
def test_cells_of_other_types(cell):
    with pytest.raises(InputTypeError, match="row 3: expected an image"):
        read_image(cell, "row 3")


def test_paths_without_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    for path in ("nope.png", "", ".", str(tmp_path), str(tmp_path / "pipe"), "a\0b", "x" * 5000, "\udcff"):
        with pytest.raises(InputError, match=r"row 3: (no such|not a) file"):
            read_image(path, "row 3", path_prefix=str(tmp_path))


def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(encode(RGB))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(InputError, match=r"row 3: cannot read .*secret\.png"):
        read_image(path, "row 3")


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_truncated_files(file_format):
    """Wherever a file is cut: an error, or all pixels (where only the end mark is missing)."""
    large = np.kron(RGB, np.ones((9, 9, 1), np.uint8))
    content = encode(large, file_format)
    whole = read_image(content, "cell")
    errors = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own
        for end in {
            *range(0, len(content), max(len(content) // 50, 1)),
            *range(len(content) - 30, len(content)),
        }:
            try:
                np.testing.assert_array_equal(read_image(content[:end], "row 3"), whole)
            except InputError as error:
                errors += str(error).startswith("row 3")
    assert errors >= 50


@given(st.data())
def test_damaged_files_never_raise_anything_else(data):
    file_format = data.draw(
        st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA"])
    )
    content = bytearray(encode(RGB, file_format))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            assert read_image(bytes(content), "row 3").ndim == 3
        except InputError as error:
            assert str(error).startswith("row 3")  # noqa: PT017


@given(st.binary(max_size=60))
def test_noise_is_no_image(content):
    with pytest.raises(InputError, match="row 3"):
        read_image(content, "row 3")


def test_a_decompression_bomb():
    bomb = png(60_000, 60_000, 8, 2, [b"\0" * 1000])
    with pytest.raises(InputError, match=r"row 3: .*(bomb|exceeds limit)"):
        read_image(bomb, "row 3")


def test_no_other_program_is_run(tmp_path):
    """Pillow hands EPS files to Ghostscript; here they are no images."""
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(InputError, match="not an image in a known format"):
        read_image(postscript, "row 3")


# Fitting


@pytest.mark.parametrize("rescale_type", ["warp", "pad", "crop"])
def test_fitting_is_what_the_graph_does(rescale_type):
    image = ImageInput(height=6, width=9, channels=3, rescale_type=rescale_type)
    op = Rescale(height=6, width=9, method=RescaleType(rescale_type))
    fitted = fit_image(RGB, image, "cell")
    np.testing.assert_array_equal(fitted, op.evaluate(RGB[None].astype(np.float32))[0])
    np.testing.assert_array_equal(op.evaluate(fitted[None])[0], fitted)


def test_a_image_too_thin_names_its_cell():
    image = ImageInput(height=20, width=24, channels=3, rescale_type="pad")
    with pytest.raises(InputError, match="row 3: an image of 2 × 120 pixels"):
        fit_image(np.zeros((2, 120, 3), np.uint8), image, "row 3")
