"""What every op refuses: inputs of other types, and attributes that do not fit."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from support.op_cases import bools, weights
from support.tensor_op_cases import STEPS, doubling

from sensenet.errors import VerifyError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import apply, constant
from sensenet.ir.op import Op
from sensenet.ir.ops import (
    arithmetic,
    control,
    convolution,
    core,
    dense,
    detection,
    elementwise,
    image,
    pooling,
    quantization,
    rearrangement,
    reduction,
    shape,
    tabular,
)
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.region import Region
from sensenet.ir.types import DType, Tensor, TensorType, f32

REFUSE_NOTHING = {core.Input, core.Constant, arithmetic.Cast, shape.ShapeOf}


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


def refused_steps(op_class: type[Op], given: TensorType) -> list[tuple[Op, tuple[TensorType, ...]]]:
    """Parameters of the op that are invalid, or invalid for what it is given."""

    def op(scale: float | list[float], zero_point: int | list[int] = 0, axis: int | None = None) -> Op:
        numbers = {"scale": Tensor.float32(scale), "zero_point": Tensor.int32(zero_point)}
        return op_class(**numbers, axis=axis)

    wrong = [op(0.0), op(-1.0), op(np.nan), op(np.inf), op(1e-40), op([1, 1, 1], [0, 0, 0]), op([1, 1, 1], 0)]
    wrong += [op([1, 1], [0, 0], axis=1), op([1, 1, 1], [0, 0, 0], axis=2), op(1.0, axis=1)]
    floating = op_class(scale=Tensor.float32(1), zero_point=Tensor.float32(0))
    return [(each, (given,)) for each in (*wrong, floating)] + [(op(1.0), (BOOL,))]


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
    (pooling.MaxPool2D(pool_size=(2, 2), strides=(2, 2)), (ROWS,)),
    (pooling.MaxPool2D(pool_size=(9, 1), strides=(1, 1)), (IMAGE,)),
    (pooling.AveragePool2D(pool_size=(0, 1), strides=(1, 1)), (IMAGE,)),
    (pooling.GlobalAveragePool2D(), (ROWS,)),
    (pooling.GlobalMaxPool2D(), (TensorType(DType.INT32, (None, 8, 8, 3)),)),
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
    (arithmetic.Add(), (ROWS,)),
    *refused_binary(arithmetic.Add),
    (arithmetic.Average(), (ROWS, f32(None, 1))),
    (arithmetic.Average(), (ROWS, INT)),
    (reduction.Mean(axis=0), (ROWS,)),
    (reduction.Mean(axis=2), (ROWS,)),
    (reduction.Mean(axis=-1), (ROWS,)),
    (reduction.Mean(axis=1), (INT,)),
    (reduction.Mean(axis=1), (f32(None, 0),)),
    *(
        refused
        for op_class in (arithmetic.Subtract, arithmetic.Multiply, arithmetic.Divide)
        for refused in refused_binary(op_class)
    ),
    (arithmetic.Divide(), (INT, INT)),
    *(
        refused
        for op_class in (arithmetic.Maximum, arithmetic.Minimum)
        for refused in refused_binary(op_class)
    ),
    *(
        refused
        for op_class in (arithmetic.Equal, arithmetic.LessEqual, arithmetic.Greater)
        for refused in refused_binary(op_class)
    ),
    (arithmetic.Select(), (ROWS, ROWS, ROWS)),
    (arithmetic.Select(), (BOOL, ROWS, INT)),
    (arithmetic.Select(), (TensorType(DType.BOOL, (None, 2)), ROWS, ROWS)),
    (rearrangement.Concatenate(), (ROWS, INT)),
    (rearrangement.Concatenate(), (ROWS, f32(None, 3, 1))),
    (rearrangement.Concatenate(axis=2), (ROWS, ROWS)),
    (rearrangement.Concatenate(axis=0), (ROWS, f32(None, 4))),
    (rearrangement.Slice(start=2, stop=2), (ROWS,)),
    (rearrangement.Slice(start=-1, stop=2), (ROWS,)),
    (rearrangement.Slice(start=0, stop=4), (ROWS,)),
    (rearrangement.Slice(axis=2, start=0, stop=1), (ROWS,)),
    (rearrangement.Gather(indices=Tensor.int32([3])), (ROWS,)),
    (rearrangement.Gather(indices=Tensor.int32([-1])), (ROWS,)),
    (rearrangement.Gather(indices=Tensor.float32([0])), (ROWS,)),
    (rearrangement.Gather(indices=Tensor.int32([[0]])), (ROWS,)),
    (rearrangement.Gather(axis=-3, indices=Tensor.int32([0])), (ROWS,)),
    (rearrangement.Lookup(table=weights(3)), (ROWS,)),
    (rearrangement.Lookup(table=Tensor.float32(1)), (INT,)),
    (rearrangement.TakeAlong(), (ROWS, ROWS)),
    (rearrangement.TakeAlong(), (f32(3), INT)),
    (rearrangement.TakeAlong(), (f32(2, 3), TensorType(DType.INT32, (3, 1)))),
    (dense.MatMul(), (ROWS, f32(4, 3))),
    (dense.MatMul(), (f32(3), f32(3, 4))),
    (dense.MatMul(), (f32(2, 3, 4), f32(3, 4, 2))),
    (dense.MatMul(), (INT, TensorType(DType.INT32, (3, 3)))),
    (rearrangement.Reshape(shape=(None, None)), (ROWS,)),
    (rearrangement.Reshape(shape=(2, 4)), (f32(2, 3),)),
    (rearrangement.Reshape(shape=(None, 4)), (f32(2, 3),)),
    (rearrangement.Reshape(shape=(-3, -2)), (f32(2, 3),)),
    (rearrangement.Flatten(), (f32(3),)),
    (rearrangement.Transpose(permutation=(0, 0)), (ROWS,)),
    (rearrangement.Transpose(permutation=(1, 0, 2)), (ROWS,)),
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
    *refused_steps(quantization.Quantize, ROWS),
    *refused_steps(quantization.Dequantize, INT),
    (quantization.Quantize(**STEPS), (INT,)),
    (quantization.Quantize(**STEPS, bits=4), (ROWS,)),
    (quantization.Quantize(scale=Tensor.float32(1), zero_point=Tensor.int32(128)), (ROWS,)),
    (quantization.Dequantize(**STEPS), (ROWS,)),
)


def test_every_op_that_refuses_something_has_a_case():
    refused = {type(op) for op, _ in REFUSED}
    missing = sorted(op.__name__ for op in set(OP_CLASSES) - REFUSE_NOTHING - refused)
    assert not missing, (
        f"op, step 5: give {missing} an entry in REFUSED of tests/ir/test_ops_refused.py, "
        "or in REFUSE_NOTHING"
    )
    assert not {type(op) for op, _ in REFUSED} & REFUSE_NOTHING


@pytest.mark.parametrize(
    ("op", "types"), REFUSED, ids=[f"{op.mnemonic()}-{n}" for n, (op, _) in enumerate(REFUSED)]
)
def test_infer_refuses(op, types):
    with pytest.raises(VerifyError, match=f"node 'faulty' .{op.mnemonic()}.: "):
        apply(op, *(apply(core.Input(type=t)).value for t in types), name="faulty")
