"""TensorFlow Lite's operators for the ops of the IR, one operator each, and which nodes they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensenet.backends.tflite.layer_operators import ACTIVATIONS, FUSED_NAMES, LAYERS, Emit
from sensenet.backends.tflite.operators import FUSED, TYPES, Operator, integers, operator
from sensenet.backends.tflite.sigmoids import is_safe_sigmoid
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


def _plain(kind: str, **options: Any) -> Emit:
    """Return an operator of the same inputs as the node."""
    return lambda op, node: operator(kind, *node.inputs, **options)


def _arithmetic(kind: str) -> Emit:
    """Return one that may be followed by an activation in the same operator."""
    return _plain(kind, **{FUSED: "NONE"})


def _reduction(kind: str) -> Emit:
    return lambda op, node: operator(kind, *node.inputs, integers(op.axes), keepDims=op.keep_dimensions)


def _cast(op: arithmetic.Cast, node: Node) -> Operator:
    (x,) = node.inputs
    given, wanted = (TYPES[dtype.numpy.name] for dtype in (x.type.dtype, op.dtype))
    return operator("CAST", x, inDataType=given, outDataType=wanted)


def _concatenate(op: rearrangement.Concatenate, node: Node) -> Operator:
    axis = op.axis % node.types[0].rank
    return operator("CONCATENATION", *node.inputs, axis=axis, **{FUSED: "NONE"})


def _slice(op: rearrangement.Slice, node: Node) -> Operator:
    return _cut(node, op.axis % node.types[0].rank, op.start, op.stop, shrinkAxisMask=0)


def _index(op: image.Index, node: Node) -> Operator:
    return _cut(node, op.axis, op.index, op.index + 1, shrinkAxisMask=1 << op.axis)


def _cut(node: Node, axis: int, start: int, stop: int, **options: Any) -> Operator:
    """Return some positions of one axis, and all of the others."""
    (x,) = node.inputs
    others = (1 << x.type.rank) - 1 - (1 << axis)
    corners = [[number if each == axis else 0 for each in range(x.type.rank)] for number in (start, stop)]
    steps = integers([1] * x.type.rank)
    return operator(
        "STRIDED_SLICE", x, *map(integers, corners), steps, beginMask=others, endMask=others, **options
    )


def _gather(op: rearrangement.Gather, node: Node) -> Operator:
    axis = op.axis % node.types[0].rank
    return operator("GATHER", *node.inputs, op.indices.array, axis=axis, batchDims=0)


def _lookup(op: rearrangement.Lookup, node: Node) -> Operator:
    return operator("GATHER", op.table.array, *node.inputs, axis=0, batchDims=0)


def _reshape(op: rearrangement.Reshape, node: Node) -> Operator:
    sizes = node.types[0].shape
    known = sizes if sizes.count(None) <= 1 else op.shape
    return operator("RESHAPE", *node.inputs, integers([-1 if size is None else size for size in known]))


def _loop(op: control.While, node: Node) -> Operator:
    return Operator(kind="WHILE", inputs=node.inputs, options={}, regions=(op.condition, op.body))


EMIT: Mapping[type[Op], Emit] = {
    **LAYERS,
    arithmetic.Add: _arithmetic("ADD"),
    arithmetic.Subtract: _arithmetic("SUB"),
    arithmetic.Multiply: _arithmetic("MUL"),
    arithmetic.Divide: _arithmetic("DIV"),
    arithmetic.Maximum: _plain("MAXIMUM"),
    arithmetic.Minimum: _plain("MINIMUM"),
    arithmetic.Equal: _plain("EQUAL"),
    arithmetic.LessEqual: _plain("LESS_EQUAL"),
    arithmetic.Greater: _plain("GREATER"),
    arithmetic.Select: _plain("SELECT_V2"),
    reduction.Mean: lambda op, node: operator("MEAN", *node.inputs, integers([op.axis]), keepDims=False),
    arithmetic.Cast: _cast,
    rearrangement.Concatenate: _concatenate,
    rearrangement.Slice: _slice,
    rearrangement.Gather: _gather,
    rearrangement.Lookup: _lookup,
    rearrangement.TakeAlong: _plain("GATHER", axis=1, batchDims=1),
    dense.MatMul: _plain("BATCH_MATMUL", adjX=False, adjY=False),
    rearrangement.Reshape: _reshape,
    rearrangement.Transpose: lambda op, node: operator("TRANSPOSE", *node.inputs, integers(op.permutation)),
    image.Index: _index,
    elementwise.Negate: _plain("NEG"),
    elementwise.Absolute: _plain("ABS"),
    elementwise.Exp: _plain("EXP"),
    elementwise.Log: _plain("LOG"),
    elementwise.Floor: _plain("FLOOR"),
    elementwise.Round: _plain("ROUND"),
    elementwise.And: _plain("LOGICAL_AND"),
    reduction.ReduceSum: _reduction("SUM"),
    reduction.ReduceMax: _reduction("REDUCE_MAX"),
    reduction.ReduceMin: _reduction("REDUCE_MIN"),
    reduction.ReduceAny: _reduction("REDUCE_ANY"),
    reduction.ArgMax: lambda op, node: operator(
        "ARG_MAX", *node.inputs, integers(op.axis % node.inputs[0].type.rank), outputType="INT32"
    ),
    shape.ShapeOf: _plain("SHAPE", outType="INT32"),
    shape.Range: lambda op, node: operator("RANGE", integers(0), *node.inputs, integers(1)),
    shape.Fill: lambda op, node: operator("FILL", *node.inputs, op.value.array),
    shape.DynamicReshape: _plain("RESHAPE"),
    shape.Take: lambda op, node: operator("GATHER", *node.inputs, axis=op.axis, batchDims=0),
    shape.Stack: lambda op, node: operator("PACK", *node.inputs, axis=op.axis, valuesCount=len(node.inputs)),
    control.While: _loop,
}


def _ends_with_relu(node: Node) -> bool:
    return getattr(node.op, "activation", None) in FUSED_NAMES


LEGAL: Legal = {
    **all_of(core.Input, core.Constant, *EMIT),
    **dict.fromkeys(
        (dense.Dense, convolution.Convolution2D, convolution.DepthwiseConvolution2D), _ends_with_relu
    ),
    dense.Activation: lambda node: (
        getattr(node.op, "function", None) in ACTIVATIONS and is_safe_sigmoid(node)
    ),
    arithmetic.Add: lambda node: len(node.inputs) == 2,
    convolution.Upsample2D: lambda node: None not in node.inputs[0].type.shape[1:3],
}
"""What a graph may hold when it is written."""
