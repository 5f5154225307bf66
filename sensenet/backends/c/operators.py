"""Which operators TensorFlow Lite Micro has, and how its `MicroMutableOpResolver` adds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.backends.tflite.emit import LEGAL as LITE_LEGAL
from sensenet.backends.tflite.flatbuffer import import_schema, kind_of, names_of
from sensenet.errors import UnsupportedOpError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Node, Value, apply, constant, rebuild
from sensenet.ir.legality import Legal, is_legal
from sensenet.ir.ops.arithmetic import Cast, Select
from sensenet.ir.ops.core import Constant
from sensenet.ir.ops.dense import Activation
from sensenet.ir.ops.rearrangement import Lookup
from sensenet.ir.types import DType, Tensor


def _is_legal_function(node: Node) -> bool:
    gelu = getattr(node.op, "function", None) is ActivationFunction.GELU
    return not gelu and is_legal(node, LITE_LEGAL)


LEGAL: Legal = {**LITE_LEGAL, Activation: _is_legal_function}
"""What a graph may hold when it is written: TensorFlow Lite Micro has no GELU."""

METHODS: Mapping[str, str] = {
    "ABS": "AddAbs",
    "ADD": "AddAdd",
    "ARG_MAX": "AddArgMax",
    "AVERAGE_POOL_2D": "AddAveragePool2D",
    "BATCH_MATMUL": "AddBatchMatMul",
    "CAST": "AddCast",
    "CONCATENATION": "AddConcatenation",
    "CONV_2D": "AddConv2D",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "DEQUANTIZE": "AddDequantize",
    "DIV": "AddDiv",
    "ELU": "AddElu",
    "EQUAL": "AddEqual",
    "EXP": "AddExp",
    "EXPAND_DIMS": "AddExpandDims",
    "FILL": "AddFill",
    "FLOOR": "AddFloor",
    "FULLY_CONNECTED": "AddFullyConnected",
    "GATHER": "AddGather",
    "GREATER": "AddGreater",
    "GREATER_EQUAL": "AddGreaterEqual",
    "HARD_SWISH": "AddHardSwish",
    "LEAKY_RELU": "AddLeakyRelu",
    "LESS": "AddLess",
    "LESS_EQUAL": "AddLessEqual",
    "LOG": "AddLog",
    "LOGICAL_AND": "AddLogicalAnd",
    "LOGICAL_NOT": "AddLogicalNot",
    "LOGICAL_OR": "AddLogicalOr",
    "LOGISTIC": "AddLogistic",
    "LOG_SOFTMAX": "AddLogSoftmax",
    "MAXIMUM": "AddMaximum",
    "MAX_POOL_2D": "AddMaxPool2D",
    "MEAN": "AddMean",
    "MINIMUM": "AddMinimum",
    "MUL": "AddMul",
    "NEG": "AddNeg",
    "NOT_EQUAL": "AddNotEqual",
    "PACK": "AddPack",
    "PAD": "AddPad",
    "QUANTIZE": "AddQuantize",
    "REDUCE_MAX": "AddReduceMax",
    "REDUCE_MIN": "AddReduceMin",
    "RELU": "AddRelu",
    "RELU6": "AddRelu6",
    "RESHAPE": "AddReshape",
    "RESIZE_BILINEAR": "AddResizeBilinear",
    "RESIZE_NEAREST_NEIGHBOR": "AddResizeNearestNeighbor",
    "ROUND": "AddRound",
    "RSQRT": "AddRsqrt",
    "SELECT_V2": "AddSelectV2",
    "SHAPE": "AddShape",
    "SLICE": "AddSlice",
    "SOFTMAX": "AddSoftmax",
    "SQRT": "AddSqrt",
    "SQUARE": "AddSquare",
    "SQUARED_DIFFERENCE": "AddSquaredDifference",
    "SQUEEZE": "AddSqueeze",
    "STRIDED_SLICE": "AddStridedSlice",
    "SUB": "AddSub",
    "SUM": "AddSum",
    "TANH": "AddTanh",
    "TRANSPOSE": "AddTranspose",
    "WHILE": "AddWhile",
}
"""The operators that the tflite target writes and TensorFlow Lite Micro has, by their names in the schema."""

MOST_EXACT = 1 << 24
"""Whole numbers up to this one are exact as float32."""

MOVED = ("FLOAT32", "INT8")
"""The types whose entries its GATHER and SELECT_V2 move."""

MOVING = {"GATHER": 0, "SELECT_V2": 1}
"""Those operators, and the number of an input that has the entries."""


INTEGER = Cast(dtype=DType.INT32)


def choose_in_floats(graph: Graph) -> Graph:
    """Return the graph with whole numbers looked up and selected as float32, as walks through deep trees do.

    Numbers that float32 rounds stay as they are, and are refused later.
    """

    def replace(node: Node) -> Sequence[Value]:
        made = None
        if isinstance(node.op, Lookup) and _is_exact(node.op.table):
            made = apply(Lookup(table=Tensor.float32(node.op.table.array)), *node.inputs)
        elif isinstance(node.op, Select) and node.types[0].dtype is DType.INT32:
            condition, *branches = node.inputs
            floats = [each for each in map(_as_float, branches) if each is not None]
            made = apply(Select(), condition, *floats) if len(floats) == len(branches) else None
        return node.values if made is None else apply(INTEGER, made.value, name=node.name).values

    return rebuild(graph, replace)


def _is_exact(tensor: Tensor) -> bool:
    """Return whether a tensor is of whole numbers that are exact as float32."""
    whole = tensor.type.dtype is DType.INT32
    return whole and int(np.abs(tensor.array.astype(np.int64)).max(initial=0)) <= MOST_EXACT


def _as_float(value: Value) -> Value | None:
    """Return the float32 that a whole number was cast from, or is exactly, if it is known."""
    if isinstance(value.op, Constant) and _is_exact(value.op.value):
        return constant(Tensor.float32(value.op.value.array))
    (source,) = value.node.inputs if value.op == INTEGER else (None,)
    return source if source is not None and source.type.dtype is DType.FLOAT32 else None


def resolver_methods(tree: Any) -> list[str]:
    """Return the methods that add the operators of a model, each once, sorted.

    Raises UnsupportedOpError for an operator that TensorFlow Lite Micro lacks.
    """
    schema = import_schema()
    kinds, types = names_of(schema.BuiltinOperator), names_of(schema.TensorType)
    methods = set()
    for graph in tree.subgraphs:
        for operator in graph.operators:
            kind = kinds[kind_of(tree, operator)]
            if kind not in METHODS:
                raise _lacks(kind)
            if kind in MOVING and types[graph.tensors[operator.inputs[MOVING[kind]]].type] not in MOVED:
                raise _lacks(f"{kind} of whole numbers")
            methods.add(METHODS[kind])
    return sorted(methods)


def _lacks(what: str) -> UnsupportedOpError:
    return UnsupportedOpError(
        f"TensorFlow Lite Micro has no {what}: use -t tflite and LiteRT for this network"
    )
