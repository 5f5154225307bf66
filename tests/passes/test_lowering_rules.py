"""Each lowering rule against the op that it stands for: drawn sizes, thresholds and numbers, NaN too."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.check_pass import BASIC, assert_equal, assert_round_trip, simplify_lowered
from support.golden import GOLDENS
from support.seeds import SEEDS, seeded

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply, constant
from sensenet.ir.legality import Legal, require_legal
from sensenet.ir.op import Op
from sensenet.ir.ops import (
    arithmetic,
    convolution,
    core,
    dense,
    detection,
    image,
    quantization,
    rearrangement,
    shape,
    tabular,
)
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.ops.windows import Padding
from sensenet.ir.types import Array, DType, Tensor, TensorType, f32
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.lowering.activations import FORMULAS
from sensenet.passes.lowering.legalize import LOWERINGS, legalize
from sensenet.signature import Signature


def numbers(seed: int, *shape: int, scale: float = 1.0) -> Array:
    return seeded(seed, *shape, scale=scale).astype(np.float32)


SPECIAL = np.float32([np.nan, np.inf, -np.inf, 0, 3e38, -3e38, 1e-45])

MESSY = {
    ActivationFunction.MISH: 1e-6,
    ActivationFunction.SOFTPLUS: 1e-6,
    ActivationFunction.SELU: 0.0,
    ActivationFunction.HARD_SIGMOID: 1e-6,
    ActivationFunction.GELU: 1e-6,
    ActivationFunction.LEAKY_RELU: 0.0,
    ActivationFunction.SOFTSIGN: 0.0,
    ActivationFunction.SWISH: 0.0,
    ActivationFunction.EXPONENTIAL: 0.0,
}
"""The functions that are made of others, and what they may differ by, beside 1 or the answer."""


def test_every_formula_has_a_tolerance():
    bounded = {ActivationFunction.SIGMOID}  # only a bound is added to that
    missing = sorted(function.value for function in FORMULAS.keys() - MESSY.keys() - bounded)
    assert not missing, (
        f"activation, step 4: say what {missing} may differ by: MESSY of tests/passes/test_lowering_rules.py"
    )


def lowered(
    op: Op, arrays: list[Array], open_sizes: int, legal: Legal = BASIC
) -> tuple[Graph, Graph, dict[str, Array]]:
    """The op alone, and lowered, with the first axes of unknown size; and what to feed both."""
    types = [TensorType(DType.of(x), (*[None] * open_sizes, *x.shape[open_sizes:])[: x.ndim]) for x in arrays]
    inputs = [apply(core.Input(type=declared), name=f"x{n}") for n, declared in enumerate(types)]
    values = apply(op, *(node.value for node in inputs)).values
    graph = Graph.create(inputs, {f"y{n}": value for n, value in enumerate(values)}, Signature())
    after, _ = run_passes(graph, (legalize(legal), simplify_lowered(legal)))
    require_legal(after, legal, "the lowering")
    assert_round_trip(after)
    return graph, after, {f"x{number}": x for number, x in enumerate(arrays)}


def assert_exact(op: Op, arrays: list[Array], open_sizes: int = 1, legal: Legal = BASIC) -> None:
    graph, after, feed = lowered(op, arrays, open_sizes, legal)
    assert_equal(evaluate(graph, feed), evaluate(after, feed))


SHORT = frozenset(
    {
        arithmetic.Average,
        convolution.Convolution2D,
        convolution.DepthwiseConvolution2D,
        dense.BatchedDense,
        dense.BatchNormalization,
        dense.Dense,
        dense.Dropout,
        tabular.Destandardize,
        tabular.EmbeddingSum,
        tabular.Forest,
        tabular.OneHot,
        tabular.Standardize,
    }
)
"""The ops whose rules depend on no sizes, or are drawn in a file of their own, as forests are."""


@pytest.mark.parametrize(
    "op", [op for op in LOWERINGS if BASIC.get(op) is not True], ids=lambda op: op.mnemonic()
)
def test_every_rule_has_golden_cases(op):
    """But for those of ops that the golden files' target takes."""
    texts = [golden.before for golden in GOLDENS if golden.pass_name == "legalize"]
    assert any(f" = {op.mnemonic()}(" in text for text in texts), (
        f"op, step 8: add a case with {op.mnemonic()} to tests/passes/legalize.ir, "
        "and run pytest tests/passes/test_golden.py --update"
    )


@pytest.mark.parametrize("op", LOWERINGS, ids=lambda op: op.mnemonic())
def test_every_rule_is_drawn(op):
    """By a test of this file that names the op in its code, with what hypothesis gives it."""
    tests = [value.hypothesis.inner_test for value in globals().values() if hasattr(value, "hypothesis")]
    drawn = any(op.__name__ in test.__code__.co_names for test in tests)
    assert drawn != (op in SHORT), (
        f"op, step 9: test the rule of {op.__name__} with @given in "
        "tests/passes/test_lowering_rules.py, or list it in SHORT there"
    )


SIZES, FACTORS = st.integers(1, 9), st.integers(1, 3)


WITHOUT_FUNCTIONS = {**BASIC, dense.Activation: lambda node: node.op.function not in MESSY}
"""What a target takes that has only the functions of which others are made."""


@given(st.sampled_from(list(MESSY)), SEEDS, st.integers(-3, 3))
def test_activations(function, seed, exponent):
    x = np.concatenate([numbers(seed, 20, scale=10.0**exponent), SPECIAL])[None]
    graph, after, feed = lowered(dense.Activation(function=function), [x], 1, WITHOUT_FUNCTIONS)
    want, got = (evaluate(each, feed)["y0"] for each in (graph, after))
    large = np.abs(want) > 1e30  # where e^x or a slope overflows in one form and not in the other
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_allclose(got[~large], want[~large], rtol=MESSY[function], atol=MESSY[function])


@given(SIZES, SIZES, SIZES, SIZES, st.sampled_from(image.RescaleType), st.sampled_from([1, 3]), SEEDS)
def test_rescaling(height, width, rows, columns, method, open_sizes, seed):
    x = np.rint(100 + numbers(seed, 2, rows, columns, 3, scale=50.0)).astype(np.float32)
    op = image.Rescale(height=height, width=width, method=method)
    if 0 in image.placement((rows, columns), (height, width), method)[0]:
        return  # too thin
    graph, after, feed = lowered(op, [x], open_sizes)
    want, got = (evaluate(each, feed)["y0"] for each in (graph, after))
    if method is image.RescaleType.PAD:
        np.testing.assert_allclose(got, want, rtol=1e-6)
    else:
        np.testing.assert_array_equal(got, want)


@given(SIZES, SIZES, st.integers(1, 3), st.integers(1, 3), st.sampled_from([1.0, 1.05]), st.booleans(), SEEDS)
def test_decoding_boxes(rows, columns, anchors, classes, xyscale, known, seed):
    op = detection.DecodeBoxes(
        anchors=Tensor.float32(np.abs(numbers(seed, anchors, 2, scale=9.0)) + 1),
        stride=8,
        xyscale=xyscale,
        classes=classes,
        input_size=64,
    )
    x = numbers(seed, 2, rows, columns, anchors * (5 + classes), scale=3.0)
    assert_exact(op, [x], 1 if known else 3)


@given(SIZES, SIZES, st.booleans(), SEEDS)
def test_scaling_boxes(height, width, known, seed):
    boxes, pixels = numbers(seed, 2, 4, 4), np.zeros((2, height, width, 3), np.float32)
    assert_exact(detection.ScaleBoxes(), [boxes, pixels], 1 if known else 3)


@given(
    st.integers(1, 12),
    st.sampled_from([-2.0, 0.0, 0.25, 0.5, 1.0]),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.integers(1, 14),
    st.booleans(),
    SEEDS,
)
def test_suppressing_boxes(count, score_threshold, iou_threshold, most, known, seed):
    """Scores and corners are simple numbers, so that ties and overlaps of exactly the threshold occur."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(-2, 5, (2, count, 4)).astype(np.float32)
    corners[..., 2:] = corners[..., :2] + rng.integers(0, 3, (2, count, 2))
    scores = (rng.integers(0, 5, (2, count)) / 4).astype(np.float32)
    scores[0, 0] = np.nan
    classes = rng.integers(0, 3, (2, count)).astype(np.int32)
    op = detection.SuppressBoxes(
        score_threshold=score_threshold, iou_threshold=iou_threshold, max_objects=most
    )
    graph, after, feed = lowered(op, [corners, scores, classes], 1 if known else 2)
    want, got = evaluate(graph, feed), evaluate(after, feed)
    np.testing.assert_array_equal(got["y3"], want["y3"])
    for name in ("y0", "y1", "y2"):
        for row, valid in enumerate(want["y3"]):
            np.testing.assert_array_equal(got[name][row, :valid], want[name][row, :valid])


@given(FACTORS, FACTORS, FACTORS, st.sampled_from([0, 1, 2, 3]), SEEDS)
def test_flattening(rows, height, width, open_sizes, seed):
    assert_exact(rearrangement.Flatten(), [numbers(seed, rows, height, width)], open_sizes)


@given(
    st.integers(1, 3), st.integers(1, 3), st.sampled_from(convolution.UpsampleMethod), st.booleans(), SEEDS
)
def test_enlarging(rows, columns, method, known, seed):
    op = convolution.Upsample2D(size=(rows, columns), method=method)
    assert_exact(op, [numbers(seed, 2, 4, 5, 2)], 1 if known else 3)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.booleans(), SEEDS)
def test_the_nearest_pixels(source, rows, columns, known, seed):
    op = shape.Resize2D(method=convolution.UpsampleMethod.NEAREST)
    size = np.array([rows, columns], np.int32)
    given_x, given_size = (
        apply(core.Input(type=declared), name=name)
        for name, declared in {
            "x0": f32(None, *((source, 7) if known else (None, None)), 2),
            "x1": TensorType(DType.INT32, (2,)),
        }.items()
    )
    graph = Graph.create(
        [given_x, given_size], {"y0": apply(op, given_x.value, given_size.value).value}, Signature()
    )
    after = legalize({each: True for each in OP_CLASSES if each is not shape.Resize2D}).run(graph)
    assert not any(isinstance(node.op, shape.Resize2D) for node in after.nodes)
    feed = {"x0": numbers(seed, 2, source, 7, 2), "x1": size}
    np.testing.assert_array_equal(evaluate(after, feed)["y0"], evaluate(graph, feed)["y0"])


@given(
    st.integers(1, 3), st.integers(1, 3), st.sampled_from(Padding), st.sampled_from(ActivationFunction), SEEDS
)
def test_separable_convolutions(height, width, padding, activation, seed):
    op = convolution.SeparableConvolution2D(
        depth_kernel=Tensor.float32(numbers(seed, height, width, 2, 2)),
        point_kernel=Tensor.float32(numbers(seed, 1, 1, 4, 3)),
        bias=Tensor.float32(numbers(seed, 3)),
        padding=padding,
        activation=activation,
    )
    graph, after, feed = lowered(op, [numbers(seed, 2, 4, 5, 2)], 1)
    want, got = (evaluate(each, feed)["y0"] for each in (graph, after))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@given(
    st.sampled_from([None, -1, 1]),
    st.sampled_from(quantization.BITS),
    st.integers(-20, 20),
    st.integers(0, 2),
    SEEDS,
)
def test_quantizing(axis, bits, exponent, open_sizes, seed):
    random = np.random.default_rng(seed)
    shape = () if axis is None else (7,)
    steps = {
        "scale": Tensor.float32(10.0**exponent * random.uniform(0.5, 2, shape)),
        "zero_point": Tensor.int32(random.integers(-128, 128, shape)),
    }
    x = np.stack([numbers(seed, 7, scale=10.0 ** (exponent + 2)), SPECIAL])
    assert_exact(quantization.Quantize(**steps, axis=axis, bits=bits), [x], open_sizes)
    q = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (2, 7)).astype(np.int32)
    assert_exact(quantization.Dequantize(**steps, axis=axis), [q], open_sizes)


@given(st.integers(2, 5), SEEDS)
def test_sums_of_several(count, seed):
    assert_exact(arithmetic.Add(), [numbers(seed, 3, 2) for _ in range(count)])


WITHOUT_BATCHES = {op: takes for op, takes in BASIC.items() if op is not rearrangement.TakeAlong}
"""What a target takes that cannot take from each row, as TensorFlow.js."""


@given(
    FACTORS, FACTORS, st.lists(FACTORS, max_size=2), st.lists(FACTORS, max_size=2), st.integers(0, 4), SEEDS
)
def test_entries_of_each_row(rows, width, rest, taken, open_sizes, seed):
    x = numbers(seed, rows, width, *rest)
    positions = np.random.default_rng(seed).integers(0, width, (rows, *taken)).astype(np.int32)
    assert_exact(rearrangement.TakeAlong(), [x, positions], open_sizes, WITHOUT_BATCHES)


FIRST_AXIS = {**BASIC, shape.Take: lambda node: getattr(node.op, "axis", None) == 0}
"""What a target takes that takes entries of the first axis alone, as TensorFlow.js."""


@given(
    st.lists(FACTORS, min_size=1, max_size=4),
    st.integers(0, 3),
    st.lists(FACTORS, max_size=2),
    st.integers(0, 4),
    SEEDS,
)
def test_entries_of_an_axis(sizes, axis, taken, open_sizes, seed):
    axis %= len(sizes)
    positions = np.random.default_rng(seed).integers(0, sizes[axis], taken).astype(np.int32)
    assert_exact(shape.Take(axis=axis), [numbers(seed, *sizes), positions], open_sizes, FIRST_AXIS)


def test_loops_that_a_rule_makes_are_lowered_too():
    op = detection.SuppressBoxes(score_threshold=0.1, iou_threshold=0.5, max_objects=2)
    boxes, scores = numbers(1, 2, 3, 4), numbers(2, 2, 3)
    arrays = [boxes, scores, np.zeros((2, 3), np.int32)]
    graph, after, feed = lowered(op, arrays, 1, WITHOUT_BATCHES)
    assert_equal(evaluate(graph, feed), evaluate(after, feed))


@pytest.mark.parametrize("row", [[1, 1, 1], [1, 2, 1], [0, 0, 1]])
def test_products_with_a_row(row):
    x = numbers(3, 2, 3, 4)
    left = constant(Tensor.float32([row]))
    given_x = apply(core.Input(type=TensorType(DType.FLOAT32, (None, 3, 4))), name="x")
    graph = Graph.create([given_x], {"y": apply(dense.MatMul(), left, given_x.value).value}, Signature())
    after, _ = run_passes(graph, (simplify_lowered(BASIC),))
    assert (dense.MatMul in after.ops) is (row != [1, 1, 1])
    got, want = (evaluate(each, {"x": x})["y"] for each in (after, graph))
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=math.ulp(1.0) * 1e10)
