"""Box decoding and suppression against plain loops, at the edges, and against recorded branches."""

from __future__ import annotations

import gzip
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sensenet.errors import VerifyError
from sensenet.ir.ops.detection import DecodeBoxes, ScaleBoxes, SuppressBoxes
from sensenet.ir.ops.rearrangement import Concatenate
from sensenet.ir.types import DType, Tensor, TensorType, f32


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def slow_decode(raw, op):
    """[(x1, y1, x2, y2, score, class)] of one image's raw[row][column][number], in float64."""
    found = []
    for i, row in enumerate(raw):
        for j, numbers in enumerate(row):
            for k, (width, height) in enumerate(op.anchors.array.tolist()):
                length = 5 + op.classes
                dx, dy, dw, dh, confidence, *classes = map(float, numbers[k * length : (k + 1) * length])
                x = (sigmoid(dx) * op.xyscale - (op.xyscale - 1) / 2 + j) * op.stride
                y = (sigmoid(dy) * op.xyscale - (op.xyscale - 1) / 2 + i) * op.stride
                w, h = math.exp(dw) * width, math.exp(dh) * height
                scores = [sigmoid(confidence) * sigmoid(value) for value in classes]
                box = [side / op.input_size for side in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]
                found.append((*box, max(scores), scores.index(max(scores))))
    return found


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(0, 99))
def test_decoding(rows, columns, classes, seed):
    generator = np.random.default_rng(seed)
    anchors = generator.uniform(5, 60, (int(generator.integers(1, 4)), 2))
    op = DecodeBoxes(anchors=Tensor.float32(anchors), stride=16, xyscale=1.05, classes=classes, input_size=96)
    x = generator.normal(size=(2, rows, columns, len(anchors) * (5 + classes))).astype(np.float32)
    boxes, scores, numbers = op.evaluate(x)
    for row in range(2):
        expected = np.array(slow_decode(x[row], op))
        np.testing.assert_allclose(boxes[row], expected[:, :4], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(scores[row], expected[:, 4], rtol=1e-5)
        np.testing.assert_array_equal(numbers[row], expected[:, 5])
    types = op.infer(f32(*x.shape))
    assert all(t.accepts(result) for t, result in zip(types, (boxes, scores, numbers), strict=True))
    assert [t.shape[1] for t in op.infer(f32(None, None, columns, x.shape[3]))] == [None, None, None]


def test_of_equal_scores_the_first_class_counts():
    op = DecodeBoxes(anchors=Tensor.float32([[8, 8]]), stride=8, xyscale=1.0, classes=3, input_size=8)
    x = np.array([0, 0, 0, 0, 1, -1, 2, 2], np.float32).reshape(1, 1, 1, 8)
    boxes, _, classes = op.evaluate(x)
    assert classes.tolist() == [[1]]
    np.testing.assert_array_equal(boxes, [[[0, 0, 1, 1]]])


def test_decoding_an_empty_batch():
    op = DecodeBoxes(anchors=Tensor.float32([[8, 8]]), stride=8, xyscale=1.0, classes=3, input_size=8)
    x = np.zeros((0, 2, 2, 8), np.float32)
    assert [result.shape for result in op.evaluate(x)] == [t.shape for t in op.infer(f32(0, 2, 2, 8))]


def test_scaling_takes_the_larger_side_and_rounds_halves_to_even():
    boxes = np.array([[[0.05, 0.15, 0.25, 1.0], [-0.05, -0.15, 0.04, 0.0]]], np.float32)
    scaled = ScaleBoxes().evaluate(boxes, np.zeros((1, 4, 10, 3), np.float32))
    np.testing.assert_array_equal(scaled, [[[0, 2, 2, 10], [0, -2, 0, 0]]])
    assert ScaleBoxes().infer(f32(None, 7, 4), f32(None, None, None, 3)) == f32(None, 7, 4)


def slow_suppress(boxes, scores, op):
    """The positions that stay, by trying every box against all that were kept before it."""
    kept = []
    for position in sorted(range(len(boxes)), key=lambda n: (-scores[n], n)):
        if scores[position] > op.score_threshold and not any(
            overlap(boxes[position], boxes[other]) >= op.iou_threshold for other in kept
        ):
            kept.append(position)
    return [n for n in kept if max(boxes[n]) > 0][: op.max_objects]


def overlap(a, b):
    intersection = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - intersection
    return intersection / union if union else 0


@st.composite
def candidates(draw):
    """Boxes on a small grid with few different scores, so that ties and exact overlaps occur."""
    count = draw(st.integers(1, 12))
    corner, side, score = st.integers(-6, 4), st.integers(0, 5), st.integers(0, 8)
    cells = draw(st.lists(st.tuples(corner, corner, side, side, score), min_size=count, max_size=count))
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h, _ in cells], np.float32)
    return boxes, np.array([cell[4] / 8 for cell in cells], np.float32)


@given(candidates(), st.sampled_from([0.125, 0.5]), st.sampled_from([0.25, 0.4, 0.5, 1.0]), st.integers(1, 6))
def test_suppression(case, score_threshold, iou_threshold, max_objects):
    boxes, scores = case
    op = SuppressBoxes(score_threshold=score_threshold, iou_threshold=iou_threshold, max_objects=max_objects)
    classes = np.arange(len(boxes), dtype=np.int32)
    # The second image holds the same boxes in reverse: rows of a batch don't touch each other.
    results = op.evaluate(
        np.stack([boxes, boxes[::-1]]), np.stack([scores, scores[::-1]]), np.stack([classes, classes[::-1]])
    )
    types = op.infer(
        f32(None, len(boxes), 4), f32(None, len(boxes)), TensorType(DType.INT32, (None, len(boxes)))
    )
    assert all(t.accepts(result) for t, result in zip(types, results, strict=True))
    for row, order in enumerate((slice(None), slice(None, None, -1))):
        expected = slow_suppress(boxes[order].tolist(), scores[order].tolist(), op)
        rows = expected + [0] * (max_objects - len(expected))
        assert results[3][row] == len(expected)
        np.testing.assert_array_equal(results[0][row], boxes[order][rows])
        np.testing.assert_array_equal(results[1][row], scores[order][rows])
        np.testing.assert_array_equal(results[2][row], classes[order][rows])


def suppress(boxes, scores, **options):
    """The positions that stay of one image."""
    settings = {"score_threshold": 0.5, "iou_threshold": 0.5, "max_objects": 5} | options
    return SuppressBoxes(**settings).choose(np.array(boxes, np.float32), np.array(scores, np.float32))


def test_a_score_at_the_threshold_is_not_above_it():
    assert suppress([[0, 0, 2, 2], [4, 0, 6, 2]], [0.5, 0.50001]) == [1]


def test_an_overlap_at_the_threshold_suppresses():
    halves = [[0, 0, 4, 2], [0, 0, 2, 2]]
    assert suppress(halves, [0.9, 0.8]) == [0]
    assert suppress(halves, [0.9, 0.8], iou_threshold=0.51) == [0, 1]


def test_identical_boxes_overlap_by_one():
    assert suppress([[0, 0, 3, 3], [0, 0, 3, 3]], [0.8, 0.9], iou_threshold=1.0) == [1]


def test_boxes_without_area_overlap_nothing():
    assert suppress([[1, 1, 1, 1]] * 3 + [[0, 0, 2, 2]], [0.6, 0.7, 0.7, 0.9]) == [3, 1, 2, 0]


def test_a_suppressed_box_suppresses_nothing():
    chain = [[0, 0, 10, 1], [3, 0, 13, 1], [6, 0, 16, 1]]  # neighbours overlap by 7/13, the ends by 4/16
    assert suppress(chain, [0.9, 0.8, 0.7]) == [0, 2]


def test_a_box_beyond_the_origin_suppresses_and_is_dropped():
    boxes = [[-9, -9, 0, 0], [-9, -9, 1, 0], [-9, -9, 0, 0.5]]
    assert suppress(boxes, [0.9, 0.8, 0.7]) == []
    assert suppress(boxes, [0.7, 0.9, 0.8]) == [1]


def test_a_dropped_box_does_not_count_as_an_object():
    assert suppress([[-4, -4, 0, 0], [0, 0, 2, 2]], [0.9, 0.8], max_objects=1) == [1]


def test_rows_beyond_the_valid_ones_repeat_box_0():
    op = SuppressBoxes(score_threshold=0.5, iou_threshold=0.5, max_objects=3)
    boxes = np.array([[[0, 0, 1, 1], [5, 5, 9, 9]]], np.float32)
    results = op.evaluate(boxes, np.array([[0.1, 0.9]], np.float32), np.array([[3, 4]], np.int32))
    assert results[0].tolist() == [[[5, 5, 9, 9], [0, 0, 1, 1], [0, 0, 1, 1]]]
    assert results[2].tolist() == [[4, 3, 3]]
    assert results[3].tolist() == [1]


def test_recorded_branches(conformance):
    """Raw numbers of a network's branches to the boxes that were recorded: exactly, in order."""
    tested = 0
    for path in sorted((conformance / "detector").glob("*.json.gz")):
        with gzip.open(path) as file:
            case = json.load(file)
        if "branch_outputs" not in case:
            continue
        for row, branches, expected in zip(  # only the first rows have recorded branches
            case["inputs"], case["branch_outputs"], case["raw_outputs"], strict=False
        ):
            with Image.open(conformance / "images" / row[0]) as image:
                pixels = np.zeros((1, image.height, image.width, 3), np.float32)
            boxes, scores, classes, valid = detect(case, branches, pixels)
            assert valid == [len(expected["scores"])]
            stay = slice(0, int(valid[0]))
            assert boxes[0, stay].tolist() == expected["boxes"]
            assert classes[0, stay].tolist() == expected["classes"]
            np.testing.assert_allclose(scores[0, stay], expected["scores"], rtol=1e-6)
            tested += len(expected["scores"])
    assert tested > 30


def detect(case, branches, pixels):
    metadata = case["model"]["image_network"]["metadata"]
    settings = case["settings"] or {}
    decoded = []
    for branch, output in zip(branches, metadata["outputs"], strict=True):
        op = DecodeBoxes(
            anchors=Tensor.float32(output["anchors"]),
            stride=output["strides"],
            xyscale=output["xyscale"],
            classes=len(case["model"]["output_exposition"]["values"]),
            input_size=metadata["input_image_shape"][0],
        )
        decoded.append(op.evaluate(np.array(branch["values"], np.float32).reshape(1, *branch["shape"])))
    boxes, scores, classes = (Concatenate(axis=1).evaluate(*parts) for parts in zip(*decoded, strict=True))
    op = SuppressBoxes(
        score_threshold=settings.get("bounding_box_threshold", 0.5),
        iou_threshold=settings.get("iou_threshold", 0.5),
        max_objects=settings.get("max_objects", 32),
    )
    return op.evaluate(ScaleBoxes().evaluate(boxes, pixels), scores, classes)


ANCHORS = Tensor.float32([[8, 8], [16, 16]])
DECODE = DecodeBoxes(anchors=ANCHORS, stride=8, xyscale=1.0, classes=3, input_size=64)
SUPPRESS = SuppressBoxes(score_threshold=0.5, iou_threshold=0.5, max_objects=5)


@pytest.mark.parametrize(
    ("op", "types", "message"),
    [
        (DECODE, [f32(None, 4, 4, 15)], "expected f32[?,?,?,16]"),
        (DECODE, [f32(None, 16)], "expected f32[?,?,?,16]"),
        (
            DecodeBoxes(anchors=Tensor.float32([8, 8]), stride=8, xyscale=1.0, classes=3, input_size=64),
            [f32(None, 4, 4, 8)],
            "anchors",
        ),
        (ScaleBoxes(), [f32(None, 9, 5), f32(None, 4, 4, 3)], "expected f32[?,?,4]"),
        (ScaleBoxes(), [f32(None, 9, 4), f32(None, 4, 4)], "expected f32[?,?,?,?]"),
        (SUPPRESS, [f32(None, 9, 4), f32(None, 8), TensorType(DType.INT32, (None, 8))], "f32[?,9]"),
        (SUPPRESS, [f32(None, 9, 4), f32(None, 9), f32(None, 9)], "classes"),
        (SUPPRESS, [f32(None, 0, 4), f32(None, 0), TensorType(DType.INT32, (None, 0))], "no boxes"),
        (
            SuppressBoxes(score_threshold=0.5, iou_threshold=0.5, max_objects=0),
            [f32(None, 9, 4), f32(None, 9), TensorType(DType.INT32, (None, 9))],
            "max_objects",
        ),
    ],
)
def test_wrong_types_are_refused(op, types, message):
    with pytest.raises(VerifyError) as caught:
        op.infer(*types)
    assert message in str(caught.value)
