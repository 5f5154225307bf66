"""Convolutions, pools, padding and enlarging against loops over pixels that say the same the slow way."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensenet.errors import InputError, VerifyError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.ops import windows
from sensenet.ir.ops.convolution import (
    Convolution2D,
    DepthwiseConvolution2D,
    Pad2D,
    SeparableConvolution2D,
    Upsample2D,
    UpsampleMethod,
)
from sensenet.ir.ops.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from sensenet.ir.ops.windows import Padding
from sensenet.ir.types import Tensor, TensorType, f32

RELU = ActivationFunction.RELU


def spans(size, window, stride, padding):
    """For each window of an axis, the pairs (position in the window, pixel) that lie in the image."""
    if padding is Padding.VALID:
        starts = range(0, size - window + 1, stride)
    else:
        count = math.ceil(size / stride)
        before = max((count - 1) * stride + window - size, 0) // 2
        starts = [i * stride - before for i in range(count)]
    return [[(k, start + k) for k in range(window) if 0 <= start + k < size] for start in starts]


def loop(x, window, strides, padding, result_of_window):
    """[b, h', w', …]: `result_of_window([(i, j, pixel), …])` for each window, pixel: float64[b, c]."""
    rows, columns = (spans(*axis, padding) for axis in zip(x.shape[1:3], window, strides, strict=True))
    x = x.astype(np.float64)
    results = [
        [
            result_of_window([(i, j, x[:, y, z]) for (i, y), (j, z) in itertools.product(row, column)])
            for column in columns
        ]
        for row in rows
    ]
    return np.moveaxis(np.array(results), 2, 0)


def slow_convolution(x, kernel, strides, padding):
    kernel = kernel.astype(np.float64)
    return loop(
        x, kernel.shape[:2], strides, padding, lambda taps: sum(pixel @ kernel[i, j] for i, j, pixel in taps)
    )


def slow_depthwise(x, kernel, strides, padding):
    kernel = kernel.astype(np.float64)
    y = loop(
        x,
        kernel.shape[:2],
        strides,
        padding,
        lambda taps: sum(pixel[:, :, None] * kernel[i, j] for i, j, pixel in taps),
    )
    return y.reshape(*y.shape[:3], -1)


@st.composite
def image_and_windows(draw, equal_strides=False):
    """(x, window, strides, padding) that go together; sizes from 1 to 9, strides beyond the window too."""
    window = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 5)))
    padding = draw(st.sampled_from(Padding))
    smallest = window if padding is Padding.VALID else (1, 1)
    shape = [draw(st.integers(1, 2)), *(draw(st.integers(n, 9)) for n in smallest), draw(st.integers(1, 3))]
    x = noise(shape, draw(st.integers(0, 99)))
    return x, window, (strides[0], strides[0]) if equal_strides else strides, padding


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def check(op, x, expected):
    """The op's answer and inferred types are as expected; with unknown sizes too."""
    y = op.evaluate(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    assert op.infer(f32(*x.shape)) == f32(*y.shape)
    unknown = op.infer(f32(None, None, None, x.shape[3]))
    assert unknown == f32(None, *[None] * (y.ndim - 2), y.shape[-1])


@given(image_and_windows(), st.integers(1, 3), st.booleans())
def test_convolution(case, filters, biased):
    x, window, strides, padding = case
    kernel, bias = noise((*window, x.shape[3], filters), 1), noise(filters, 2)
    op = Convolution2D(
        kernel=Tensor(kernel),
        bias=Tensor(bias) if biased else None,
        strides=strides,
        padding=padding,
        activation=RELU,
    )
    expected = np.maximum(slow_convolution(x, kernel, strides, padding) + biased * bias, 0)
    check(op, x, expected)


@given(image_and_windows(equal_strides=True), st.integers(1, 3), st.booleans())
def test_depthwise_convolution(case, multiplier, biased):
    x, window, strides, padding = case
    kernel, bias = noise((*window, x.shape[3], multiplier), 1), noise(x.shape[3] * multiplier, 2)
    op = DepthwiseConvolution2D(
        kernel=Tensor(kernel),
        bias=Tensor(bias) if biased else None,
        strides=strides,
        padding=padding,
        activation=RELU,
    )
    expected = np.maximum(slow_depthwise(x, kernel, strides, padding) + biased * bias, 0)
    check(op, x, expected)


@given(image_and_windows(equal_strides=True), st.integers(1, 2), st.integers(1, 3))
def test_separable_convolution(case, multiplier, filters):
    x, window, strides, padding = case
    depth = noise((*window, x.shape[3], multiplier), 1)
    point, bias = noise((1, 1, x.shape[3] * multiplier, filters), 2), noise(filters, 3)
    op = SeparableConvolution2D(
        depth_kernel=Tensor(depth),
        point_kernel=Tensor(point),
        bias=Tensor(bias),
        strides=strides,
        padding=padding,
        activation=RELU,
    )
    expected = np.maximum(slow_depthwise(x, depth, strides, padding) @ point[0, 0] + bias, 0)
    check(op, x, expected)


@given(image_and_windows())
def test_pools(case):
    x, window, strides, padding = case
    for op_class, reduce in ((MaxPool2D, np.max), (AveragePool2D, np.mean)):
        expected = loop(
            x, window, strides, padding, lambda taps, reduce=reduce: reduce([p for _, _, p in taps], axis=0)
        )
        check(op_class(pool_size=window, strides=strides, padding=padding), x, expected)


def test_maximum_of_negative_numbers_ignores_the_padding():
    x = np.full((1, 3, 3, 1), -7, np.float32)
    y = MaxPool2D(pool_size=(3, 3), strides=(1, 1), padding=Padding.SAME).evaluate(x)
    assert (y == -7).all()


def test_average_leaves_the_padding_out_of_the_count():
    x = np.ones((1, 5, 4, 2), np.float32)
    y = AveragePool2D(pool_size=(3, 2), strides=(2, 2), padding=Padding.SAME).evaluate(x)
    assert (y == 1).all()


def test_global_pools():
    x = noise((2, 5, 3, 4))
    check(GlobalAveragePool2D(), x, x.astype(np.float64).mean(axis=(1, 2)))
    check(GlobalMaxPool2D(), x, x.max(axis=(1, 2)))


def test_global_average_of_a_large_image_keeps_its_digits():
    x = np.full((1, 2000, 1000, 2), 16777215 / 16777216, np.float32)
    np.testing.assert_array_equal(GlobalAveragePool2D().evaluate(x), x[:, 0, 0])


def test_padding():
    x = noise((2, 3, 2, 2))
    op = Pad2D(padding=((1, 0), (0, 3)))
    check(op, x, np.pad(x, ((0, 0), (1, 0), (0, 3), (0, 0))))
    assert Pad2D(padding=((0, 0), (0, 0))).evaluate(x) is x


@given(st.tuples(st.integers(1, 4), st.integers(1, 4)), st.tuples(st.integers(1, 3), st.integers(1, 3)))
def test_nearest_upsampling(size, factors):
    x = noise((2, *size, 3))
    expected = np.empty((2, size[0] * factors[0], size[1] * factors[1], 3))
    for i, j in np.ndindex(*expected.shape[1:3]):
        expected[:, i, j] = x[:, i // factors[0], j // factors[1]]
    check(Upsample2D(size=factors), x, expected)


@given(st.tuples(st.integers(1, 4), st.integers(1, 4)), st.tuples(st.integers(1, 3), st.integers(1, 3)))
def test_bilinear_upsampling(size, factors):
    x = noise((1, *size, 2))
    expected = np.empty((1, size[0] * factors[0], size[1] * factors[1], 2))
    for i, j in np.ndindex(*expected.shape[1:3]):
        expected[0, i, j] = interpolate(x[0], (i + 0.5) / factors[0] - 0.5, (j + 0.5) / factors[1] - 0.5)
    check(Upsample2D(size=factors, method=UpsampleMethod.BILINEAR), x, expected)


def interpolate(image, row, column):
    """The color at a point between pixel centers: each pixel weighs as much as it is near; edges repeat."""
    height, width = image.shape[:2]
    total = 0.0
    for i in (math.floor(row), math.floor(row) + 1):
        for j in (math.floor(column), math.floor(column) + 1):
            weight = (1 - abs(row - i)) * (1 - abs(column - j))
            total = total + weight * image[min(max(i, 0), height - 1), min(max(j, 0), width - 1)]
    return total


@pytest.mark.parametrize("limit", [1, 40, 200, 5000])
def test_parts_do_not_change_the_result(limit, monkeypatch):
    x = noise((3, 9, 7, 2))
    kernel, depth = noise((3, 2, 2, 4), 1), noise((3, 2, 2, 2), 2)
    monkeypatch.setattr(windows, "BUFFER_ELEMENTS", limit)
    monkeypatch.setattr(windows, "CACHED_ELEMENTS", limit)
    for strides, padding in itertools.product([(1, 1), (2, 2), (2, 1)], Padding):
        y = windows.convolve(x, kernel, strides, padding)
        np.testing.assert_allclose(y, slow_convolution(x, kernel, strides, padding), rtol=1e-4, atol=1e-5)
        y = windows.convolve_depthwise(x, depth, strides, padding)
        np.testing.assert_allclose(y, slow_depthwise(x, depth, strides, padding), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(64, 8, 8, 16), (1, 64, 64, 16)], ids=["images", "rows"])
def test_windows_are_not_copied_all_at_once(shape, monkeypatch):
    monkeypatch.setattr(windows, "BUFFER_ELEMENTS", 1 << 16)
    x, kernel = noise(shape), noise((3, 3, 16, 4), 1)
    tracemalloc.start()
    y = windows.convolve(x, kernel, (1, 1), Padding.SAME)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    all_windows = 9 * x.nbytes
    assert peak < y.nbytes + 2 * x.nbytes + 2 * 4 * (1 << 16) < all_windows / 2


def test_inputs_and_weights_stay_as_they_are():
    x, kernel = noise((1, 4, 4, 2)), noise((1, 1, 2, 2), 1)
    before = x.copy()
    op = Convolution2D(kernel=Tensor(kernel), bias=Tensor(noise(2)), activation=RELU)
    first, second = op.evaluate(x), op.evaluate(x)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(x, before)


def test_an_empty_batch():
    x = np.zeros((0, 5, 5, 2), np.float32)
    kernel = Tensor(noise((3, 3, 2, 2)))
    separable = SeparableConvolution2D(depth_kernel=kernel, point_kernel=Tensor(noise((1, 1, 4, 3))))
    for op in (
        Convolution2D(kernel=kernel),
        DepthwiseConvolution2D(kernel=kernel, padding=Padding.SAME),
        separable,
        AveragePool2D(pool_size=(2, 2), strides=(2, 2)),
        Upsample2D(size=(2, 2), method=UpsampleMethod.BILINEAR),
        GlobalAveragePool2D(),
    ):
        assert f32(*op.evaluate(x).shape) == op.infer(f32(0, 5, 5, 2))


KERNEL = Tensor(np.zeros((3, 3, 2, 4), np.float32))
POINT = Tensor(np.zeros((1, 1, 8, 5), np.float32))
WRONG = [
    (Convolution2D(kernel=KERNEL), f32(None, 5, 5, 3), "2 channels"),
    (Convolution2D(kernel=KERNEL), f32(None, 5, 2), "f32[b,h,w,c]"),
    (Convolution2D(kernel=KERNEL), f32(None, 5, 2, 2), "does not fit"),
    (Convolution2D(kernel=KERNEL, strides=(0, 1)), f32(None, 5, 5, 2), "strides"),
    (Convolution2D(kernel=KERNEL, bias=Tensor(np.zeros(3, np.float32))), f32(None, 5, 5, 2), "4 filters"),
    (Convolution2D(kernel=Tensor(np.zeros((3, 3, 2), np.float32))), f32(None, 5, 5, 2), "f32[h,w,in,out]"),
    (DepthwiseConvolution2D(kernel=KERNEL, strides=(1, 2)), f32(None, 5, 5, 2), "differ"),
    (
        DepthwiseConvolution2D(kernel=KERNEL, bias=Tensor(np.zeros(2, np.float32))),
        f32(None, 5, 5, 2),
        "8 filters",
    ),
    (SeparableConvolution2D(depth_kernel=KERNEL, point_kernel=KERNEL), f32(None, 5, 5, 2), "f32[1,1,8,out]"),
    (
        SeparableConvolution2D(depth_kernel=KERNEL, point_kernel=POINT, strides=(2, 1)),
        f32(None, 5, 5, 2),
        "differ",
    ),
    (MaxPool2D(pool_size=(0, 1), strides=(1, 1)), f32(None, 5, 5, 2), "empty"),
    (AveragePool2D(pool_size=(2, 6), strides=(1, 1)), f32(None, None, 5, 2), "does not fit"),
    (Pad2D(padding=((0, -1), (0, 0))), f32(None, 5, 5, 2), "negative"),
    (Upsample2D(size=(0, 2)), f32(None, 5, 5, 2), "not positive"),
    (GlobalMaxPool2D(), TensorType(KERNEL.type.dtype, (None, 3)), "f32[b,h,w,c]"),
]


@pytest.mark.parametrize(("op", "x", "message"), WRONG, ids=[f"{w[0].mnemonic()}-{w[2]}" for w in WRONG])
def test_wrong_types_are_refused(op, x, message):
    with pytest.raises(VerifyError) as caught:
        op.infer(x)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "op",
    [
        Convolution2D(kernel=KERNEL),
        DepthwiseConvolution2D(kernel=KERNEL),
        MaxPool2D(pool_size=(3, 3), strides=(1, 1)),
    ],
)
def test_a_image_that_turns_out_smaller_than_the_window(op):
    with pytest.raises(InputError, match="2 × 9 pixels"):
        op.evaluate(np.zeros((1, 2, 9, 2), np.float32))
