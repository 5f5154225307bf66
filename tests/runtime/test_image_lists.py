"""One rule for lists of images: every form of the same images gives the answers of one by one."""

from __future__ import annotations

import io
import sys
import tempfile
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.profiles import examples

from sensenet.artifact import Executable
from sensenet.compiler.verify.inputs import given_inputs
from sensenet.errors import InputError, InputTypeError
from sensenet.models.deepnet import make_model
from sensenet.models.wrappers import create_model
from sensenet.runtime.image_lists import is_image
from sensenet.runtime.predictor import make_predictor
from sensenet.settings import Settings
from sensenet.signature import (
    PIXEL_INPUT,
    PREDICTIONS,
    ImageColumn,
    ImageInput,
    ModelKind,
    NumericColumn,
    Signature,
)

IMAGE = ImageInput(height=4, width=6, channels=3, rescale_type="warp")
ONE = Signature(columns=[ImageColumn(index=0)], image=IMAGE)
TWO = Signature(columns=[ImageColumn(index=0), ImageColumn(index=1)], image=IMAGE)


def first_pixels(inputs):
    """Answer with the first number of each image, by which a test knows them."""
    pixels = inputs[PIXEL_INPUT]
    return {PREDICTIONS: pixels.reshape(len(pixels), -1, 4 * 6 * 3)[:, :, 0]}


def make(signature):
    return make_predictor(Executable(signature=signature, run=first_pixels))


def pixels(value):
    return np.full((4, 6, 3), value, np.uint8)


def encoded(value):
    stream = io.BytesIO()
    Image.fromarray(pixels(value)).save(stream, "png")
    return stream.getvalue()


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as name:
        for value in range(8):
            Path(name, f"{value}.png").write_bytes(encoded(value))
        yield Path(name)


KINDS = ("pixels", "bytes", "bytearray", "path", "text", "Pillow")


def as_image(kind, value, folder):
    path = folder / f"{value}.png"
    match kind:
        case "pixels":
            return pixels(value)
        case "bytes":
            return encoded(value)
        case "bytearray":
            return bytearray(encoded(value))
        case "path":
            return path
        case "Pillow":
            return Image.open(path)
    return str(path)


@given(data=st.data(), values=st.lists(st.integers(0, 7), min_size=1, max_size=5))
@examples(60)
def test_every_form_of_a_list_gives_the_same_answers(folder, data, values):
    images = [as_image(data.draw(st.sampled_from(KINDS)), value, folder) for value in values]
    predict = make(ONE)
    expected = [predict(image)[0] for image in images]
    assert np.ravel(expected).tolist() == values
    forms = [[[image] for image in images], tuple([image] for image in images)]
    forms.append(np.stack([pixels(value) for value in values]))
    if not all(isinstance(image, str) for image in images):
        forms += [images, tuple(images), fill(images)]
    for form in forms:
        np.testing.assert_array_equal(predict(form), expected)
    for rows in (images, forms[0]):  # as rows that calibrate, text as well
        (feed,) = given_inputs(ONE, rows)
        np.testing.assert_array_equal(first_pixels(feed)[PREDICTIONS], expected)


def fill(images):
    array = np.empty(len(images), object)
    for number, image in enumerate(images):
        array[number] = image
    return array


def test_detectors_take_the_same_forms(folder):
    """All but the exception, text, for which a list is several images to detectors alone."""
    detect = create_model("examples/shapes.json.gz")
    content = Path("examples/shapes.png").read_bytes()
    array = np.asarray(Image.open("examples/shapes.png").convert("RGB"))
    expected = detect("examples/shapes.png")
    assert len(expected) == 3
    pillow = Image.open("examples/shapes.png")
    for image in (content, array, Path("examples/shapes.png"), "examples/shapes.png", pillow):
        assert detect(image) == detect([image]) == expected
        assert detect([image, array]) == detect([[image], [array]]) == [expected] * 2
    assert detect(np.stack([array, array])) == [expected] * 2


def test_a_list_of_text_is_one_row_and_says_so(folder):
    model = make_model(Executable(signature=ONE, run=first_pixels), Settings())
    paths = [str(folder / "3.png"), str(folder / "5.png")]
    with pytest.warns(UserWarning, match="for several images, pass a list of lists") as caught:
        assert model(paths).tolist() == [[3]]
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model(paths[:1]).tolist() == [[3]]
        assert model([paths[0], 7]).tolist() == [[3]]  # a row with another cell
        assert model([paths]).tolist() == [[3]]
        assert model([[path] for path in paths]).tolist() == [[3], [5]]


def test_nothing_is_the_image_of_one_black_pixel():
    assert make(ONE)(None).tolist() == make(ONE)([None]).tolist() == [[0]]
    assert make(ONE)([None, pixels(3)]).tolist() == [[0], [3]]


def test_two_images_a_row(folder):
    predict = make(TWO)
    for kind in KINDS:
        a, b = (as_image(kind, value, folder) for value in (2, 5))
        assert predict([a, b]).tolist() == predict([[a, b]]).tolist() == [[2, 5]]
        assert predict([[a, b], [b, a]]).tolist() == [[2, 5], [5, 2]]


A, B = pixels(1), pixels(2)


@pytest.mark.parametrize(
    ("signature", "x", "message"),
    [
        (ONE, [A, 3], "item 1 of the list is 3, not an image: write [[a], [b]]"),
        (ONE, [A, [B]], "item 1 of the list is a row, but item 0 is not: write [[a], [b]]"),
        (ONE, [[A], B], "row 1: expected a list of cells"),
        (ONE, [[A, B]], "row 0 has 2 cells, but the model reads 1 per row: write [[a], [b]]"),
        (ONE, [[A], [A, B]], "row 1 has 2 cells"),
        (ONE, [np.stack([A, B])], "pass a batch [rows, h, w, c] without a list"),
        (ONE, [np.stack([A, B]), A], "pass a batch [rows, h, w, c] without a list"),
        (ONE, [], "the list is empty"),
        (ONE, fill([]), "the list is empty"),
        (TWO, [A, B, A, B], "the list has 4 cells, but the model reads 2 per row: pass a list of rows"),
        (TWO, [[A, B, A]], "row 0 has 3 cells"),
        (TWO, [A], "row 0 is too short"),
        (TWO, b"a", "the model reads rows of 2 cells"),
        (Signature(columns=[ImageColumn(index=1)], image=IMAGE), A, "the model reads rows of 2 cells"),
        (Signature(columns=[ImageColumn(index=0), NumericColumn(index=1)], image=IMAGE), [A, B], "column 1"),
    ],
    ids=range(15),
)
def test_what_may_mean_several_things_is_refused(signature, x, message):
    with pytest.raises(InputError) as caught:
        make(signature)(x)
    assert message in str(caught.value)


def test_lists_that_hold_themselves():
    endless = []
    endless.append(endless)
    with pytest.raises(InputError, match="nested"):
        create_model("examples/shapes.json.gz")(endless)
    with pytest.raises(InputTypeError, match="expected an image"):
        make(ONE)(endless)


def test_detectors_calibrate_on_the_same_forms(folder):
    signature = Signature(
        kind=ModelKind.DETECTOR, columns=[ImageColumn(index=0)], classes=("a",), image=IMAGE
    )
    paths = [str(folder / f"{value}.png") for value in range(4)]
    for rows in (paths, [[path] for path in paths], np.stack([pixels(value) for value in range(4)])):
        (feed,) = given_inputs(signature, rows)
        assert feed[PIXEL_INPUT][:, 0, 0, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("module", [None, types.ModuleType("PIL.Image")], ids=["absent", "being imported"])
def test_without_pillow_nothing_is_its_image(monkeypatch, module):
    image = Image.new("RGB", (2, 2))
    assert is_image(image)
    monkeypatch.setitem(sys.modules, "PIL.Image", module)
    assert not is_image(image)
    assert is_image("path")
