"""Examples of the tensor ops that others are lowered to."""

from __future__ import annotations

import numpy as np

from sensenet.ir.graph import Value, apply, constant
from sensenet.ir.op import Op
from sensenet.ir.ops import arithmetic, control, core, elementwise, quantization, reduction, shape
from sensenet.ir.ops.convolution import UpsampleMethod
from sensenet.ir.region import Region
from sensenet.ir.types import DType, Tensor, TensorType, f32
from support.op_case import OpCase, bools, floats, ints


def number(value: float) -> Value:
    return constant(Tensor.float32(value))


def doubling(batch: int | None = None) -> control.While:
    """Rows f32[batch, 2] are doubled, and the steps counted, until one of their numbers is above 30."""

    def region(name: str) -> Region:
        rows = apply(core.Input(type=f32(batch, 2)), name="rows")
        steps = apply(core.Input(type=TensorType(DType.INT32, (1,))), name="steps")
        if name == "condition":
            small = apply(arithmetic.LessEqual(), rows.value, number(30))
            largest = apply(reduction.ReduceMax(axes=(0, 1)), rows.value)
            below = apply(arithmetic.Greater(), number(30), largest.value).value
            anything = apply(reduction.ReduceAny(axes=(0, 1)), small.value).value
            outputs = {"proceed": apply(elementwise.And(), below, anything).value}
        else:
            one = constant(Tensor.int32(1))
            outputs = {
                "rows": apply(arithmetic.Multiply(), rows.value, number(2)).value,
                "steps": apply(arithmetic.Add(), steps.value, one).value,
            }
        return Region.create([rows, steps], outputs)

    return control.While(condition=region("condition"), body=region("body"))


UNARY = (
    (elementwise.Negate, floats(2, 3)),
    (elementwise.Absolute, floats(2, 3)),
    (elementwise.Exp, floats(2, 3, scale=9.0)),
    (elementwise.Log, np.abs(floats(2, 3)) + np.float32(0.25)),
    (elementwise.Floor, floats(2, 5, scale=3.0)),
    (elementwise.Round, np.float32([[0.5, 1.5, -0.5, 2.4, -2.6]])),
)

REDUCED = floats(2, 3, 4)

STEPS = {"scale": Tensor.float32(0.125), "zero_point": Tensor.int32(-3)}
"""One scale for a tensor, and one for each of three positions of an axis."""

CHANNEL_STEPS = {"scale": Tensor.float32([0.125, 0.5, 2.0]), "zero_point": Tensor.int32([0, -128, 127])}

TENSOR_CASES: dict[type[Op], tuple[OpCase, ...]] = {
    **{op_class: (OpCase(op_class(), (x,)),) for op_class, x in UNARY},
    elementwise.And: (
        OpCase(elementwise.And(), (bools([[True, False]]), bools([[True], [False]])), batch=False),
    ),
    **{
        op_class: (
            OpCase(op_class(axes=(1,)), (REDUCED,)),
            OpCase(op_class(axes=(-1, 1), keep_dimensions=True), (REDUCED,)),
            OpCase(op_class(axes=(0, 1, 2)), (REDUCED,)),
        )
        for op_class in (reduction.ReduceSum, reduction.ReduceMax, reduction.ReduceMin)
    },
    reduction.ReduceAny: (
        OpCase(reduction.ReduceAny(axes=(1,)), (bools([[True, False], [False, False]]),)),
        OpCase(reduction.ReduceAny(axes=(0,)), (bools([True, False]),)),
    ),
    reduction.ArgMax: (
        OpCase(reduction.ArgMax(axis=1), (np.float32([[1, 3, 3], [-1, -2, -3]]),)),
        OpCase(reduction.ArgMax(axis=-1), (REDUCED,)),
    ),
    shape.ShapeOf: (OpCase(shape.ShapeOf(), (floats(2, 3, 1),)),),
    shape.Range: (OpCase(shape.Range(), (ints(4),)), OpCase(shape.Range(), (ints(0),))),
    shape.Fill: (
        OpCase(shape.Fill(value=Tensor.int32(7), shape=(None, 3)), (ints([2, 3]),), batch=False),
        OpCase(shape.Fill(value=Tensor.float32(-1), shape=(2,)), (ints([2]),), batch=False),
    ),
    shape.DynamicReshape: (
        OpCase(shape.DynamicReshape(shape=(None, None, 2)), (floats(2, 6), ints([-1, 3, 2])), batch=False),
        OpCase(shape.DynamicReshape(shape=(4, None)), (ints([[1, 2], [3, 4]]), ints([4, 1])), batch=False),
    ),
    shape.Take: (
        OpCase(shape.Take(axis=1), (floats(2, 3, 2), ints([2, 0, 2, 1])), batch=False),
        OpCase(shape.Take(axis=0), (floats(3, 2), ints([[2, 0], [1, 1]])), batch=False),
    ),
    shape.Stack: (
        OpCase(shape.Stack(axis=1), (floats(2, 3), -floats(2, 3))),
        OpCase(shape.Stack(axis=0), (ints([4, 5]), ints([6, 7])), batch=False),
    ),
    shape.Resize2D: tuple(
        OpCase(shape.Resize2D(method=method), (floats(2, 3, 4, 2), ints(size)), batch=False)
        for method in UpsampleMethod
        for size in ((6, 8), (2, 5))
    ),
    control.While: (
        OpCase(doubling(), (np.float32([[1, 2], [-3, 0]]), ints([0])), batch=False),
        OpCase(doubling(1), (np.float32([[40, 2]]), ints([5])), batch=False),
    ),
    quantization.Quantize: (
        OpCase(quantization.Quantize(**STEPS), (floats(2, 5, scale=20.0),)),
        OpCase(quantization.Quantize(**STEPS, bits=16), (np.float32([[np.nan, np.inf, -3e38, 0.1875]]),)),
        OpCase(quantization.Quantize(**STEPS, bits=32), (np.float32([[np.inf, -np.inf, 3e9, -2.5]]),)),
        OpCase(quantization.Quantize(**CHANNEL_STEPS, axis=-2), (floats(2, 3, 4, scale=99.0),)),
    ),
    quantization.Dequantize: (
        OpCase(quantization.Dequantize(**STEPS), (ints([[-128, 0, 127]]),)),
        OpCase(quantization.Dequantize(**CHANNEL_STEPS, axis=1), (ints([[-128, 0, 127], [1, 2, 3]]),)),
    ),
}
