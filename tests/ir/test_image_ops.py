"""Rescaling against the recorded maps and against its formula written out; the recipe for loading."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sensenet.errors import InputError, VerifyError
from sensenet.ir.ops.arithmetic import Subtract
from sensenet.ir.ops.image import Index, Rescale, nearest_indices, rescale
from sensenet.ir.ops.rearrangement import Gather, Slice
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.types import DType, Tensor, TensorType, f32
from sensenet.signature import RescaleType

WARP, PAD, CROP = RescaleType.WARP, RescaleType.PAD, RescaleType.CROP


def numbered(height, width, channels=1):
    """An image in which every number is another."""
    size = height * width * channels
    return np.arange(size, dtype=np.float32).reshape(1, height, width, channels)


def test_all_recorded_maps(conformance):
    with gzip.open(conformance / "resize_nearest.json.gz") as file:
        maps = json.load(file)["maps"]
    assert maps
    for recorded in maps:
        x = np.arange(recorded["in"], dtype=np.float32).reshape(1, -1, 1, 1)
        y = Rescale(height=recorded["out"], width=1, method=WARP).evaluate(x)
        assert y.ravel().tolist() == recorded["index"], recorded


@pytest.mark.parametrize(("source", "target", "pixel"), [(112, 24, 13), (84, 18, 13), (64, 41, 20)], ids=str)
def test_where_float32_decides(source, target, pixel):
    exact = (Fraction(pixel) + Fraction(1, 2)) * Fraction(source, target)
    assert exact.denominator == 1  # the ratio is rounded down, so the product falls short of this integer
    assert nearest_indices(source, target, pixel, pixel + 1) == exact - 1


@given(st.integers(1, 400), st.integers(1, 400))
def test_nearest_is_near(source, target):
    indices = nearest_indices(source, target, 0, target)
    exact = [(Fraction(k) + Fraction(1, 2)) * Fraction(source, target) for k in range(target)]
    assert all(0 <= i < source for i in indices)
    assert all(
        i - Fraction(1, 1000) <= e <= i + 1 + Fraction(1, 1000) for i, e in zip(indices, exact, strict=True)
    )
    assert (np.diff(indices) >= 0).all()
    if source == target:
        assert indices.tolist() == list(range(source))


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 60), st.integers(0, 60))
def test_a_part_of_the_map_is_a_part_of_the_whole(source, target, first, length):
    whole = nearest_indices(source, target, 0, target)
    part = nearest_indices(source, target, min(first, target), min(first + length, target))
    assert part.tolist() == whole[first : first + length].tolist()


def test_warp_scales_both_axes():
    x = numbered(2, 4, 3)
    y = Rescale(height=4, width=2, method=WARP).evaluate(x)
    np.testing.assert_array_equal(y, x[:, [0, 0, 1, 1]][:, :, [1, 3]])
    assert y.dtype == np.float32


def test_pad_puts_the_image_at_the_top_left_and_fills_with_its_mean():
    x = numbered(2, 4, 3)
    y = Rescale(height=6, width=8, method=PAD).evaluate(x)
    np.testing.assert_array_equal(y[:, :4, :8], x.repeat(2, axis=1).repeat(2, axis=2))
    assert (y[:, 4:] == 11.5).all()
    y = Rescale(height=2, width=7, method=PAD).evaluate(x)
    np.testing.assert_array_equal(y[:, :, :4], x)
    assert (y[:, :, 4:] == 11.5).all()


def test_pad_fills_with_the_mean_of_the_scaled_image():
    x = np.array([0, 0, 1, 1, 0], np.float32).reshape(1, 1, 5, 1)
    y = Rescale(height=1, width=2, method=PAD).evaluate(np.concatenate([x, x, x], axis=1))
    np.testing.assert_array_equal(y[0, :, :, 0], [[0, 1]])  # 3 × 5 becomes 1 × 2: nothing to fill
    y = Rescale(height=2, width=2, method=PAD).evaluate(np.concatenate([x, x, x], axis=1))
    np.testing.assert_array_equal(y[0, :, :, 0], [[0, 1], [0.5, 0.5]])  # not 0.4, the original's mean


def test_pad_takes_each_image_of_a_batch_by_itself():
    x = np.concatenate([numbered(1, 2), numbered(1, 2) + 100])
    y = Rescale(height=2, width=2, method=PAD).evaluate(x)
    assert (y[0, 1] == 0.5).all()
    assert (y[1, 1] == 100.5).all()


@pytest.mark.parametrize(("size", "rows"), [((5, 20), 2), ((7, 20), 4), ((9, 20), 4), ((11, 20), 6)])
def test_pad_rounds_halves_to_even(size, rows):
    y = Rescale(height=10, width=10, method=PAD).evaluate(numbered(*size) + 1)
    filling = np.float32(y[0, -1, -1, 0])
    assert (y[0, :, 0, 0] != filling).sum() == rows  # 2.5, 3.5, 4.5 and 5.5 rows


@pytest.mark.parametrize(("width", "first"), [(5, 0), (7, 2), (9, 2), (11, 4)])
def test_crop_cuts_the_centre_and_rounds_halves_to_even(width, first):
    x = numbered(4, width, 2)
    y = Rescale(height=4, width=4, method=CROP).evaluate(x)  # offsets 0.5, 1.5, 2.5 and 3.5
    np.testing.assert_array_equal(y, x[:, :, first : first + 4])


def test_crop_scales_by_the_larger_ratio():
    x = numbered(2, 6)
    y = Rescale(height=4, width=4, method=CROP).evaluate(x)
    np.testing.assert_array_equal(y, x.repeat(2, axis=1).repeat(2, axis=2)[:, :, 4:8])


sides = st.integers(1, 40)


@given(sides, sides, sides, sides, st.sampled_from(RescaleType))
def test_any_size_becomes_the_wanted_one_and_stays(height, width, wanted_height, wanted_width, method):
    op = Rescale(height=wanted_height, width=wanted_width, method=method)
    x = numbered(height, width, 3)
    smaller_ratio = min(wanted_height / height, wanted_width / width)
    if method is PAD and min(height, width) * smaller_ratio < 0.499:
        with pytest.raises(InputError, match="too thin"):
            op.evaluate(x)
        return
    assume(method is not PAD or min(height, width) * smaller_ratio > 0.501)
    y = op.evaluate(x)
    assert y.shape == (1, wanted_height, wanted_width, 3)
    assert op.infer(f32(None, None, None, 3)) == f32(None, *y.shape[1:])
    np.testing.assert_array_equal(op.evaluate(y), y)


def test_bytes_are_rescaled_like_floats():
    x = numbered(11, 9, 2).astype(np.uint8)
    for method in RescaleType:
        np.testing.assert_array_equal(
            rescale(x, (7, 8), method), rescale(x.astype(np.float32), (7, 8), method)
        )


def test_a_image_too_thin_to_pad():
    with pytest.raises(InputError, match=r"2 × 120 pixels.*too thin.*'pad'"):
        Rescale(height=24, width=20, method=PAD).evaluate(numbered(2, 120))
    assert Rescale(height=24, width=20, method=CROP).evaluate(numbered(2, 120)).shape == (1, 24, 20, 1)


def test_an_empty_image():
    with pytest.raises(InputError, match="empty"):
        Rescale(height=2, width=2, method=WARP).evaluate(np.zeros((1, 0, 3, 3), np.float32))


def test_a_long_line_does_not_need_the_memory_of_its_scaled_form():
    line = np.zeros((1, 1, 3_000_000, 1), np.uint8)  # scaled to 224 rows it would have 150 billion pixels
    assert rescale(line, (224, 224), CROP).shape == (1, 224, 224, 1)


def test_index_drops_an_axis():
    x = numbered(4, 5, 6)
    op = Index(axis=1, index=2)
    np.testing.assert_array_equal(op.evaluate(x), x[:, 2])
    assert op.infer(f32(None, 4, 5, None)) == f32(None, 5, None)
    assert op.infer(f32(None, None, 5)) == f32(None, 5)
    assert Index(axis=0, index=0).infer(TensorType(DType.INT32, (3,))) == TensorType(DType.INT32, ())


@pytest.mark.parametrize(
    ("op", "x", "message"),
    [
        (Index(axis=1, index=4), f32(None, 4, 5), "position 4"),
        (Index(axis=1, index=-1), f32(None, 4, 5), "position -1"),
        (Index(axis=3, index=0), f32(None, 4, 5), "no axis 3"),
        (Index(axis=-1, index=0), f32(None, 4, 5), "no axis -1"),
        (Rescale(height=0, width=4, method=WARP), f32(None, 4, 5, 3), "0 × 4"),
        (Rescale(height=4, width=4, method=WARP), f32(None, None, 4, 5, 3), "f32[b,h,w,c]"),
    ],
)
def test_wrong_types_are_refused(op, x, message):
    with pytest.raises(VerifyError) as caught:
        op.infer(x)
    assert message in str(caught.value)


def test_the_recipe_for_loading_with_reversed_channels_and_a_mean_image():
    x = np.array([[[[10, 20, 30, 99]]]], np.float32)
    mean_image = np.array([1, 2, 3], np.float32)
    steps = [
        Rescale(height=1, width=1, method=WARP),
        Slice(axis=-1, start=0, stop=3),
        Gather(axis=-1, indices=Tensor.int32([2, 1, 0])),
        Standardize(mean=Tensor.float32([103.939, 116.779, 123.68]), stdev=Tensor.float32(1)),
    ]
    for step in steps[:3]:
        x = step.evaluate(x)
    x = steps[3].evaluate(Subtract().evaluate(x, mean_image))
    np.testing.assert_allclose(x, [[[[30 - 1 - 103.939, 20 - 2 - 116.779, 10 - 3 - 123.68]]]], rtol=1e-6)
