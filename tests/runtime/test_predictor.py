"""From arguments to batches and back: what the engine is given, and what becomes of its answers."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from sensenet.artifact import Executable
from sensenet.errors import InputError, InputTypeError
from sensenet.runtime import image_batches
from sensenet.runtime.predictor import make_predictor
from sensenet.signature import (
    NUMERIC_INPUT,
    PIXEL_INPUT,
    PREDICTIONS,
    CategoricalColumn,
    ImageColumn,
    ImageInput,
    NumericColumn,
    Signature,
)

IMAGE = ImageInput(height=4, width=6, channels=3, rescale_type="warp")
NUMBERS = (NumericColumn(index=0), CategoricalColumn(index=1, values=("a", "b")))


class Engine:
    """Remembers what it was given; answers with the means of each row's inputs."""

    def __init__(self):
        self.calls = []

    def __call__(self, inputs):
        self.calls.append(dict(inputs))
        means = [array.reshape(len(array), -1).mean(axis=1) for array in inputs.values()]
        return {PREDICTIONS: np.stack(means, axis=1)}


def make(columns, image=None, path_prefix=None, **executable):
    engine = Engine()
    signature = Signature(columns=columns, image=image)
    return engine, make_predictor(Executable(signature=signature, run=engine, **executable), path_prefix)


def solid_image(value, height=4, width=6):
    return np.full((height, width, 3), value, np.uint8)


def encoded(value, **size):
    stream = io.BytesIO()
    Image.fromarray(solid_image(value, **size)).save(stream, "png")
    return stream.getvalue()


@pytest.mark.parametrize("x", [[2, "b"], (2, "b"), [[2, "b"]], np.array([2, "b"], object)])
def test_one_row_of_numbers(x):
    engine, predict = make(NUMBERS)
    np.testing.assert_array_equal(predict(x), [[1.5]])
    (call,) = engine.calls
    assert list(call) == [NUMERIC_INPUT]
    assert call[NUMERIC_INPUT].dtype == np.float32
    np.testing.assert_array_equal(call[NUMERIC_INPUT], [[2, 1]])


def test_many_rows_are_run_in_parts():
    engine, predict = make(NUMBERS, rows_at_once=3)
    rows = [[number, "b"] for number in range(8)]
    np.testing.assert_array_equal(predict(rows), [[(number + 1) / 2] for number in range(8)])
    assert [len(call[NUMERIC_INPUT]) for call in engine.calls] == [3, 3, 2]
    assert all(call[NUMERIC_INPUT].flags.c_contiguous for call in engine.calls)


def test_no_rows():
    engine, predict = make(NUMBERS)
    result = predict(np.zeros((0, 2)))
    assert (result.shape, result.dtype) == ((0, 1), np.float32)
    assert len(engine.calls[0][NUMERIC_INPUT]) == 1  # engines need not take tensors without entries


def test_answers_belong_to_the_caller():
    constant = np.ones((1, 1), np.float32)
    constant.flags.writeable = False
    executable = Executable(signature=Signature(columns=NUMBERS), run=lambda _: {PREDICTIONS: constant})
    result = make_predictor(executable)([1, "a"])
    result += 1
    assert constant[0, 0] == 1


def test_answers_are_float32():
    run = lambda inputs: {PREDICTIONS: np.ones((len(inputs[NUMERIC_INPUT]), 1))}  # noqa: E731
    executable = Executable(signature=Signature(columns=NUMBERS), run=run)
    assert make_predictor(executable)([1, "a"]).dtype == np.float32


@pytest.mark.parametrize(
    "x",
    [
        encoded(9),
        [encoded(9)],
        [[encoded(9)]],
        solid_image(9),
        [solid_image(9)],
        [[solid_image(9)]],
        solid_image(9)[None],
        solid_image(9)[..., 0],
        solid_image(9)[..., :1],
        solid_image(9) / 255,
        memoryview(encoded(9)),
    ],
    ids=range(11),
)
def test_one_image(x):
    engine, predict = make([ImageColumn(index=0)], IMAGE)
    np.testing.assert_array_equal(predict(x), [[9]])
    (call,) = engine.calls
    assert list(call) == [PIXEL_INPUT]
    assert call[PIXEL_INPUT].shape == (1, 4, 6, 3)
    assert call[PIXEL_INPUT].dtype == np.float32


def test_paths(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(7))
    _, predict = make([ImageColumn(index=0)], IMAGE)
    assert predict(str(tmp_path / "a.png")) == [[7]]
    assert predict(tmp_path / "a.png") == [[7]]
    assert predict(np.array([str(tmp_path / "a.png")])) == [[7]]
    _, predict = make([ImageColumn(index=0)], IMAGE, str(tmp_path))
    assert predict("a.png") == [[7]]
    assert predict(["a.png"]) == [[7]]
    assert predict([["a.png"], ["a.png"]]).tolist() == [[7], [7]]


def test_images_of_several_sizes_share_a_batch():
    engine, predict = make([ImageColumn(index=0)], IMAGE)
    rows = [[solid_image(1)], [solid_image(2, height=40)], [None], [encoded(3, width=1)]]
    np.testing.assert_array_equal(predict(rows), [[1], [2], [0], [3]])
    assert [call[PIXEL_INPUT].shape for call in engine.calls] == [(4, 4, 6, 3)]


def test_batches_of_pixels_go_as_they_are():
    engine, predict = make([ImageColumn(index=0)], IMAGE)
    x = np.random.default_rng(0).random((20, 5, 7, 3))
    assert predict(x).shape == (20, 1)
    assert [call[PIXEL_INPUT].shape for call in engine.calls] == [(16, 5, 7, 3), (4, 5, 7, 3)]
    np.testing.assert_array_equal(engine.calls[0][PIXEL_INPUT], x[:16].astype(np.float32))
    assert predict(x[:0]).shape == (0, 1)


def test_several_images_a_row():
    engine, predict = make([ImageColumn(index=1), ImageColumn(index=0)], IMAGE)
    expected = [[solid_image(2), solid_image(1)]]
    for x in (
        [solid_image(1), solid_image(2)],
        np.stack([solid_image(1), solid_image(2)]),
        [[solid_image(1), encoded(2)]],
    ):
        assert predict(x) == [[1.5]]
        np.testing.assert_array_equal(engine.calls[-1][PIXEL_INPUT], expected)
    batch = np.stack([np.stack([solid_image(1), solid_image(2)])] * 3)
    np.testing.assert_array_equal(predict(batch), [[1.5]] * 3)
    np.testing.assert_array_equal(engine.calls[-1][PIXEL_INPUT], expected * 3)
    grey = np.stack([solid_image(1)[..., 0], solid_image(2)[..., 0], solid_image(3)[..., 0]])
    assert predict(grey) == [[1.5]]


def test_images_among_other_cells():
    columns = [NumericColumn(index=2), ImageColumn(index=0), CategoricalColumn(index=1, values=("a", "b"))]
    engine, predict = make(columns, IMAGE)
    rows = [[solid_image(5), "b", 3], [None, "a", None], [encoded(6, height=9), "b", "4"]]
    np.testing.assert_allclose(predict(rows), [[4 / 3, 5], [0, 0], [5 / 3, 6]], rtol=1e-6)
    (call,) = engine.calls
    np.testing.assert_array_equal(call[NUMERIC_INPUT], [[3, 0, 1], [0, 0, 0], [4, 0, 1]])
    np.testing.assert_array_equal(predict(rows[0]), predict(rows[:1]))
    assert predict(np.zeros((0, 3), object)).shape == (0, 2)


def test_images_are_read_part_by_part(monkeypatch):
    monkeypatch.setattr(image_batches, "IMAGES_AT_ONCE", 2)
    engine, predict = make([ImageColumn(index=0), NumericColumn(index=1)], IMAGE)
    rows = [[solid_image(number), number] for number in range(5)]
    np.testing.assert_array_equal(predict(rows), [[number / 2, number] for number in range(5)])
    assert [len(call[PIXEL_INPUT]) for call in engine.calls] == [2, 2, 1]


def test_cells_are_not_changed():
    _, predict = make([ImageColumn(index=0)], IMAGE)
    pixels = solid_image(1).astype(np.float64)
    before = pixels.copy()
    for x in (pixels, [pixels], pixels[None]):
        predict(x)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(
    ("columns", "x", "message"),
    [
        ([ImageColumn(index=0)], "nowhere.png", "row 0, column 0: no such file: 'nowhere.png'"),
        ([ImageColumn(index=0)], [[solid_image(1)], [b"no image"]], "row 1, column 0: not an image"),
        ([ImageColumn(index=0)], [3], "row 0, column 0: expected an image"),
        ([ImageColumn(index=0)], 3, "expected a row"),
        ([ImageColumn(index=0)], [], "the list is empty"),
        ([ImageColumn(index=0)], [[]], "too short"),
        ([ImageColumn(index=0)], np.zeros((1, 1, 4, 6, 3)), "expected images [rows, h, w, c]"),
        ([ImageColumn(index=0)], np.zeros((1, 4, 6, 4)), "4 channels"),
        ([ImageColumn(index=0)], np.zeros(5), "row 0, column 0: expected an image"),
        ([ImageColumn(index=0), ImageColumn(index=1)], "a.png", "the model reads rows of 2 cells"),
        ([ImageColumn(index=0), ImageColumn(index=2)], np.zeros((1, 2, 4, 6, 3)), "has 2 images, expected 3"),
        ([ImageColumn(index=0), NumericColumn(index=1)], "a.png", "expected a row"),
        ([ImageColumn(index=0), NumericColumn(index=1)], np.zeros((1, 4, 6, 3)), "found [1, 4, 6, 3]"),
        ([ImageColumn(index=0), NumericColumn(index=1)], [None, "x"], "row 0, column 1: cannot read 'x'"),
    ],
    ids=range(14),
)
def test_refusals(columns, x, message):
    _, predict = make(columns, IMAGE)
    with pytest.raises(InputError) as caught:
        predict(x)
    assert message in str(caught.value)


def test_images_mean_nothing_to_a_model_of_numbers():
    _, predict = make(NUMBERS)
    with pytest.raises(InputTypeError):
        predict(b"\x89PNG")


def test_threads_may_share_a_predictor():
    _, predict = make(NUMBERS)
    results = {}

    def work(number):
        results[number] = [predict([number, "b"])[0, 0] for _ in range(200)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: [(number + 1) / 2] * 200 for number in range(8)}
