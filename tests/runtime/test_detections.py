"""Detectors: arguments of every shape, images of several sizes, and the reading of outputs."""

from __future__ import annotations

import numpy as np
import pytest

from sensenet.artifact import Executable
from sensenet.errors import ArtifactError, InputError, InputTypeError
from sensenet.runtime import detections
from sensenet.runtime.detections import make_detector
from sensenet.signature import (
    BOXES,
    CLASSES,
    PIXEL_INPUT,
    SCORES,
    VALID,
    ImageColumn,
    ImageInput,
    ModelKind,
    Signature,
)


class Engine:
    """Finds one object on an image: its value is the box's left side, its width the right one."""

    def __init__(self):
        self.shapes = []

    def __call__(self, inputs):
        pixels = inputs[PIXEL_INPUT]
        assert pixels.dtype == np.float32
        self.shapes.append(pixels.shape)
        boxes = np.zeros((len(pixels), 3, 4), np.float32)
        boxes[:, 0, 0] = pixels[:, 0, 0, 0]
        boxes[:, 0, 2] = pixels.shape[2]
        boxes[:, 1:] = 99  # padding, which does not count
        return {
            BOXES: boxes,
            SCORES: np.full((len(pixels), 3), 0.75, np.float32),
            CLASSES: np.ones((len(pixels), 3), np.int32),
            VALID: np.ones(len(pixels), np.int32),
        }


def make(settings=None, run=None):
    signature = Signature(
        kind=ModelKind.DETECTOR,
        columns=[ImageColumn(index=0)],
        classes=("cat", "dog"),
        image=ImageInput(height=32, width=32, channels=3, rescale_type="pad"),
        settings=settings or {},
    )
    engine = run or Engine()
    return engine, make_detector(Executable(signature=signature, run=engine))


def image(value, width=6):
    return np.full((4, width, 3), value, np.uint8)


def found(value, width=6):
    return [{"box": [value, 0, width, 0], "label": "dog", "score": 0.75}]


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (image(1), found(1)),
        (image(1)[..., 0], found(1)),
        (image(1) / 255, found(1)),
        ([image(1)], found(1)),
        ((image(1),), found(1)),
        ([[image(1)]], [found(1)]),
        (image(1)[None], [found(1)]),
        ([image(1), image(2)], [found(1), found(2)]),
        ([[image(1)], [image(2)]], [found(1), found(2)]),
        ([[image(1), image(2)]], [[found(1), found(2)]]),
        (np.stack([image(1), image(2)]), [found(1), found(2)]),
        ([np.stack([image(1), image(2)])], [found(1), found(2)]),
        ([None], found(0, 1)),
        (None, found(0, 1)),
    ],
    ids=range(14),
)
def test_shapes_of_arguments(x, expected):
    _, detect = make()
    assert detect(x) == expected


def test_images_of_one_size_share_a_run():
    engine, detect = make()
    images = [image(1), image(2, width=3), image(3), image(4, width=3), image(5, width=9)]
    assert detect(images) == [found(1), found(2, 3), found(3), found(4, 3), found(5, 9)]
    assert sorted(shape[:3] for shape in engine.shapes) == [(1, 4, 9), (2, 4, 3), (2, 4, 6)]


def test_many_images_are_read_part_by_part(monkeypatch):
    monkeypatch.setattr(detections, "IMAGES_AT_ONCE", 2)
    engine, detect = make()
    assert detect([image(n) for n in range(5)]) == [found(n) for n in range(5)]
    assert [shape[0] for shape in engine.shapes] == [2, 2, 1]


def test_answers_are_plain_values():
    _, detect = make()
    (answer,) = detect(image(1))
    assert [type(side) for side in answer["box"]] == [int] * 4
    assert type(answer["score"]) is float


def test_boxes_beyond_any_image():
    def run(inputs):
        outputs = Engine()(inputs)
        outputs[BOXES][:, 0] = [-np.inf, np.nan, 1e30, -0.0]
        return outputs

    _, detect = make(run=run)
    assert detect(image(1))[0]["box"] == [-(2**31), 0, 2**31 - 1, 0]


def test_padded_boxes():
    _, detect = make({"pad_bounding_box_output": True})
    answer = detect(image(1))
    assert list(answer) == ["boxes", "scores", "classes", "num_valid"]
    assert [answer[name].shape for name in ("boxes", "scores", "classes")] == [(1, 3, 4), (1, 3), (1, 3)]
    assert answer["num_valid"] == 1
    assert [part["boxes"][0, 0, 0] for part in detect([image(1), image(2)])] == [1, 2]


def test_unfiltered_boxes():
    def run(inputs):
        outputs = Engine()(inputs)
        del outputs[VALID]
        return outputs

    _, detect = make({"output_unfiltered_boxes": True}, run)
    assert list(detect(image(1))) == ["boxes", "scores", "classes"]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([], "the list is empty"),
        ([[]], "the list is empty"),
        ([image(1), []], "the list is empty"),
        ("nowhere.png", "image 0: no such file"),
        ([image(1), "nowhere.png"], "image 1: no such file"),
        (np.array(["nowhere.png"]), "image 0: no such file"),
        (np.array("nowhere.png"), "image 0: no such file"),
        (np.zeros((1, 1, 1, 1, 1)), "expected pixels"),
        (np.zeros((4, 4, 4), np.uint8), "4 channels"),
    ],
    ids=range(9),
)
def test_refusals(x, message):
    _, detect = make()
    with pytest.raises(InputError) as caught:
        detect(x)
    assert message in str(caught.value)


@pytest.mark.parametrize("x", [3, {}, object(), (n for n in [1])], ids=range(4))
def test_arguments_that_are_no_image(x):
    _, detect = make()
    with pytest.raises(InputTypeError):
        detect(x)


def test_a_detector_says_what_images_it_takes():
    with pytest.raises(ArtifactError):
        make_detector(Executable(signature=Signature(kind=ModelKind.DETECTOR), run=Engine()))
