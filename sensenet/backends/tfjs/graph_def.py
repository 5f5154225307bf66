"""Parts of a GraphDef as JSON: nodes, their attributes, types and shapes, and the names of their results."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from sensenet.ir.types import DType, Shape

Json = dict[str, Any]

TYPES: Mapping[DType, str] = {DType.FLOAT32: "DT_FLOAT", DType.INT32: "DT_INT32", DType.BOOL: "DT_BOOL"}
"""The dtypes by their names in a GraphDef."""

RESULTS: Mapping[str, tuple[str, ...]] = {
    "activations": ("Elu", "LeakyRelu", "Relu", "Relu6"),
    "logsoftmax": ("LogSoftmax",),
    "product": ("MatMul", "_FusedMatMul"),
    "resized_images": ("ResizeBilinear", "ResizeNearestNeighbor"),
    "softmax": ("Softmax",),
    "y": ("Abs", "Cast", "Erf", "Exp", "Floor", "Log", "Neg", "Round", "Sigmoid", "Tanh", "Transpose"),
    "z": (
        *("AddV2", "Equal", "Greater", "LessEqual", "LogicalAnd", "Maximum", "Minimum", "Mul", "RealDiv"),
        "Sub",
    ),
}
"""What TensorFlow calls the result of operators, by which nodes of a function refer to it; else `output`."""

RESULT_NAMES: Mapping[str, str] = {kind: name for name, kinds in RESULTS.items() for kind in kinds}


def encode_attribute(value: Any) -> Json:
    """Return an attribute: a dtype, truth, number, text, tuple of whole numbers or texts, or one as it is."""
    match value:
        case dict():
            return value
        case DType():
            return {"type": TYPES[value]}
        case bool():
            return {"b": value}
        case int():
            return {"i": str(value)}
        case float():
            return {"f": value}
        case str():
            return {"s": _encode_text(value)}
    if all(isinstance(each, str) for each in value):
        return {"list": {"s": [_encode_text(each) for each in value]}}
    return {"list": {"i": [str(each) for each in value]}}


def _encode_text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def encode_shape(shape: Shape) -> Json:
    """Return a TensorShapeProto, in which -1 is an unknown size."""
    return {"dim": [{"size": str(-1 if size is None else size)} for size in shape]} if shape else {}


def make_node(kind: str, name: str, inputs: list[str], attributes: Mapping[str, Any]) -> Json:
    """Return a NodeDef."""
    node: Json = {"name": name, "op": kind}
    if inputs:
        node["input"] = inputs
    if attributes:
        node["attr"] = {key: encode_attribute(value) for key, value in attributes.items()}
    return node
