"""Images that mean harm: each is an answer or a SensenetError, in bounded memory and time, without noise."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
import warnings
import zlib

import numpy as np
import PIL
import pytest
from PIL import Image

from sensenet.artifact import Executable
from sensenet.compiler.verify.inputs import given_inputs
from sensenet.errors import InputError, LimitError
from sensenet.runtime.decode_image import fit_image, open_image, read_image
from sensenet.runtime.decoding import FORMATS
from sensenet.runtime.detections import make_detector
from sensenet.runtime.image_tags import tag_bytes
from sensenet.runtime.predictor import make_predictor
from sensenet.signature import (
    BOXES,
    CLASSES,
    PIXEL_INPUT,
    PREDICTIONS,
    SCORES,
    VALID,
    ImageColumn,
    ImageInput,
    ModelKind,
    Signature,
)

RGB = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
SMALL = ImageInput(height=4, width=6, channels=3, rescale_type="warp")


def encode(pixels, file_format="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, file_format, **options)
    return stream.getvalue()


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def blank_png(width, height, *chunks):
    """A PNG file of black pixels, which takes a thousandth of its pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    compress = zlib.compressobj(1)
    row = bytes(1 + 3 * width)
    data = b"".join(compress.compress(row) for _ in range(height)) + compress.flush()
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def psd(pixels, version=1):
    height, width, channels = pixels.shape
    header = b"8BPS" + struct.pack(">H6xHIIHH", version, channels, height, width, 8, 3)
    return header + bytes(12) + struct.pack(">H", 0) + pixels.transpose(2, 0, 1).tobytes()


def cursor(pixels):
    """A .cur file: an icon with another type, and a hot spot in place of the number of colors."""
    content = bytearray(encode(pixels, "ICO", sizes=[pixels.shape[1::-1]], bitmap_format="bmp"))
    content[2] = 2
    content[10:14] = bytes(4)
    return bytes(content)


SQUARE = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)

FILES = {
    "JPEG": encode(SQUARE, "JPEG", quality=95, subsampling=0),
    "PNG": encode(SQUARE),
    "BMP": encode(SQUARE, "BMP"),
    "GIF": encode(SQUARE[..., 0], "GIF"),
    "PPM": encode(SQUARE, "PPM"),
    "WEBP": encode(SQUARE, "WEBP", lossless=True),
    "TIFF": encode(SQUARE, "TIFF", compression="tiff_lzw"),
    "JPEG2000": encode(SQUARE, "JPEG2000"),
    "PSD": psd(SQUARE),
    "ICO": encode(SQUARE, "ICO", sizes=[(32, 32)]),
    "CUR": cursor(SQUARE),
    "DIB": encode(SQUARE, "DIB"),
    "PCX": encode(SQUARE, "PCX"),
    "SGI": encode(SQUARE, "SGI"),
    "TGA": encode(SQUARE, "TGA"),
}


def test_every_format_has_a_file():
    assert sorted(FILES) == sorted(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_paths_and_bytes_give_the_same_pixels(name, tmp_path):
    path = tmp_path / "a.dat"
    path.write_bytes(FILES[name])
    pixels = read_image(path, "cell")
    for cell in (FILES[name], bytearray(FILES[name]), memoryview(FILES[name]), str(path)):
        np.testing.assert_array_equal(read_image(cell, "cell"), pixels)
    expected = SQUARE[..., :1].repeat(3, axis=2) if name == "GIF" else SQUARE
    if name == "JPEG":
        assert np.abs(pixels.astype(int) - expected).mean() < 8
    else:
        np.testing.assert_array_equal(pixels, expected)


def test_large_documents_of_photoshop_are_refused():
    with pytest.raises(InputError, match="row 3: not an image in a known format"):
        read_image(psd(SQUARE, version=2), "row 3")


# Memory


@pytest.fixture
def limit(monkeypatch):
    def set_limit(size):
        monkeypatch.setenv("SENSENET_MEMORY_LIMIT", size)

    set_limit("32MiB")
    return set_limit


def detector(run=None):
    signature = Signature(
        kind=ModelKind.DETECTOR, columns=[ImageColumn(index=0)], classes=("a",), image=SMALL
    )
    sizes = []

    def find_nothing(inputs):
        pixels = inputs[PIXEL_INPUT]
        sizes.append(len(pixels))
        boxes, nothing = np.zeros((len(pixels), 0, 4), np.float32), np.zeros((len(pixels), 0), np.float32)
        return {BOXES: boxes, SCORES: nothing, CLASSES: nothing, VALID: np.zeros(len(pixels), np.int32)}

    return sizes, make_detector(Executable(signature=signature, run=find_nothing))


def predictor(image=SMALL, images=1):
    sizes = []

    def run(inputs):
        sizes.append(len(inputs[PIXEL_INPUT]))
        return {PREDICTIONS: inputs[PIXEL_INPUT].reshape(sizes[-1], -1)[:, :1]}

    columns = [ImageColumn(index=index) for index in range(images)]
    return sizes, make_predictor(Executable(signature=Signature(columns=columns, image=image), run=run))


def test_an_image_that_takes_too_much_is_refused_before_it_is_decoded(limit):
    content = blank_png(2000, 1000)
    assert read_image(content, "row 3").shape == (1000, 2000, 3)
    limit("16MiB")
    with pytest.raises(LimitError, match=r"row 3: an image of 2000 × 1000 pixels needs 30\.5 MiB"):
        open_image(content, "row 3")


def test_large_images_run_one_by_one_and_small_ones_together(limit):
    limit("24MiB")
    large, small = blank_png(1000, 1000), encode(RGB)  # 16 MB while it is decoded
    sizes, detect = detector()
    assert detect([large] * 3 + [small] * 4) == [[]] * 7
    assert sizes[:3] == [1, 1, 1]
    assert (sum(sizes), max(sizes)) == (7, 3)
    sizes, predict = predictor()
    assert predict([large] * 5).shape == (5, 1)
    assert max(sizes) <= 2
    sizes, predict = predictor(ImageInput(height=0, width=0, channels=3, rescale_type="warp"))
    with pytest.raises(LimitError, match="row 0: reading its images"):
        predict([large] * 5)


def test_images_of_one_row_count_together(limit):
    image = ImageInput(height=700, width=700, channels=3, rescale_type="warp")
    assert predictor(image)[1](blank_png(9, 9)).shape == (1, 1)
    with pytest.raises(LimitError, match="row 0: reading its images"):
        predictor(image, images=3)[1]([blank_png(9, 9)] * 3)


def test_the_size_of_the_network_counts(limit):
    image = ImageInput(height=10**6, width=10**6, channels=3, rescale_type="warp")
    for x in (None, RGB, [[None], [None]], np.zeros((0, 1), object)):
        with pytest.raises(LimitError):
            predictor(image)[1](x)
    thin = ImageInput(height=10**6, width=1, channels=3, rescale_type="warp")
    with pytest.raises(LimitError):
        fit_image(np.zeros((1, 10**6, 3), np.uint8), thin, "row 3")


def test_batches_are_cut_so_that_they_fit(limit):
    sizes, predict = predictor()
    assert predict(np.zeros((5, 1000, 1000, 3), np.uint8)).shape == (5, 1)
    assert sizes == [1] * 5
    limit("8MiB")
    with pytest.raises(LimitError, match="each row"):
        predict(np.zeros((5, 1000, 1000, 3), np.uint8))


def test_images_that_are_encoded_together_count_together(limit):
    image = ImageInput(height=700, width=700, channels=3, rescale_type="warp")
    _, predict = predictor(image)
    assert predict.encode([[RGB]] * 3)[PIXEL_INPUT].shape == (3, 700, 700, 3)
    with pytest.raises(LimitError, match="holding the images of all rows"):
        predict.encode([[RGB]] * 9)
    columns = [ImageColumn(index=0)]
    with pytest.raises(LimitError, match="all given rows"):
        given_inputs(Signature(columns=columns, image=image), [RGB] * 9)


def test_a_huge_file_is_not_read(tmp_path):
    with open(tmp_path / "a.png", "wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(LimitError, match="reading"):
        read_image(tmp_path / "a.png", "row 3")


def test_an_icon_that_holds_a_larger_image_than_it_says(limit):
    def icon(content):
        entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(content), 22)
        return struct.pack("<HHH", 0, 1, 1) + entry + content

    assert read_image(icon(blank_png(99, 50)), "row 3").shape == (50, 99, 3)
    with pytest.raises(LimitError, match="row 3: an image of 2000 × 2000 pixels"):
        open_image(icon(blank_png(2000, 2000)), "row 3")


def test_tiles_larger_than_their_image(limit):
    content = bytearray(encode(SQUARE, "TIFF"))
    with Image.open(io.BytesIO(content)) as image:
        count = len(image.tag_v2)
        entries = sorted(image.tag_v2)
    start = struct.unpack_from("<I", content, 4)[0]
    tags = [content[start + 2 + 12 * n :][:12] for n in range(count)]
    assert 278 in entries
    tags = [tag for tag in tags if struct.unpack_from("<H", tag)[0] not in (273, 278, 279)]
    for tag, value in ((322, 60_000), (323, 60_000), (324, 8), (325, 3072)):
        tags.append(struct.pack("<HHII", tag, 4, 1, value))
    directory = struct.pack("<H", len(tags)) + b"".join(map(bytes, tags)) + bytes(4)
    tiled = b"II*\0" + struct.pack("<I", len(content)) + bytes(content[8:]) + directory
    with pytest.raises((LimitError, InputError)):
        read_image(tiled, "row 3")


# Arrays


@pytest.mark.parametrize(
    "array",
    [
        np.lib.stride_tricks.as_strided(np.zeros(1, np.float64), (10**6, 10**6, 3), (0, 0, 0)),
        np.broadcast_to(np.uint8(0), (10**6, 10**6)),
        np.broadcast_to(np.bool_(0), (10**6, 10**6, 4)),
        np.array([[RGB, None]], object),
        np.zeros((4, 4, 3), [("r", "u1")]),
        np.ma.masked_equal(RGB, RGB[0, 0, 0]),
    ],
    ids=["strides", "gray", "bool", "object", "structured", "masked"],
)
def test_odd_arrays(array):
    with pytest.raises((InputError, LimitError), match="row 3"):
        read_image(array, "row 3")


def test_views_of_arrays_are_read_as_they_look():
    for array in (RGB[::-1], RGB[:, ::-1], RGB[::2, ::2], np.asfortranarray(RGB), np.ma.array(RGB)):
        np.testing.assert_array_equal(read_image(array, "cell"), np.ascontiguousarray(array))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.matrix(RGB[..., 0])
    np.testing.assert_array_equal(read_image(matrix, "cell"), RGB[..., :1].repeat(3, axis=2))
    huge = np.broadcast_to(RGB[:1, :1], (10**6, 10**6, 3))  # takes 3 bytes
    for model in (detector()[1], predictor()[1]):
        with pytest.raises(LimitError):
            model(huge)


@pytest.mark.parametrize("view", [memoryview(FILES["PNG"])[::2], memoryview(np.float32(3))])
def test_odd_views_of_bytes(view):
    with pytest.raises(InputError, match="row 3"):
        read_image(view, "row 3")


# Paths


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/stdin", "/proc/self", "/dev/fd/0"])
def test_devices(path):
    with pytest.raises(InputError, match=r"row 3: (not a|no such) file"):
        read_image(path, "row 3")


def test_a_loop_of_links(tmp_path):
    (tmp_path / "a.png").symlink_to("b.png")
    (tmp_path / "b.png").symlink_to("a.png")
    with pytest.raises(InputError, match="row 3: no such file"):
        read_image(tmp_path / "a.png", "row 3")


def test_a_file_that_becomes_a_pipe_does_not_wait(tmp_path, monkeypatch):
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    monkeypatch.setattr(os.path, "isfile", lambda _: True)
    with pytest.raises(InputError, match="row 3: not a file"):
        read_image(path, "row 3")


class NoPath(os.PathLike):
    def __fspath__(self):
        return 3


def test_a_path_that_makes_something_else_of_itself():
    with pytest.raises(InputError, match="row 3: expected NoPath"):
        read_image(NoPath(), "row 3")


# Content


def test_text_and_profiles_that_expand(tmp_path):
    bomb = zlib.compress(bytes(50_000_000), 9)
    for name, content in (
        (b"zTXt", b"a\0\0" + bomb),
        (b"iTXt", b"a\0\1\0\0\0" + bomb),
        (b"iCCP", b"a\0\0" + bomb),
    ):
        with contextlib.suppress(InputError):
            assert read_image(blank_png(5, 7, chunk(name, content)), "row 3").shape == (7, 5, 3)


def tags(count, payload, head=b""):
    """A directory of tags that all name the same bytes, after a TIFF header."""
    start = 10 + 12 * (count + len(head) // 12) + 4
    entries = head + b"".join(struct.pack("<HHII", 1000 + n, 1, payload, start) for n in range(count))
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries) // 12) + entries + bytes(4 + payload)


TAGS_OF_4 = {256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 4, 279: 16}
"""Those of a gray image of 4 × 4 pixels."""

SQUARE_OF_4 = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in TAGS_OF_4.items())


def jpeg_with_exif(*parts):
    content = encode(RGB, "JPEG")
    start = 4 + struct.unpack(">H", content[4:6])[0]  # after JFIF's resolution, without which EXIF's is read
    segments = [b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in parts]
    return content[:2] + b"".join(segments) + content[start:]


def parts_of(content, size=65_000):
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize(
    ("content", "least"),
    [
        (tags(2000, 100_000, SQUARE_OF_4), 200_000_000),
        (jpeg_with_exif(tags(3000, 29_000)), 87_000_000),
        (jpeg_with_exif(*parts_of(tags(6000, 100_000))), 600_000_000),
    ],
    ids=["TIFF", "EXIF", "several EXIF segments"],
)
def test_tags_that_name_the_same_bytes(limit, monkeypatch, content, least):
    """With any Pillow: one that reads each tag is kept from it, one that does not answers."""
    assert len(content) < least / 500
    assert tag_bytes(content) >= least
    with contextlib.suppress(LimitError):
        assert read_image(content, "row 3").shape in ((4, 4, 3), (7, 5, 3))
    monkeypatch.setattr(PIL, "__version__", "12.3.0")
    with pytest.raises(LimitError, match="row 3: reading the tags"):
        read_image(content, "row 3")


def test_ordinary_tags_take_little():
    exif = Image.Exif()
    exif[270] = "text" * 99
    for content in (encode(RGB, "JPEG", exif=exif), encode(RGB, "TIFF"), encode(RGB, "TIFF", big_tiff=True)):
        assert tag_bytes(content) < 2000
    assert tag_bytes(FILES["PNG"]) == tag_bytes(b"") == tag_bytes(b"II*\0") == 0


def test_profiles_and_odd_exif_change_nothing():
    plain = read_image(encode(RGB, "JPEG"), "cell")
    for options in ({"icc_profile": b"nonsense" * 99}, {"exif": b"Exif\0\0II*\0nonsense"}, {"dpi": (0, 0)}):
        np.testing.assert_array_equal(read_image(encode(RGB, "JPEG", **options), "cell"), plain)


def test_jpeg_files_of_many_scans():
    content = encode(SQUARE, "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    assert read_image(content, "cell").shape == (32, 32, 3)
    scans = content[:-2] + content[last:-2] * 100 + content[-2:]
    with pytest.raises(InputError, match="row 3: the image has more than 100 scans"):
        read_image(scans, "row 3")


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_animated_images_the_first_frame_counts(file_format):
    frames = [Image.fromarray(np.full((9, 9, 3), value, np.uint8)) for value in (255, 0, 99)]
    stream = io.BytesIO()
    frames[0].save(stream, file_format, save_all=True, append_images=frames[1:])
    assert (read_image(stream.getvalue(), "cell") == 255).all()


@pytest.mark.parametrize("action", ["error", "always"])
def test_remarks_of_pillow_stay_inside(action, recwarn):
    """Neither noise nor errors, from any thread; and the filters are afterwards what they were."""
    many = blank_png(10_000, 9_000)  # beyond what Pillow remarks on
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + struct.pack("<HHII", 270, 2, 9999, 8) * 2 + bytes(4)
    odd = encode(RGB, "JPEG", exif=exif)
    palette = Image.fromarray(RGB[..., 0]).convert("P")
    stream = io.BytesIO()
    palette.save(stream, "PNG", transparency=bytes(range(256)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        before = list(warnings.filters)
        open_image(many, "cell")
        for content in (odd, stream.getvalue()):
            read_image(content, "cell")
        _, predict = predictor()
        assert predict([odd] * 20).shape == (20, 1)
        assert warnings.filters == before
    assert not caught


def test_no_thread_is_left():
    before = threading.active_count()
    with pytest.raises(InputError):
        predictor()[1]([[FILES["PNG"]]] * 20 + [[b"no image"]])
    assert threading.active_count() == before
