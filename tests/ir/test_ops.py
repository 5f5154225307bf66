"""Every op: its types, its values against an independent reference, its text form, what it refuses."""

from __future__ import annotations

import importlib
import pkgutil

import attrs
import numpy as np
import pytest
from support.op_cases import ALL_CASES, CASES, OpCase, bools, case_name, floats, ints, weights
from support.op_references import REFERENCES
from support.tensor_op_cases import doubling

import sensenet.ir.ops
from sensenet.errors import VerifyError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import apply, constant, infer_types, same_graph
from sensenet.ir.op import Op
from sensenet.ir.ops import (
    basic,
    control,
    convolution,
    core,
    dense,
    detection,
    elementwise,
    image,
    reduction,
    shape,
    tabular,
)
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph
from sensenet.ir.printer import weights as text_weights
from sensenet.ir.region import Region
from sensenet.ir.types import Array, DType, Tensor, TensorType, f32, matches
from sensenet.ir.verify import verify

REFUSE_NOTHING = {core.Input, core.Constant, basic.Cast, shape.ShapeOf}


def values_of(case: OpCase) -> list[Array]:
    """What `evaluate` gives, from inputs that it cannot write to."""
    inputs = [x.copy() for x in case.inputs]
    for x in inputs:
        x.flags.writeable = False
    with np.errstate(all="ignore"):
        results = case.op.evaluate(*inputs)
    return list(results) if isinstance(results, tuple) else [results]


COMPUTED_SIZES = {shape.Range, shape.Fill, shape.DynamicReshape, shape.Resize2D, control.While}
"""The ops of whose results sizes are not known from the types of the inputs."""


def test_every_op_class_is_in_the_table():
    for info in pkgutil.iter_modules(sensenet.ir.ops.__path__, f"{sensenet.ir.ops.__name__}."):
        module = importlib.import_module(info.name)
        ops = {value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Op)}
        missing = {op for op in ops if attrs.has(op) and "evaluate" in vars(op)} - {*OP_CLASSES, Op}
        assert not missing, f"list {missing} in OP_CLASSES of sensenet/ir/ops/table.py"


def test_every_op_has_a_case_and_a_reference():
    for table, file in ((CASES, "op_cases.py"), (REFERENCES, "op_references.py")):
        missing = set(OP_CLASSES) - {core.Input} - set(table)
        assert not missing, f"give {missing} an entry in tests/support/{file}"
        assert set(table) <= set(OP_CLASSES)


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_infer_gives_the_types_of_the_results(case):
    operands = [apply(core.Input(type=t)).value for t in case.types]
    inferred = infer_types(case.op, operands)
    found = [TensorType(DType.of(value), value.shape) for value in values_of(case)]
    if type(case.op) not in COMPUTED_SIZES:
        assert list(inferred) == found
    for declared, actual in zip(inferred, found, strict=True):
        assert declared.dtype is actual.dtype
        assert matches(actual.shape, declared.shape)


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_infer_takes_a_batch_of_unknown_size(case):
    graph = case.graph()
    verify(graph)
    for output, value in zip(graph.outputs.values(), values_of(case), strict=True):
        assert output.type.dtype is DType.of(value)
        assert matches(value.shape, output.type.shape)
        unknown = [size is None for size in output.type.shape]
        assert sum(unknown) <= 1 or type(case.op) in COMPUTED_SIZES, "only the batch is unknown"


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_evaluate_agrees_with_the_reference(case):
    wide = [x.astype(np.float64) if x.dtype == np.float32 else x for x in case.inputs]
    with np.errstate(all="ignore"):
        expected = REFERENCES[type(case.op)](case.op, *wide)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for value, reference in zip(values_of(case), expected, strict=True):
        assert value.shape == np.shape(reference)
        if value.dtype == np.float32:
            np.testing.assert_allclose(value, reference, rtol=2e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(value, reference)


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_text_form_round_trips(case):
    graph = case.graph()
    text = print_graph(graph)
    parsed = parse_graph(text, text_weights(graph))
    assert same_graph(parsed, graph)
    assert print_graph(parsed) == text


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_ops_are_equal_and_hash_by_content(case):
    graph = case.graph()
    parsed = parse_graph(print_graph(graph), text_weights(graph))
    twin = parsed.node("node").op
    assert twin is not case.op
    assert twin == case.op
    assert hash(twin) == hash(case.op)


@pytest.mark.parametrize("case", ALL_CASES, ids=case_name)
def test_program_gives_what_evaluate_gives(case):
    for value, result in zip(values_of(case), evaluate(case.graph(), case.feed).values(), strict=True):
        np.testing.assert_array_equal(value, result)


@pytest.mark.parametrize("case", [cases[0] for cases in CASES.values()], ids=case_name)
def test_other_numbers_of_inputs_are_refused(case):
    operands = [apply(core.Input(type=t)).value for t in case.types]
    variadic = isinstance(case.op, basic.Add | basic.Average | basic.Concatenate | shape.Stack)
    wrong = [] if variadic else [*operands, apply(core.Input(type=f32(2))).value]
    with pytest.raises(VerifyError, match=r"inputs|input or more"):
        infer_types(case.op, wrong)


UNARY_OPS = (
    elementwise.Negate,
    elementwise.Absolute,
    elementwise.Exp,
    elementwise.Log,
    elementwise.Floor,
    elementwise.Round,
)
NEAREST = convolution.UpsampleMethod.NEAREST
SIZES = TensorType(DType.INT32, (2,))
COUNTED = (f32(None, 2), TensorType(DType.INT32, (1,)))
NOTHING = Region.create([], {"y": constant(Tensor(bools(True)))})
INT = TensorType(DType.INT32, (None, 3))
BOOL = TensorType(DType.BOOL, (None, 3))
ROWS = f32(None, 3)
IMAGE = f32(None, 8, 8, 3)
FOREST = {
    "feature": Tensor.int32([1, 0, 0]),
    "threshold": Tensor.float32([0, 0, 0]),
    "left": Tensor.int32([1, 1, 2]),
    "right": Tensor.int32([2, 1, 2]),
    "values": weights(3, 1),
    "roots": Tensor.int32([0]),
    "sizes": (1,),
}


def forest(**changes: object) -> tabular.Forest:
    return tabular.Forest(**{**FOREST, **changes})


def normalization(**changes: object) -> dense.BatchNormalization:
    parameters = {name: weights(3) for name in ("gamma", "beta", "mean", "variance")}
    return dense.BatchNormalization(**{**parameters, **changes})


def refused_binary(op_class: type[Op]) -> list[tuple[Op, tuple[TensorType, ...]]]:
    return [(op_class(), (ROWS, INT)), (op_class(), (ROWS, f32(None, 4)))]


REFUSED: tuple[tuple[Op, tuple[TensorType, ...]], ...] = (
    (tabular.Standardize(mean=weights(3), stdev=weights(3)), (INT,)),
    (tabular.Standardize(mean=weights(4), stdev=weights(3)), (ROWS,)),
    (tabular.Standardize(mean=weights(3), stdev=weights(1, 1, 1)), (ROWS,)),
    (tabular.Standardize(mean=weights(3), stdev=Tensor.int32([1, 1, 1])), (ROWS,)),
    (tabular.Standardize(mean=weights(5), stdev=weights(5)), (f32(None, 1),)),
    (tabular.Destandardize(mean=weights(1), stdev=Tensor.float32(1)), (ROWS,)),
    (tabular.Destandardize(mean=Tensor.float32(0), stdev=Tensor.float32(1)), (INT,)),
    (tabular.OneHot(depths=(2, 2)), (ROWS,)),
    (tabular.OneHot(depths=(2, 2, -1)), (ROWS,)),
    (tabular.OneHot(depths=(2, 2, 2)), (INT,)),
    (tabular.OneHot(depths=(2, 2, 2)), (f32(3),)),
    (tabular.EmbeddingSum(table=weights(6, 2), depths=(2, 4)), (ROWS,)),
    (tabular.EmbeddingSum(table=weights(6, 2), depths=(2, 1, 4)), (ROWS,)),
    (tabular.EmbeddingSum(table=weights(6, 2), depths=(2, 0, 4)), (ROWS,)),
    (tabular.EmbeddingSum(table=weights(6), depths=(2, 1, 3)), (ROWS,)),
    (tabular.EmbeddingSum(table=weights(0, 2), depths=()), (f32(None, 0),)),
    (tabular.EmbeddingSum(table=Tensor.int32([[1]]), depths=(1,)), (f32(None, 1),)),
    (tabular.EmbeddingSum(table=weights(6, 2), depths=(2, 1, 3)), (INT,)),
    (tabular.EmbeddingSum(table=weights(6, 2), depths=(2, 1, 3)), (f32(3),)),
    (forest(), (f32(None, 1),)),
    (forest(), (INT,)),
    (forest(), (f32(3),)),
    (forest(sizes=()), (ROWS,)),
    (forest(sizes=(2,)), (ROWS,)),
    (forest(sizes=(1, 0)), (ROWS,)),
    (forest(roots=Tensor.int32([3])), (ROWS,)),
    (forest(roots=Tensor.int32([-1])), (ROWS,)),
    (forest(feature=Tensor.int32([-1, 0, 0])), (ROWS,)),
    (forest(feature=Tensor.float32([1, 0, 0])), (ROWS,)),
    (forest(threshold=Tensor.float32([0, 0])), (ROWS,)),
    (forest(threshold=Tensor.int32([0, 0, 0])), (ROWS,)),
    (forest(values=weights(3)), (ROWS,)),
    (forest(values=Tensor.int32([[1], [1], [1]])), (ROWS,)),
    (forest(left=Tensor.int32([0, 1, 2])), (ROWS,)),  # half a leaf
    (forest(left=Tensor.int32([3, 1, 2])), (ROWS,)),
    (forest(left=Tensor.int32([1, 0, 2]), right=Tensor.int32([2, 0, 2])), (ROWS,)),  # a cycle
    (forest(left=Tensor.int32([1, 1, 2]), right=Tensor.int32([1, 1, 2])), (ROWS,)),  # two edges, one child
    (dense.Dense(kernel=weights(4, 2)), (ROWS,)),
    (dense.Dense(kernel=weights(3)), (ROWS,)),
    (dense.Dense(kernel=Tensor.int32([[1], [2], [3]])), (ROWS,)),
    (dense.Dense(kernel=weights(3, 2), bias=weights(3)), (ROWS,)),
    (dense.Dense(kernel=weights(3, 2), bias=Tensor.int32([1, 2])), (ROWS,)),
    (dense.Dense(kernel=weights(3, 2)), (f32(3),)),
    (dense.Dense(kernel=weights(3, 2)), (INT,)),
    (dense.BatchedDense(kernel=weights(3, 2)), (ROWS,)),
    (dense.BatchedDense(kernel=weights(2, 4, 2)), (ROWS,)),
    (dense.BatchedDense(kernel=weights(2, 3, 4)), (f32(3, None, 3),)),
    (dense.BatchedDense(kernel=weights(2, 3, 4)), (f32(None, 5, 3),)),
    (dense.BatchedDense(kernel=weights(2, 3, 4)), (f32(3),)),
    (dense.BatchedDense(kernel=weights(2, 3, 4)), (INT,)),
    (dense.BatchedDense(kernel=weights(2, 3, 4), bias=weights(4)), (ROWS,)),
    (normalization(), (f32(None, 4),)),
    (normalization(), (INT,)),
    (normalization(mean=weights(4)), (ROWS,)),
    (normalization(mean=Tensor.int32([1, 2, 3])), (ROWS,)),
    (
        dense.BatchNormalization(
            gamma=weights(1, 3), beta=weights(1, 3), mean=weights(1, 3), variance=weights(1, 3)
        ),
        (ROWS,),
    ),
    (dense.Activation(function=ActivationFunction.RELU), (INT,)),
    (dense.Activation(function=ActivationFunction.SOFTMAX), (f32(),)),
    (dense.Dropout(kind=dense.DropoutKind.ZERO, rate=0.5), (BOOL,)),
    (convolution.Convolution2D(kernel=weights(3, 3, 4, 2)), (IMAGE,)),
    (convolution.Convolution2D(kernel=weights(3, 3)), (IMAGE,)),
    (convolution.Convolution2D(kernel=weights(9, 3, 3, 2)), (IMAGE,)),
    (convolution.Convolution2D(kernel=weights(3, 3, 3, 2), bias=weights(3)), (IMAGE,)),
    (convolution.Convolution2D(kernel=weights(3, 3, 3, 2), strides=(0, 1)), (IMAGE,)),
    (convolution.DepthwiseConvolution2D(kernel=weights(3, 3, 3, 2), strides=(1, 2)), (IMAGE,)),
    (convolution.DepthwiseConvolution2D(kernel=weights(3, 3, 3, 2), bias=weights(3)), (IMAGE,)),
    (
        convolution.SeparableConvolution2D(
            depth_kernel=weights(3, 3, 3, 2), point_kernel=weights(1, 1, 5, 4)
        ),
        (IMAGE,),
    ),
    (convolution.MaxPool2D(pool_size=(2, 2), strides=(2, 2)), (ROWS,)),
    (convolution.MaxPool2D(pool_size=(9, 1), strides=(1, 1)), (IMAGE,)),
    (convolution.AveragePool2D(pool_size=(0, 1), strides=(1, 1)), (IMAGE,)),
    (convolution.GlobalAveragePool2D(), (ROWS,)),
    (convolution.GlobalMaxPool2D(), (TensorType(DType.INT32, (None, 8, 8, 3)),)),
    (convolution.Pad2D(padding=((0, -1), (0, 0))), (IMAGE,)),
    (convolution.Upsample2D(size=(2, 0)), (IMAGE,)),
    (image.Index(axis=1, index=8), (IMAGE,)),
    (image.Index(axis=4, index=0), (IMAGE,)),
    (image.Index(axis=1, index=-1), (IMAGE,)),
    (image.Rescale(height=0, width=3, method=image.RescaleType.WARP), (IMAGE,)),
    (image.Rescale(height=3, width=3, method=image.RescaleType.WARP), (ROWS,)),
    (
        detection.DecodeBoxes(anchors=weights(2, 2), stride=8, xyscale=1.0, classes=3, input_size=64),
        (f32(None, 8, 8, 15),),
    ),
    (
        detection.DecodeBoxes(anchors=weights(2, 3), stride=8, xyscale=1.0, classes=3, input_size=64),
        (f32(None, 8, 8, 16),),
    ),
    (detection.ScaleBoxes(), (f32(None, 8, 3), IMAGE)),
    (detection.ScaleBoxes(), (f32(None, 8, 4), ROWS)),
    (
        detection.SuppressBoxes(score_threshold=0.5, iou_threshold=0.5, max_objects=0),
        (f32(None, 8, 4), f32(None, 8), TensorType(DType.INT32, (None, 8))),
    ),
    (
        detection.SuppressBoxes(score_threshold=0.5, iou_threshold=0.5, max_objects=5),
        (f32(None, 8, 4), f32(None, 9), TensorType(DType.INT32, (None, 8))),
    ),
    (
        detection.SuppressBoxes(score_threshold=0.5, iou_threshold=0.5, max_objects=5),
        (f32(None, 8, 4), f32(None, 8), f32(None, 8)),
    ),
    (basic.Add(), (ROWS,)),
    *refused_binary(basic.Add),
    (basic.Average(), (ROWS, f32(None, 1))),
    (basic.Average(), (ROWS, INT)),
    (basic.Mean(axis=0), (ROWS,)),
    (basic.Mean(axis=2), (ROWS,)),
    (basic.Mean(axis=-1), (ROWS,)),
    (basic.Mean(axis=1), (INT,)),
    (basic.Mean(axis=1), (f32(None, 0),)),
    *(
        refused
        for op_class in (basic.Subtract, basic.Multiply, basic.Divide)
        for refused in refused_binary(op_class)
    ),
    *(refused for op_class in (basic.Maximum, basic.Minimum) for refused in refused_binary(op_class)),
    *(
        refused
        for op_class in (basic.Equal, basic.LessEqual, basic.Greater)
        for refused in refused_binary(op_class)
    ),
    (basic.Select(), (ROWS, ROWS, ROWS)),
    (basic.Select(), (BOOL, ROWS, INT)),
    (basic.Select(), (TensorType(DType.BOOL, (None, 2)), ROWS, ROWS)),
    (basic.Concatenate(), (ROWS, INT)),
    (basic.Concatenate(), (ROWS, f32(None, 3, 1))),
    (basic.Concatenate(axis=2), (ROWS, ROWS)),
    (basic.Concatenate(axis=0), (ROWS, f32(None, 4))),
    (basic.Slice(start=2, stop=2), (ROWS,)),
    (basic.Slice(start=-1, stop=2), (ROWS,)),
    (basic.Slice(start=0, stop=4), (ROWS,)),
    (basic.Slice(axis=2, start=0, stop=1), (ROWS,)),
    (basic.Gather(indices=Tensor.int32([3])), (ROWS,)),
    (basic.Gather(indices=Tensor.int32([-1])), (ROWS,)),
    (basic.Gather(indices=Tensor.float32([0])), (ROWS,)),
    (basic.Gather(indices=Tensor.int32([[0]])), (ROWS,)),
    (basic.Gather(axis=-3, indices=Tensor.int32([0])), (ROWS,)),
    (basic.Lookup(table=weights(3)), (ROWS,)),
    (basic.Lookup(table=Tensor.float32(1)), (INT,)),
    (basic.TakeAlong(), (ROWS, ROWS)),
    (basic.TakeAlong(), (f32(3), INT)),
    (basic.TakeAlong(), (f32(2, 3), TensorType(DType.INT32, (3, 1)))),
    (basic.MatMul(), (ROWS, f32(4, 3))),
    (basic.MatMul(), (f32(3), f32(3, 4))),
    (basic.MatMul(), (f32(2, 3, 4), f32(3, 4, 2))),
    (basic.MatMul(), (INT, TensorType(DType.INT32, (3, 3)))),
    (basic.Reshape(shape=(None, None)), (ROWS,)),
    (basic.Reshape(shape=(2, 4)), (f32(2, 3),)),
    (basic.Reshape(shape=(None, 4)), (f32(2, 3),)),
    (basic.Reshape(shape=(-3, -2)), (f32(2, 3),)),
    (basic.Flatten(), (f32(3),)),
    (basic.Transpose(permutation=(0, 0)), (ROWS,)),
    (basic.Transpose(permutation=(1, 0, 2)), (ROWS,)),
    *((op_class(), (INT,)) for op_class in UNARY_OPS),
    (elementwise.And(), (ROWS, BOOL)),
    (elementwise.And(), (BOOL, TensorType(DType.BOOL, (4,)))),
    (reduction.ReduceSum(axes=(1,)), (INT,)),
    (reduction.ReduceSum(axes=(2,)), (ROWS,)),
    (reduction.ReduceSum(axes=(1, -1)), (ROWS,)),
    (reduction.ReduceMax(axes=(1,)), (BOOL,)),
    (reduction.ReduceMin(axes=(1,)), (BOOL,)),
    (reduction.ReduceAny(axes=(1,)), (ROWS,)),
    (reduction.ArgMax(axis=1), (INT,)),
    (reduction.ArgMax(axis=2), (ROWS,)),
    (reduction.ArgMax(axis=1), (f32(None, 0),)),
    (shape.Range(), (f32(),)),
    (shape.Range(), (SIZES,)),
    (shape.Fill(value=Tensor.int32(0), shape=(None,)), (SIZES,)),
    (shape.Fill(value=Tensor.int32([0]), shape=(None, None)), (SIZES,)),
    (shape.DynamicReshape(shape=(None,)), (ROWS, SIZES)),
    (shape.Take(axis=2), (ROWS, SIZES)),
    (shape.Take(axis=1), (ROWS, ROWS)),
    (shape.Stack(axis=0), (ROWS, INT)),
    (shape.Stack(axis=3), (ROWS, ROWS)),
    (shape.Resize2D(method=NEAREST), (ROWS, SIZES)),
    (shape.Resize2D(method=NEAREST), (IMAGE, f32(2))),
    (doubling(), (ROWS, TensorType(DType.INT32, (1,)))),
    (doubling(), (f32(None, 2), f32(1))),
    (doubling(), (f32(None, 2),)),
    (attrs.evolve(doubling(), condition=doubling(1).condition), COUNTED),
    (attrs.evolve(doubling(), condition=doubling().body), COUNTED),
    (attrs.evolve(doubling(), body=doubling().condition), COUNTED),
    (control.While(condition=NOTHING, body=NOTHING), ()),
)


def test_every_op_that_refuses_something_has_a_case():
    missing = set(OP_CLASSES) - REFUSE_NOTHING - {type(op) for op, _ in REFUSED}
    assert not missing, f"give {missing} an entry in REFUSED of this file, or in REFUSE_NOTHING"
    assert not {type(op) for op, _ in REFUSED} & REFUSE_NOTHING


@pytest.mark.parametrize(
    ("op", "types"), REFUSED, ids=[f"{op.mnemonic()}-{n}" for n, (op, _) in enumerate(REFUSED)]
)
def test_infer_refuses(op, types):
    with pytest.raises(VerifyError, match=f"node 'faulty' .{op.mnemonic()}.: "):
        apply(op, *(apply(core.Input(type=t)).value for t in types), name="faulty")


def test_dense_without_units_or_inputs():
    empty = dense.Dense(kernel=Tensor.float32(np.zeros((3, 0))), activation=ActivationFunction.SOFTMAX)
    assert empty.evaluate(floats(2, 3)).shape == (2, 0)
    constant = dense.Dense(kernel=Tensor.float32(np.zeros((0, 2))), bias=weights(2))
    np.testing.assert_array_equal(constant.evaluate(floats(3, 0)), [constant.bias.array] * 3)


def test_dense_on_images_is_dense_on_their_pixels():
    op = dense.Dense(kernel=weights(3, 4), bias=weights(4), activation=ActivationFunction.TANH)
    images = floats(2, 5, 6, 3)
    by_pixel = op.evaluate(images.reshape(-1, 3)).reshape(2, 5, 6, 4)
    np.testing.assert_array_equal(op.evaluate(images), by_pixel, strict=True)
    np.testing.assert_allclose(by_pixel, dense_by_einsum(op, images), rtol=1e-5, atol=1e-6)
    assert op.evaluate(images[:0]).shape == (0, 5, 6, 4)


@pytest.mark.parametrize(
    "op",
    [
        dense.Dense(kernel=Tensor.float32(np.sin(np.arange(20)[:, None]))),
        convolution.Convolution2D(kernel=Tensor.float32(np.sin(np.arange(20).reshape(1, 1, 20, 1)))),
        convolution.Convolution2D(kernel=Tensor.float32(np.sin(np.arange(60).reshape(1, 3, 20, 1)))),
    ],
)
def test_results_do_not_depend_on_how_inputs_lie_in_memory(op):
    x = floats(4, 1, 3, 25)
    for part in (x[..., 2:22], x[..., 20:0:-1], np.ascontiguousarray(x.T).T[..., :20]):
        np.testing.assert_array_equal(op.evaluate(part), op.evaluate(part.copy()), strict=True)


def dense_by_einsum(op: dense.Dense, x: Array) -> Array:
    return np.tanh(np.einsum("bhwc,cu->bhwu", x.astype(np.float64), op.kernel.float64) + op.bias.float64)


def test_batch_normalization_is_folded_in_float64():
    variance = np.float32(1e-5) - np.float32(1e-3)  # a legacy layer's small stdev² less the epsilon
    op = dense.BatchNormalization(
        gamma=Tensor.float32([1]),
        beta=Tensor.float32([0.1]),
        mean=Tensor.float32([3]),
        variance=Tensor.float32([variance]),
    )
    scale, shift = op.scale_and_shift()
    expected = 1 / np.sqrt(float(variance) + 1e-3)
    np.testing.assert_allclose(scale, expected, rtol=1e-15)
    np.testing.assert_allclose(shift, float(np.float32(0.1)) - 3 * expected, rtol=1e-15)


def test_one_hot_says_which_column_is_which():
    op = tabular.OneHot(depths=(2, 0, 3))
    assert op.groups.tolist() == [0, 0, 2, 2, 2]
    assert op.codes.tolist() == [0, 1, 0, 1, 2]


@pytest.mark.parametrize("rows", [0, 1, 3000])
def test_embedding_sum_is_one_hot_times_the_table(rows):
    depths = (5, 1, 40)
    op = tabular.EmbeddingSum(table=weights(46, 9), depths=depths)
    x = np.random.default_rng(0).integers(-1, 41, (rows, 3)).astype(np.float32)
    product = tabular.OneHot(depths=depths).evaluate(x) @ op.table.array
    np.testing.assert_allclose(op.evaluate(x), product, rtol=1e-6, atol=1e-6, strict=True)


def test_lookup_of_ints_stays_int():
    op = basic.Lookup(table=Tensor.int32([5, 6]))
    assert op.evaluate(ints([[1], [0]])).tolist() == [[6], [5]]
    assert op.infer(TensorType(DType.INT32, (None, 1))) == TensorType(DType.INT32, (None, 1))


def test_select_takes_either_side_untouched():
    chosen = basic.Select().evaluate(bools([True, False]), np.float32([np.nan, 1]), np.float32([2, np.inf]))
    np.testing.assert_array_equal(chosen, [np.nan, np.inf])
