"""The paired bootstrap of two detectors: the same as measuring again the images that are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.profiles import examples

from sensenet.evaluation import bootstrap
from sensenet.evaluation.bootstrap import compare_detectors, find_p_value, weigh_precisions
from sensenet.evaluation.detection import DetectionTally
from sensenet.evaluation.objects import TrueObjects, match_image

NAMES = ("cup", "spoon")


def scenes(random, images, miss=0.2):
    """True objects of some images, of which some are crowds, and boxes near them or elsewhere."""
    found = []
    for _ in range(images):
        corners = random.integers(0, 60, (random.integers(0, 5), 2))
        labels = [NAMES[number] for number in random.integers(0, 2, len(corners))]
        boxes = np.concatenate([corners, corners + random.integers(5, 30, corners.shape)], axis=1).astype(
            float
        )
        crowds = random.random(len(corners)) < 0.1
        true = TrueObjects(boxes=boxes, labels=tuple(labels), crowds=crowds, ignored=crowds)
        objects = [
            {"label": label, "box": (box + random.integers(-3, 4, 4)).tolist(), "score": random.random()}
            for label, box in zip(labels, boxes, strict=True)
            if random.random() > miss
        ]
        objects.append({"label": NAMES[random.integers(2)], "box": [0, 0, 9, 9], "score": random.random()})
        found.append((match_image(objects, true), true))
    return found


def tally(images):
    counted = DetectionTally(NAMES)
    for image in images:
        if image is None:
            counted.skip()
        else:
            counted.add(*image)
    return counted


def score(images):
    return tally(images).result(0.001).mean_average_precision


@examples(50)
@given(st.integers(0, 2**32 - 1))
def test_weights_are_images_that_are_there_so_many_times(seed):
    random = np.random.default_rng(seed)
    images = scenes(random, random.integers(1, 6))
    weights = random.integers(0, 4, (3, len(images))).astype(np.int32)
    counted = tally(images)
    found = weigh_precisions([counted.boxes_of(name) for name in counted.class_names()], weights)
    for value, times in zip(found.tolist(), weights, strict=True):
        wanted = score([image for image, each in zip(images, times, strict=True) for _ in range(each)])
        assert value == pytest.approx(np.nan if wanted is None else wanted, nan_ok=True)


@pytest.mark.parametrize("cells", [1, 50, 1 << 20])
def test_the_interval_is_that_of_measuring_again(monkeypatch, cells):
    monkeypatch.setattr(bootstrap, "DRAWS", 25)
    monkeypatch.setattr(bootstrap, "CELLS", cells)
    random = np.random.default_rng(3)
    first, second = scenes(random, 12), scenes(random, 12)
    second = [(matches, true) for (matches, _), (_, true) in zip(second, first, strict=True)]
    first[4] = second[7] = None
    common = np.array([0, 1, 2, 3, 5, 6, 8, 9, 10, 11])
    again = np.random.default_rng(0)
    differences = []
    for _ in range(25):
        drawn = common[again.integers(0, 10, 10)]
        differences.append(
            score([second[image] for image in drawn]) - score([first[image] for image in drawn])
        )
    result = compare_detectors(tally(first), tally(second), ("a", "b"))
    assert (result.first, result.second, result.images) == ("a", "b", 10)
    answered = [score([images[image] for image in common]) for images in (first, second)]
    assert result.difference == pytest.approx(answered[1] - answered[0])
    assert result.interval == pytest.approx(np.quantile(differences, [0.025, 0.975]))
    assert result.p_value == pytest.approx(find_p_value(np.array(differences)))


def test_a_detector_does_not_differ_from_itself():
    counted = tally(scenes(np.random.default_rng(1), 10))
    result = compare_detectors(counted, counted, ("a", "a"))
    assert (result.difference, result.interval, result.p_value) == (0, (0, 0), 1)


def test_a_detector_that_misses_most_objects_is_worse():
    images = scenes(np.random.default_rng(2), 60, miss=0)
    worse = scenes(np.random.default_rng(2), 60, miss=0.8)
    worse = [(matches, true) for (matches, _), (_, true) in zip(worse, images, strict=True)]
    result = compare_detectors(tally(worse), tally(images), ("worse", "better"))
    assert 0 < result.interval[0] < result.difference < result.interval[1]
    assert result.p_value == 2 / 1001


def test_one_image_or_no_object_cannot_be_tested():
    (matches, true) = next(image for image in scenes(np.random.default_rng(4), 9) if image[1].labels)
    result = compare_detectors(tally([(matches, true)]), tally([(matches, true)]), ("a", "b"))
    assert (result.images, result.difference, result.interval, result.p_value) == (1, 0, None, None)
    nothing = TrueObjects(
        boxes=np.zeros((0, 4)), labels=(), crowds=np.zeros(0, bool), ignored=np.zeros(0, bool)
    )
    empty = tally([(matches, nothing)] * 3)
    result = compare_detectors(empty, empty, ("a", "b"))
    assert (result.images, result.difference, result.interval, result.p_value) == (3, None, None, None)
    result = compare_detectors(tally([None, (matches, true)]), tally([(matches, true), None]), ("a", "b"))
    assert (result.images, result.difference) == (0, None)


def test_p_values_by_hand():
    assert find_p_value(np.full(99, 0.5)) == 2 / 100
    assert find_p_value(np.array([-1.0, -0.5, 0.5] * 33)) == pytest.approx(2 * 34 / 100)
    assert find_p_value(np.zeros(99)) == 1
