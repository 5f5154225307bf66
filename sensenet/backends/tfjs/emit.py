"""TensorFlow.js' operators for the ops of the IR, and which nodes are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensenet.backends.tfjs.layer_operators import ACTIVATIONS, FUSED, LAYERS, Emit
from sensenet.backends.tfjs.operators import FLOAT, INTEGER, Operator, integers, operator
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value
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
from sensenet.ir.types import Array, DType

INDEX = {"Index": DType.INT32}


def _typed(kind: str) -> Emit:
    """Return an operator of the same inputs as the node, all of one dtype."""
    return lambda op, node: operator(kind, *node.inputs, T=node.inputs[0].type.dtype)


def _reduction(kind: str) -> Emit:
    def emit(op: Any, node: Node) -> Operator:
        (x,) = node.inputs
        return operator(kind, x, integers(op.axes), T=x.type.dtype, keep_dims=op.keep_dimensions)

    return emit


def _reduce_any(op: reduction.ReduceAny, node: Node) -> Operator:
    return operator("Any", *node.inputs, integers(op.axes), keep_dims=op.keep_dimensions)


def _select(op: arithmetic.Select, node: Node) -> Operator:
    return operator("SelectV2", *node.inputs, T=node.types[0].dtype)


def _cast(op: arithmetic.Cast, node: Node) -> Operator:
    (x,) = node.inputs
    return operator("Cast", x, SrcT=x.type.dtype, DstT=op.dtype)


def _concatenate(op: rearrangement.Concatenate, node: Node) -> Operator:
    declared = node.types[0]
    axis = integers(op.axis % declared.rank)
    return operator("ConcatV2", *node.inputs, axis, N=len(node.inputs), T=declared.dtype)


def _stack(op: shape.Stack, node: Node) -> Operator:
    return operator("Pack", *node.inputs, N=len(node.inputs), T=node.types[0].dtype, axis=op.axis)


def _slice(op: rearrangement.Slice, node: Node) -> Operator:
    (x,) = node.inputs
    axis = op.axis % x.type.rank
    begin, size = [0] * x.type.rank, [-1] * x.type.rank
    begin[axis], size[axis] = op.start, op.stop - op.start
    return operator("Slice", x, integers(begin), integers(size), T=x.type.dtype, **INDEX)


def _index(op: image.Index, node: Node) -> Operator:
    (x,) = node.inputs
    ends = (op.index, op.index + 1)
    corners = [[place if axis == op.axis else 0 for axis in range(x.type.rank)] for place in ends]
    others = (1 << x.type.rank) - 1 - (1 << op.axis)
    steps = [1] * x.type.rank
    masks = {"begin_mask": others, "end_mask": others, "shrink_axis_mask": 1 << op.axis}
    return operator("StridedSlice", x, *map(integers, (*corners, steps)), T=x.type.dtype, **INDEX, **masks)


def _take(dtype: DType, axis: int, x: Value | Array, positions: Value | Array) -> Operator:
    types = {"Tparams": dtype, "Tindices": DType.INT32, "Taxis": DType.INT32}
    return operator("GatherV2", x, positions, integers(axis), **types)


def _gather(op: rearrangement.Gather, node: Node) -> Operator:
    (x,) = node.inputs
    return _take(x.type.dtype, op.axis % x.type.rank, x, op.indices.array)


def _lookup(op: rearrangement.Lookup, node: Node) -> Operator:
    return _take(op.table.type.dtype, 0, op.table.array, *node.inputs)


def _take_at(op: shape.Take, node: Node) -> Operator:
    """Return entries of the first axis; whole rows as `GatherNd`, of which WebAssembly copies each at once.

    For `GatherV2` it computes a place for each number: 50 times as long for an image.
    """
    x, positions = node.inputs
    if positions.type.rank != 1 or x.type.rank == 1:
        return _take(x.type.dtype, 0, x, positions)
    places = operator("Reshape", positions, integers([-1, 1]), **INTEGER)
    return operator("GatherNd", x, places, Tparams=x.type.dtype, Tindices=DType.INT32)


def _reshape(op: rearrangement.Reshape, node: Node) -> Operator:
    sizes = node.types[0].shape
    known = sizes if sizes.count(None) <= 1 else op.shape
    wanted = integers([-1 if size is None else size for size in known])
    return operator("Reshape", *node.inputs, wanted, T=node.types[0].dtype)


def _dynamic_reshape(op: shape.DynamicReshape, node: Node) -> Operator:
    return operator("Reshape", *node.inputs, T=node.types[0].dtype)


def _transpose(op: rearrangement.Transpose, node: Node) -> Operator:
    return operator("Transpose", *node.inputs, integers(op.permutation), T=node.types[0].dtype)


def _arg_max(op: reduction.ArgMax, node: Node) -> Operator:
    axis = integers(op.axis % node.inputs[0].type.rank)
    return operator("ArgMax", *node.inputs, axis, **FLOAT, output_type=DType.INT32)


def _range(op: shape.Range, node: Node) -> Operator:
    return operator("Range", integers(0), *node.inputs, integers(1), Tidx=DType.INT32)


def _fill(op: shape.Fill, node: Node) -> Operator:
    return operator("Fill", *node.inputs, op.value.array, T=op.value.type.dtype)


EMIT: Mapping[type[Op], Emit] = {
    **LAYERS,
    arithmetic.Add: _typed("AddV2"),
    reduction.Mean: lambda op, node: operator("Mean", *node.inputs, integers([op.axis]), **FLOAT),
    arithmetic.Subtract: _typed("Sub"),
    arithmetic.Multiply: _typed("Mul"),
    arithmetic.Divide: _typed("RealDiv"),
    arithmetic.Maximum: _typed("Maximum"),
    arithmetic.Minimum: _typed("Minimum"),
    arithmetic.Equal: _typed("Equal"),
    arithmetic.LessEqual: _typed("LessEqual"),
    arithmetic.Greater: _typed("Greater"),
    arithmetic.Select: _select,
    arithmetic.Cast: _cast,
    rearrangement.Concatenate: _concatenate,
    rearrangement.Slice: _slice,
    rearrangement.Gather: _gather,
    rearrangement.Lookup: _lookup,
    dense.MatMul: _typed("BatchMatMulV2"),
    rearrangement.Reshape: _reshape,
    rearrangement.Transpose: _transpose,
    image.Index: _index,
    elementwise.Negate: _typed("Neg"),
    elementwise.Absolute: _typed("Abs"),
    elementwise.Exp: _typed("Exp"),
    elementwise.Log: _typed("Log"),
    elementwise.Floor: _typed("Floor"),
    elementwise.Round: _typed("Round"),
    elementwise.And: lambda op, node: operator("LogicalAnd", *node.inputs),
    reduction.ReduceSum: _reduction("Sum"),
    reduction.ReduceMax: _reduction("Max"),
    reduction.ReduceMin: _reduction("Min"),
    reduction.ReduceAny: _reduce_any,
    reduction.ArgMax: _arg_max,
    shape.ShapeOf: _typed("Shape"),
    shape.Range: _range,
    shape.Fill: _fill,
    shape.DynamicReshape: _dynamic_reshape,
    shape.Take: _take_at,
    shape.Stack: _stack,
}
"""The operators of all ops but loops, whose regions are functions."""

LAYERS_ENDING_WITH = frozenset({ActivationFunction.LINEAR, *FUSED})


def _may_be_fused(node: Node) -> bool:
    return getattr(node.op, "activation", None) in LAYERS_ENDING_WITH


LEGAL: Legal = {
    **all_of(core.Input, core.Constant, control.While, *EMIT),
    **dict.fromkeys(
        (dense.Dense, convolution.Convolution2D, convolution.DepthwiseConvolution2D), _may_be_fused
    ),
    dense.Activation: lambda node: getattr(node.op, "function", None) in ACTIVATIONS,
    arithmetic.Add: lambda node: len(node.inputs) == 2,
    convolution.Upsample2D: lambda node: None not in node.inputs[0].type.shape[1:3],
    shape.Take: lambda node: getattr(node.op, "axis", None) == 0,
}
"""What a graph may hold when it is written."""
