"""Examples of every op: one literal table, for whoever tests something that all ops have in common."""

from __future__ import annotations

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.op import Op
from sensenet.ir.ops import (
    arithmetic,
    convolution,
    core,
    dense,
    detection,
    image,
    pooling,
    rearrangement,
    reduction,
    tabular,
)
from sensenet.ir.ops.windows import Padding
from sensenet.ir.types import DType, Tensor
from support.op_case import OpCase, bools, floats, ints, weights
from support.tensor_op_cases import TENSOR_CASES

__all__ = ["ALL_CASES", "CASES", "OpCase", "bools", "case_name", "floats", "ints", "weights"]

SPECIAL = np.asarray([[np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, 1e-40, -3e38]], np.float32)

TWO_FORESTS = tabular.Forest(
    feature=Tensor.int32([0, 2, 0, 0, 0, 1, 0, 0, 0]),
    threshold=Tensor.float32([0.5, -0.25, 0, 0, 0, 0.0, 0, 0, 0]),
    left=Tensor.int32([1, 3, 2, 3, 4, 6, 6, 7, 8]),
    right=Tensor.int32([2, 4, 2, 3, 4, 7, 6, 7, 8]),
    values=weights(9, 2),
    roots=Tensor.int32([0, 8, 5]),
    sizes=(2, 1),
)

IMAGES = floats(2, 5, 6, 3)

CASES: dict[type[Op], tuple[OpCase, ...]] = {
    core.Constant: (
        OpCase(core.Constant(value=weights(2, 3))),
        OpCase(core.Constant(value=Tensor.float32(1.5))),
        OpCase(core.Constant(value=Tensor(SPECIAL))),
        OpCase(core.Constant(value=Tensor(bools([True, False])))),
        OpCase(core.Constant(value=Tensor.int32([2**31 - 1, -(2**31), 2**24 + 1]))),
        OpCase(core.Constant(value=Tensor.float32(np.zeros((0, 3))))),
    ),
    tabular.Standardize: (
        OpCase(tabular.Standardize(mean=weights(3), stdev=Tensor.float32([0.5, 1, 1e3])), (floats(4, 3),)),
        OpCase(tabular.Standardize(mean=Tensor.float32(127.5), stdev=Tensor.float32(127.5)), (IMAGES,)),
        OpCase(tabular.Standardize(mean=weights(1), stdev=Tensor.float32([[-2.0]])), (floats(4, 3),)),
    ),
    tabular.Destandardize: (
        OpCase(tabular.Destandardize(mean=Tensor.float32(3), stdev=Tensor.float32(0.1)), (floats(4, 1),)),
    ),
    tabular.OneHot: (
        OpCase(
            tabular.OneHot(depths=(3, 0, 1)),
            (np.asarray([[0, 0, 0], [2, 1, 1], [-1, -1, -1], [3, np.nan, 0.5]], np.float32),),
        ),
        OpCase(tabular.OneHot(depths=()), (floats(2, 0),)),
    ),
    tabular.EmbeddingSum: (
        OpCase(
            tabular.EmbeddingSum(table=weights(6, 2), depths=(3, 1, 2)),
            (
                np.asarray(
                    [[0, 0, 0], [2, 0, 1], [-1, -1, -1], [3, np.nan, 0.5], [np.inf, -0.0, 1]], np.float32
                ),
            ),
        ),
        OpCase(tabular.EmbeddingSum(table=weights(4, 3), depths=(4,)), (np.float32([[2], [1e10], [-1e10]]),)),
    ),
    tabular.Forest: (
        OpCase(TWO_FORESTS, (floats(6, 3),)),
        OpCase(TWO_FORESTS, (np.asarray([[0.5, 0, -0.25], [np.nan] * 3, [np.inf] * 3], np.float32),)),
    ),
    dense.Dense: (
        OpCase(dense.Dense(kernel=weights(3, 5), bias=weights(5)), (floats(4, 3),)),
        OpCase(dense.Dense(kernel=weights(3, 2), activation=ActivationFunction.SOFTMAX), (floats(4, 2, 3),)),
    ),
    dense.BatchedDense: (
        OpCase(dense.BatchedDense(kernel=weights(2, 3, 5), bias=weights(2, 5)), (floats(4, 3),)),
        OpCase(
            dense.BatchedDense(
                kernel=weights(2, 3, 2), bias=weights(2, 2), activation=ActivationFunction.SOFTMAX
            ),
            (floats(2, 4, 3),),
            batch=False,
        ),
        OpCase(
            dense.BatchedDense(kernel=weights(2, 3, 1), activation=ActivationFunction.GELU), (floats(4, 3),)
        ),
    ),
    dense.BatchNormalization: (
        OpCase(
            dense.BatchNormalization(
                gamma=weights(3),
                beta=weights(3),
                mean=weights(3, scale=3.0),
                variance=Tensor.float32([0, 1, 0.01]),
            ),
            (floats(4, 3),),
        ),
        OpCase(
            dense.BatchNormalization(
                gamma=weights(3),
                beta=weights(3),
                mean=weights(3),
                variance=Tensor.float32([2, 3, 4]),
                epsilon=1e-5,
            ),
            (IMAGES,),
        ),
    ),
    dense.Activation: tuple(
        OpCase(dense.Activation(function=function), (floats(3, 4, scale=6.0),))
        for function in ActivationFunction
    ),
    dense.Dropout: tuple(
        OpCase(dense.Dropout(kind=kind, rate=0.25, block_size=3), (IMAGES,)) for kind in dense.DropoutKind
    ),
    convolution.Convolution2D: (
        OpCase(convolution.Convolution2D(kernel=weights(3, 2, 3, 4)), (IMAGES,)),
        OpCase(
            convolution.Convolution2D(
                kernel=weights(2, 3, 3, 2),
                bias=weights(2),
                strides=(2, 3),
                padding=Padding.SAME,
                activation=ActivationFunction.RELU,
            ),
            (IMAGES,),
        ),
    ),
    convolution.DepthwiseConvolution2D: (
        OpCase(convolution.DepthwiseConvolution2D(kernel=weights(2, 3, 3, 2)), (IMAGES,)),
        OpCase(
            convolution.DepthwiseConvolution2D(
                kernel=weights(3, 3, 3, 1),
                bias=weights(3),
                strides=(2, 2),
                padding=Padding.SAME,
                activation=ActivationFunction.RELU6,
            ),
            (IMAGES,),
        ),
    ),
    convolution.SeparableConvolution2D: (
        OpCase(
            convolution.SeparableConvolution2D(
                depth_kernel=weights(3, 2, 3, 2),
                point_kernel=weights(1, 1, 6, 4),
                bias=weights(4),
                strides=(2, 2),
                padding=Padding.SAME,
                activation=ActivationFunction.TANH,
            ),
            (IMAGES,),
        ),
    ),
    pooling.MaxPool2D: (
        OpCase(pooling.MaxPool2D(pool_size=(2, 3), strides=(2, 1)), (IMAGES,)),
        OpCase(pooling.MaxPool2D(pool_size=(3, 3), strides=(2, 2), padding=Padding.SAME), (-abs(IMAGES),)),
    ),
    pooling.AveragePool2D: (
        OpCase(pooling.AveragePool2D(pool_size=(2, 3), strides=(2, 1)), (IMAGES,)),
        OpCase(pooling.AveragePool2D(pool_size=(3, 3), strides=(2, 2), padding=Padding.SAME), (IMAGES,)),
    ),
    pooling.GlobalAveragePool2D: (OpCase(pooling.GlobalAveragePool2D(), (IMAGES,)),),
    pooling.GlobalMaxPool2D: (OpCase(pooling.GlobalMaxPool2D(), (IMAGES,)),),
    convolution.Pad2D: (OpCase(convolution.Pad2D(padding=((1, 0), (2, 3))), (IMAGES,)),),
    convolution.Upsample2D: (
        OpCase(convolution.Upsample2D(size=(2, 3)), (IMAGES,)),
        OpCase(convolution.Upsample2D(size=(2, 3), method=convolution.UpsampleMethod.BILINEAR), (IMAGES,)),
    ),
    image.Index: (OpCase(image.Index(axis=1, index=2), (floats(2, 3, 4, 5, 3),)),),
    image.Rescale: tuple(
        OpCase(image.Rescale(height=height, width=width, method=method), (IMAGES,))
        for method in image.RescaleType
        for height, width in ((3, 3), (8, 5), (5, 6))
    ),
    detection.DecodeBoxes: (
        OpCase(
            detection.DecodeBoxes(
                anchors=Tensor.float32([[10, 14], [23, 27]]),
                stride=16,
                xyscale=1.05,
                classes=2,
                input_size=48,
            ),
            (floats(2, 3, 3, 14),),
        ),
    ),
    detection.ScaleBoxes: (OpCase(detection.ScaleBoxes(), (floats(2, 4, 4), floats(2, 30, 50, 3))),),
    detection.SuppressBoxes: (
        OpCase(
            detection.SuppressBoxes(score_threshold=0.3, iou_threshold=0.5, max_objects=3),
            (
                np.asarray(
                    [[0, 0, 10, 10], [1, 0, 10, 10], [30, 30, 40, 44], [-9, -9, -1, -1], [5, 5, 5, 9]],
                    np.float32,
                )[None],
                np.asarray([[0.7, 0.9, 0.7, 0.8, 0.3]], np.float32),
                ints([[0, 1, 2, 0, 1]]),
            ),
        ),
    ),
    arithmetic.Add: (
        OpCase(arithmetic.Add(), (floats(2, 3), floats(2, 3))),
        OpCase(arithmetic.Add(), (floats(2, 3), floats(2, 1), floats(1, 3)), batch=False),
        OpCase(arithmetic.Add(), (ints([[1, 2]]), ints([[3, -4]]))),
    ),
    arithmetic.Average: (OpCase(arithmetic.Average(), (floats(2, 3), -floats(2, 3), floats(2, 3))),),
    reduction.Mean: (
        OpCase(reduction.Mean(axis=0), (floats(3, 2, 4),), batch=False),
        OpCase(reduction.Mean(axis=1), (floats(2, 5),)),
        OpCase(reduction.Mean(axis=0), (floats(40, 1, 1),), batch=False),
    ),
    arithmetic.Subtract: (OpCase(arithmetic.Subtract(), (floats(2, 3), floats(1, 3)), batch=False),),
    arithmetic.Multiply: (OpCase(arithmetic.Multiply(), (floats(2, 3), floats(2, 1))),),
    arithmetic.Divide: (
        OpCase(arithmetic.Divide(), (floats(2, 3), np.asarray([[0.5, 3, -7]], np.float32)), batch=False),
    ),
    arithmetic.Maximum: (OpCase(arithmetic.Maximum(), (floats(2, 3), -floats(2, 3))),),
    arithmetic.Minimum: (OpCase(arithmetic.Minimum(), (floats(2, 3), -floats(2, 3))),),
    arithmetic.Equal: (OpCase(arithmetic.Equal(), (SPECIAL, SPECIAL)),),
    arithmetic.LessEqual: (OpCase(arithmetic.LessEqual(), (SPECIAL, SPECIAL[:, ::-1])),),
    arithmetic.Greater: (OpCase(arithmetic.Greater(), (SPECIAL, SPECIAL[:, ::-1])),),
    arithmetic.Select: (
        OpCase(arithmetic.Select(), (bools([[True], [False]]), floats(2, 3), -floats(2, 3))),
        OpCase(arithmetic.Select(), (bools([[True, False]]), ints([[1, 2]]), ints([[3, 4]]))),
    ),
    arithmetic.Cast: (
        OpCase(arithmetic.Cast(dtype=DType.INT32), (floats(2, 3, scale=9.0),)),
        OpCase(arithmetic.Cast(dtype=DType.FLOAT32), (bools([[True, False]]),)),
    ),
    rearrangement.Concatenate: (
        OpCase(rearrangement.Concatenate(), (floats(2, 3), floats(2, 1), floats(2, 2))),
        OpCase(rearrangement.Concatenate(axis=1), (floats(2, 1, 2), floats(2, 3, 2))),
    ),
    rearrangement.Slice: (
        OpCase(rearrangement.Slice(start=1, stop=3), (floats(2, 4),)),
        OpCase(rearrangement.Slice(axis=1, start=0, stop=2), (floats(2, 4, 2),)),
    ),
    rearrangement.Gather: (
        OpCase(rearrangement.Gather(indices=Tensor.int32([2, 0, 0])), (floats(2, 3),)),
        OpCase(rearrangement.Gather(axis=1, indices=Tensor.int32([])), (floats(2, 3),)),
    ),
    rearrangement.Lookup: (OpCase(rearrangement.Lookup(table=weights(4, 2)), (ints([[0, 3], [1, 1]]),)),),
    rearrangement.TakeAlong: (
        OpCase(rearrangement.TakeAlong(), (floats(2, 4), ints([[3, 0], [1, 1]]))),
        OpCase(rearrangement.TakeAlong(), (floats(2, 4, 3), ints([3, 1]))),
        OpCase(rearrangement.TakeAlong(), (ints([[1, 2], [3, 4]]), ints([[[1], [0]], [[1], [1]]]))),
    ),
    dense.MatMul: (
        OpCase(dense.MatMul(), (floats(2, 3), floats(3, 4)), batch=False),
        OpCase(dense.MatMul(), (floats(2, 3, 4), floats(2, 4, 5))),
    ),
    rearrangement.Reshape: (
        OpCase(rearrangement.Reshape(shape=(None, 2, 3)), (floats(4, 6),)),
        OpCase(rearrangement.Reshape(shape=(3, 4)), (floats(2, 6),), batch=False),
    ),
    rearrangement.Flatten: (OpCase(rearrangement.Flatten(), (floats(2, 3, 4),)),),
    rearrangement.Transpose: (OpCase(rearrangement.Transpose(permutation=(0, 2, 1)), (floats(2, 3, 4),)),),
    **TENSOR_CASES,
}
"""Every op but `Input`, which computes nothing."""

ALL_CASES: tuple[OpCase, ...] = tuple(case for cases in CASES.values() for case in cases)


def case_name(case: OpCase) -> str:
    """`concatenate-2`: the op and the number of the case among its op's; for pytest's ids."""
    cases = CASES[type(case.op)]
    position = next(index for index, other in enumerate(cases) if other is case)
    return f"{case.op.mnemonic()}-{position + 1}"
