"""Checks an .onnx file before onnxruntime sees it: it may be anybody's.

Only what `convert` writes passes: the operators in OPERATORS with their attributes, constants whose content
is in the file, and loops of at most MOST_STEPS steps. There are no functions, custom operators, external
files or other messages: what the format does not know here is dropped. Each value has one name, which is
defined before it is read. See `sizes` for what it computes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sensenet.backends.onnx.names import IR_VERSIONS
from sensenet.backends.onnx.sizes import ITEM_SIZES, row_memory
from sensenet.errors import ArtifactError
from sensenet.ir.ops.control import MOST_STEPS
from sensenet.optional_packages import import_package

WINDOWS = frozenset({"kernel_shape", "strides", "pads", "auto_pad"})
REDUCTION = frozenset({"keepdims", "noop_with_empty_axes"})
AXIS = frozenset({"axis"})
PLAIN: frozenset[str] = frozenset()

OPERATORS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("Abs", "Add", "And", "Div", "Equal", "Erf", "Exp", "Expand", "Floor", "Greater"), PLAIN),
    **dict.fromkeys(("Identity", "LessOrEqual", "Log", "MatMul", "Max", "Min", "Mul", "Neg", "Range"), PLAIN),
    **dict.fromkeys(("Relu", "Round", "Shape", "Sigmoid", "Slice", "Softplus", "Softsign", "Squeeze"), PLAIN),
    **dict.fromkeys(("Clip", "Sub", "Tanh", "Unsqueeze", "Where"), PLAIN),
    **dict.fromkeys(("Concat", "Flatten", "Gather", "LogSoftmax", "Softmax"), AXIS),
    **dict.fromkeys(("AveragePool", "MaxPool"), WINDOWS),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), REDUCTION),
    "ArgMax": frozenset({"axis", "keepdims"}),
    "Cast": frozenset({"to"}),
    "Conv": WINDOWS | {"group"},
    "Elu": frozenset({"alpha"}),
    "GatherND": frozenset({"batch_dims"}),
    "LeakyRelu": frozenset({"alpha"}),
    "Loop": frozenset({"body"}),
    "Pad": frozenset({"mode"}),
    "Reshape": frozenset({"allowzero"}),
    "Resize": frozenset({"axes", "mode"}),
    "Selu": frozenset({"alpha", "gamma"}),
    "Transpose": frozenset({"perm"}),
}
"""The operators that are written, and the attributes that they are given."""

FLAGS: Mapping[str, frozenset[int]] = {
    **dict.fromkeys(("allowzero", "keepdims", "noop_with_empty_axes"), frozenset({0, 1})),
    "batch_dims": frozenset({1}),
}
"""The numbers that an attribute may be. In a loop ONNX checks none, and onnxruntime crashes on others."""

LEFT_OUT: Mapping[str, tuple[int, ...]] = {"Resize": (1, 2)}
"""The inputs that may be left out before others; onnxruntime crashes if others are."""

FIELDS: Mapping[str, frozenset[str]] = {
    "ModelProto": frozenset({"ir_version", "producer_name", "graph", "opset_import", "metadata_props"}),
    "GraphProto": frozenset({"name", "node", "input", "output", "initializer"}),
    "NodeProto": frozenset({"input", "output", "op_type", "attribute", "name"}),
    "AttributeProto": frozenset({"name", "type", "f", "i", "s", "ints", "g"}),
    "TensorProto": frozenset({"name", "dims", "data_type", "raw_data"}),
    "ValueInfoProto": frozenset({"name", "type"}),
}
"""The fields of each message that may be filled."""

MOST_NESTED = 2
"""Loops in one another: over images, then over boxes."""


def parse(content: bytes, where: str) -> Any:
    """Return the ModelProto of a file, without fields that it does not know; raises ArtifactError."""
    onnx = import_package("onnx", "onnx", "opening .onnx files")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf has several types
        raise ArtifactError(f"{where} is damaged, or no ONNX model") from error
    model.DiscardUnknownFields()
    return model


def verify(model: Any, where: str) -> int:
    """Return the bytes that a row takes.

    Raises ArtifactError for a model that `convert` cannot have written, LimitError for a large one.
    """
    try:
        _check_model(model)
    except _RefusedError as error:
        raise ArtifactError(f"{where} is not run: {error}") from error
    return row_memory(model, where)


class _RefusedError(Exception):
    """What is wrong with a file."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _RefusedError(message)


def _require_fields(message: Any) -> None:
    """Refuse a message with a field that is not written."""
    kind = message.DESCRIPTOR.name
    for field, _ in message.ListFields():
        _require(field.name in FIELDS[kind], f"its {kind} has the field {field.name!r}")


def _check_model(model: Any) -> None:
    _require_fields(model)
    opsets = [(each.domain, each.version) for each in model.opset_import]
    written = [("", version) for version in IR_VERSIONS]
    _require(len(opsets) == 1 and opsets[0] in written, f"its operator sets are {opsets[:3]}")
    _require(model.ir_version in IR_VERSIONS.values(), f"its format has the version {model.ir_version}")
    constants = {}
    for tensor in model.graph.initializer:
        _check_constant(tensor)
        constants[tensor.name] = tensor
    names: set[str] = set()
    for tensor in model.graph.initializer:
        _define(tensor.name, names)
    _check_graph(model.graph, names, constants, 0)


def _check_constant(tensor: Any) -> None:
    _require_fields(tensor)
    _require(tensor.data_type in ITEM_SIZES, f"its constant {tensor.name[:80]!r} has another dtype")
    sizes = [int(size) for size in tensor.dims]
    expected = ITEM_SIZES[tensor.data_type] * math.prod(sizes)
    _require(
        min(sizes, default=0) >= 0 and len(tensor.raw_data) == expected,
        f"its constant {tensor.name[:80]!r} is not of its size",
    )


def _define(name: str, names: set[str]) -> None:
    _require(bool(name) and name not in names, f"the name {name[:80]!r} is defined twice, or empty")
    names.add(name)


def _check_graph(graph: Any, names: set[str], constants: Mapping[str, Any], depth: int) -> None:
    """Check a graph; `names` are those that it may read, to which its own are added."""
    _require_fields(graph)
    _require(not depth or not graph.initializer, "a loop has constants of its own")
    for declared in graph.input:
        _check_declared(declared)
        _define(declared.name, names)
    for node in graph.node:
        _check_node(node, names, constants, depth)
    for declared in graph.output:
        _check_declared(declared)
        _require(declared.name in names, f"nothing gives its output {declared.name[:80]!r}")


def _check_declared(declared: Any) -> None:
    """Check the type of an input or output."""
    _require_fields(declared)
    known = declared.type.WhichOneof("value") == "tensor_type"
    _require(known and declared.type.tensor_type.elem_type in ITEM_SIZES, "a tensor has another dtype")
    sizes = [each.dim_value for each in declared.type.tensor_type.shape.dim]
    _require(min(sizes, default=0) >= 0, "a tensor has a negative size")


def _check_node(node: Any, names: set[str], constants: Mapping[str, Any], depth: int) -> None:
    _require_fields(node)
    kind = node.op_type
    _require(kind in OPERATORS, f"it has the operator {kind[:40]!r}, which sensenet does not write")
    for place, name in enumerate(node.input):
        left_out = not name and place in LEFT_OUT.get(kind, ())
        _require(left_out or name in names, f"nothing gives {name[:80]!r}, which {kind} reads")
    for attribute in node.attribute:
        _require_fields(attribute)
        allowed = attribute.name in OPERATORS[kind]
        _require(allowed, f"its operator {kind} has the attribute {attribute.name[:40]!r}")
        flag = attribute.i in FLAGS.get(attribute.name, {attribute.i})
        _require(flag, f"the attribute {attribute.name} of its operator {kind} is {attribute.i}")
    if kind == "Loop":
        _check_loop(node, names, constants, depth)
    _require(len(node.output) == 1 or kind == "Loop", f"its operator {kind} has several results")
    for name in node.output:
        _define(name, names)


def _check_loop(node: Any, names: set[str], constants: Mapping[str, Any], depth: int) -> None:
    """Check that a loop ends, and what it does."""
    _require(depth < MOST_NESTED, f"more than {MOST_NESTED} of its loops are in one another")
    steps = constants.get(node.input[0] if node.input else "")
    _require(
        steps is not None
        and not steps.dims
        and len(steps.raw_data) == 8
        and 0 <= int.from_bytes(steps.raw_data, "little", signed=True) <= MOST_STEPS,
        f"it has a loop that may take more than {MOST_STEPS:,} steps",
    )
    bodies = [each.g for each in node.attribute if each.name == "body" and each.HasField("g")]
    _require(len(bodies) == 1, "it has a loop without a body")
    _require(len(bodies[0].input) == len(node.input) == len(node.output) + 2, "its loop carries other values")
    _require(len(bodies[0].output) == len(node.output) + 1, "its loop gives other values")
    _check_graph(bodies[0], names, constants, depth + 1)
