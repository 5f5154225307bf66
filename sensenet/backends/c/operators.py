"""Which operators TensorFlow Lite Micro has, and how its `MicroMutableOpResolver` adds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensenet.backends.tflite.flatbuffer import import_schema, kind_of, names_of
from sensenet.errors import UnsupportedOpError

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

GATHERED = ("FLOAT32", "INT8")
"""The types whose entries its GATHER moves."""


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
            if kind == "GATHER" and types[graph.tensors[operator.inputs[0]].type] not in GATHERED:
                raise _lacks("GATHER of whole numbers, as deep trees need")
            methods.add(METHODS[kind])
    return sorted(methods)


def _lacks(what: str) -> UnsupportedOpError:
    return UnsupportedOpError(
        f"TensorFlow Lite Micro has no {what}: use -t tflite and LiteRT for this network"
    )
