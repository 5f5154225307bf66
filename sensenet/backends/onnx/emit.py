"""ONNX's operators for the ops of the IR, and which nodes are written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sensenet.backends.onnx.layer_operators import ACTIVATIONS, LAYERS, Emit
from sensenet.backends.onnx.operators import BOOL, INT32, Operator, cast, integers, operator, reduce, to_sizes
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node
from sensenet.ir.legality import Legal, all_of
from sensenet.ir.op import Op
from sensenet.ir.ops import (
    arithmetic,
    control,
    convolution,
    core,
    dense,
    elementwise,
    image,
    rearrangement,
    reduction,
    shape,
)
from sensenet.ir.ops.convolution import UpsampleMethod
from sensenet.ir.types import DType


def _plain(kind: str) -> Emit:
    """An operator of the same inputs as the node."""
    return lambda op, node: operator(kind, *node.inputs)


def _comparison(kind: str) -> Emit:
    """One that takes numbers alone."""

    def emit(op: Op, node: Node) -> Operator:
        truths = node.inputs[0].type.dtype is DType.BOOL
        return operator(kind, *(cast(x, INT32) if truths else x for x in node.inputs))

    return emit


def _select(op: arithmetic.Select, node: Node) -> Operator:
    condition, a, b = node.inputs
    if a.type.dtype is not DType.BOOL:
        return operator("Where", condition, a, b)
    return cast(operator("Where", condition, cast(a, INT32), cast(b, INT32)), BOOL)


def _reduction(kind: str) -> Emit:
    return lambda op, node: reduce(kind, node.inputs[0], op.axes, op.keep_dimensions)


def _reduce_any(op: reduction.ReduceAny, node: Node) -> Operator:
    """Whether a sum of ones is not 0."""
    (x,) = node.inputs
    return cast(reduce("ReduceSum", cast(x, INT32), op.axes, op.keep_dimensions), BOOL)


def _arg_max(op: reduction.ArgMax, node: Node) -> Operator:
    return cast(operator("ArgMax", *node.inputs, axis=op.axis, keepdims=0), INT32)


def _slice(op: rearrangement.Slice, node: Node) -> Operator:
    return operator("Slice", *node.inputs, *(integers([each]) for each in (op.start, op.stop, op.axis)))


def _take_along(op: rearrangement.TakeAlong, node: Node) -> Operator:
    x, positions = node.inputs
    places = operator("Unsqueeze", to_sizes(positions), integers([positions.type.rank]))
    return operator("GatherND", x, places, batch_dims=1)


def _reshape(op: rearrangement.Reshape, node: Node) -> Operator:
    sizes = node.types[0].shape
    known = sizes if sizes.count(None) <= 1 else op.shape
    wanted = integers([-1 if size is None else size for size in known])
    return operator("Reshape", *node.inputs, wanted, allowzero=1)


def _dynamic_reshape(op: shape.DynamicReshape, node: Node) -> Operator:
    x, sizes = node.inputs
    return operator("Reshape", x, to_sizes(sizes), allowzero=1)


def _range(op: shape.Range, node: Node) -> Operator:
    return operator("Range", np.asarray(0, INT32), *node.inputs, np.asarray(1, INT32))


def _fill(op: shape.Fill, node: Node) -> Operator:
    (sizes,) = node.inputs
    return operator("Expand", op.value.array, to_sizes(sizes))


def _stack(op: shape.Stack, node: Node) -> Operator:
    return operator(
        "Concat", *(operator("Unsqueeze", x, integers([op.axis])) for x in node.inputs), axis=op.axis
    )


EMIT: Mapping[type[Op], Emit] = {
    **LAYERS,
    arithmetic.Add: _plain("Add"),
    arithmetic.Subtract: _plain("Sub"),
    arithmetic.Multiply: _plain("Mul"),
    arithmetic.Divide: _plain("Div"),
    arithmetic.Maximum: _plain("Max"),
    arithmetic.Minimum: _plain("Min"),
    arithmetic.Equal: _plain("Equal"),
    arithmetic.LessEqual: _comparison("LessOrEqual"),
    arithmetic.Greater: _comparison("Greater"),
    arithmetic.Select: _select,
    reduction.Mean: lambda op, node: reduce("ReduceMean", node.inputs[0], [op.axis]),
    arithmetic.Cast: lambda op, node: cast(node.inputs[0], op.dtype.numpy),
    rearrangement.Concatenate: lambda op, node: operator("Concat", *node.inputs, axis=op.axis),
    rearrangement.Slice: _slice,
    rearrangement.Gather: lambda op, node: operator("Gather", *node.inputs, op.indices.array, axis=op.axis),
    rearrangement.Lookup: lambda op, node: operator("Gather", op.table.array, *node.inputs, axis=0),
    rearrangement.TakeAlong: _take_along,
    dense.MatMul: _plain("MatMul"),
    rearrangement.Reshape: _reshape,
    rearrangement.Flatten: lambda op, node: operator("Flatten", *node.inputs, axis=1),
    rearrangement.Transpose: lambda op, node: operator("Transpose", *node.inputs, perm=op.permutation),
    image.Index: lambda op, node: operator("Gather", *node.inputs, integers(op.index), axis=op.axis),
    elementwise.Negate: _plain("Neg"),
    elementwise.Absolute: _plain("Abs"),
    elementwise.Exp: _plain("Exp"),
    elementwise.Log: _plain("Log"),
    elementwise.Floor: _plain("Floor"),
    elementwise.Round: _plain("Round"),
    elementwise.And: _plain("And"),
    reduction.ReduceSum: _reduction("ReduceSum"),
    reduction.ReduceMax: _reduction("ReduceMax"),
    reduction.ReduceMin: _reduction("ReduceMin"),
    reduction.ReduceAny: _reduce_any,
    reduction.ArgMax: _arg_max,
    shape.ShapeOf: lambda op, node: cast(operator("Shape", *node.inputs), INT32),
    shape.Range: _range,
    shape.Fill: _fill,
    shape.DynamicReshape: _dynamic_reshape,
    shape.Take: lambda op, node: operator("Gather", *node.inputs, axis=op.axis),
    shape.Stack: _stack,
}


def _is_linear(node: Node) -> bool:
    return getattr(node.op, "activation", None) is ActivationFunction.LINEAR


LEGAL: Legal = {
    **all_of(core.Input, core.Constant, control.While, *EMIT),
    **dict.fromkeys((dense.Dense, convolution.Convolution2D, convolution.DepthwiseConvolution2D), _is_linear),
    dense.Activation: lambda node: getattr(node.op, "function", None) in ACTIVATIONS,
    arithmetic.Add: lambda node: len(node.inputs) == 2,
    shape.Resize2D: lambda node: getattr(node.op, "method", None) is UpsampleMethod.BILINEAR,
    shape.Take: lambda node: getattr(node.op, "axis", 2) < 2,  # others copy each pixel by itself
}
"""What a graph may hold when it is written."""
