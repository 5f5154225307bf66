"""Average precision: pycocotools' in random cases, and by hand in small ones."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.profiles import examples

from sensenet.evaluation.detection import DetectionTally
from sensenet.evaluation.objects import TrueObjects, find_ious, match_image

NAMES = ("cup", "spoon", "fork")


def true_objects(*objects):
    """Objects as (label, box) or (label, box, crowd)."""
    crowds = np.array([len(each) > 2 and each[2] for each in objects], bool)
    return TrueObjects(
        boxes=np.array([each[1] for each in objects], float).reshape(-1, 4),
        labels=tuple(each[0] for each in objects),
        crowds=crowds,
        ignored=crowds,
    )


def found(label, box, score):
    return {"label": label, "box": box, "score": score}


def evaluate(*images, classes=NAMES):
    tally = DetectionTally(classes)
    for true, objects in images:
        tally.add(match_image(objects, true), true)
    return tally.result(0.001)


@st.composite
def scenes(draw):
    """True and found objects of some images; scores differ, since COCO's order of equal ones is arbitrary."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = []
    for _ in range(draw(st.integers(1, 5))):
        corners = random.integers(0, 40, (draw(st.integers(0, 6)), 2))
        boxes = [[*corner, *(corner + random.integers(4, 30, 2))] for corner in corners]
        true = [
            (NAMES[random.integers(3)], list(map(int, box)), bool(random.random() < 0.2)) for box in boxes
        ]
        near = [(label, np.array(box) + random.integers(-4, 5, 4)) for label, box, _ in true * 2]
        far = [
            (NAMES[random.integers(2)], [*corner, *(corner + 9)]) for corner in random.integers(0, 40, (3, 2))
        ]
        objects = [
            found(
                label,
                [int(box[0]), int(box[1]), int(max(box[2], box[0] + 1)), int(max(box[3], box[1] + 1))],
                0,
            )
            for label, box in near + far
        ]
        images.append((true, objects))
    scores = random.permutation(sum(len(objects) for _, objects in images))
    for score, each in zip(scores, (each for _, objects in images for each in objects), strict=True):
        each["score"] = float(np.float32((score + 1) / (len(scores) + 1)))
    return images


def to_coco(box):
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def coco_evaluation(images):
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    annotations = [
        {"image_id": number, "category_id": NAMES.index(label), "bbox": to_coco(box), "iscrowd": int(crowd)}
        | {"area": to_coco(box)[2] * to_coco(box)[3]}
        for number, (true, _) in enumerate(images, 1)
        for label, box, crowd in true
    ]
    answers = [
        {"image_id": number, "category_id": NAMES.index(each["label"]), "score": each["score"]}
        | {"bbox": to_coco(each["box"])}
        for number, (_, objects) in enumerate(images, 1)
        for each in objects
    ]
    truth = coco.COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": number} for number in range(1, len(images) + 1)],
        "annotations": [{"id": number} | each for number, each in enumerate(annotations, 1)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        run = evaluation.COCOeval(truth, truth.loadRes(answers), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run


@examples(40)
@given(scenes())
def test_average_precision_is_that_of_pycocotools(images):
    run = coco_evaluation(images)
    result = evaluate(*((true_objects(*true), objects) for true, objects in images))
    means = (result.mean_average_precision, result.at(0.5), result.at(0.75))
    assert [-1 if each is None else each for each in means] == pytest.approx(run.stats[:3], abs=1e-12)
    for number, each in enumerate(result.per_class_statistics):
        precisions = run.eval["precision"][:, :, number, 0, 2]
        if each.precisions is None:
            assert (precisions == -1).all()
        else:
            np.testing.assert_allclose(each.precisions, precisions, atol=1e-12)


def test_a_small_case_by_hand():
    """Two cups: one found first, then a miss, then the other with an IoU of 0.6."""
    true = true_objects(("cup", [0, 0, 10, 10]), ("cup", [20, 0, 30, 10]))
    objects = [
        found("cup", [0, 0, 10, 10], 0.9),
        found("cup", [50, 50, 60, 60], 0.8),
        found("cup", [20, 0, 30, 6], 0.4),
    ]
    result = evaluate((true, objects))
    cup, spoon, _ = result.per_class_statistics
    # recalls up to 0.5 have precision 1, the other 50 of 101 have 2/3
    assert cup.at(0.5) == cup.at(0.6) == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert cup.at(0.65) == pytest.approx(51 / 101)
    assert (spoon.average_precision, spoon.instances) == (None, 0)
    assert result.mean_average_precision == cup.average_precision
    assert (cup.precision, cup.recall) == (0.5, 0.5)  # of the boxes with scores above 0.5
    assert cup.f_measure == pytest.approx(0.5)


def test_an_object_is_found_once():
    true = true_objects(("cup", [0, 0, 10, 10]))
    twice = [found("cup", [0, 0, 10, 10], 0.9), found("cup", [0, 0, 10, 10], 0.8)]
    (cup, *_) = evaluate((true, twice)).per_class_statistics
    assert (cup.average_precision, cup.precision, cup.recall) == (1, 0.5, 1)


def test_boxes_of_a_crowd_count_for_nothing():
    true = true_objects(("cup", [0, 0, 100, 100], True), ("cup", [200, 0, 210, 10]))
    objects = [found("cup", [5 * n, 5, 5 * n + 4, 9], 0.9) for n in range(5)]
    (cup, *_) = evaluate((true, [*objects, found("cup", [200, 0, 210, 10], 0.6)])).per_class_statistics
    assert (cup.instances, cup.average_precision, cup.precision) == (1, 1, 1)


def test_a_class_that_the_model_does_not_know_is_not_found():
    result = evaluate(
        (true_objects(("cup", [0, 0, 5, 5]), ("bowl", [0, 0, 5, 5])), [found("cup", [0, 0, 5, 5], 0.9)])
    )
    assert [each.class_name for each in result.per_class_statistics] == [*NAMES, "bowl"]
    assert result.mean_average_precision == 0.5


def test_no_objects_have_no_average():
    result = evaluate((true_objects(), [found("cup", [0, 0, 5, 5], 0.9)]))
    assert result.mean_average_precision is None
    assert result.at(0.5) is None
    assert result.per_class_statistics[0].boxes == 1


def test_only_a_hundred_boxes_of_a_class_count():
    true = true_objects(("cup", [0, 0, 10, 10]))
    objects = [found("cup", [50, 50, 60, 60], 0.9) for _ in range(100)] + [found("cup", [0, 0, 10, 10], 0.5)]
    assert evaluate((true, objects)).mean_average_precision == 0


def test_boxes_without_area_overlap_with_nothing():
    boxes = np.array([[0.0, 0, 0, 0], [0, 0, 2, 2]])
    np.testing.assert_array_equal(find_ious(boxes, boxes, np.zeros(2, bool)), [[0, 0], [0, 1]])
