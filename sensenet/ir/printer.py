"""Prints the text form of a graph, one node per line, generically for all ops.

    sensenet graph
    signature {"format_version": 1, "kind": "deepnet", …}
    %numeric_inputs = input() {type=f32[?,64]} : f32[?,64]
    %layer_0 = dense(%numeric_inputs) {kernel=#9f3a…:f32[64,10], bias=none, activation=relu} : f32[?,10]
    output predictions = %layer_0

Tensors of at most 16 elements are inline, `f32[2]{1.0, 0.5}`; larger ones are named by digest, and `weights`
returns their values, which are saved in an `.npz` file next to the text. A node's second result is written
`%node:1`. A region, a graph that is an attribute, is printed in indented lines between `graph {` and `}`.
Strings are JSON in ASCII, so they contain no line ends. `sensenet.ir.parser` reads this form back to an equal
graph.
"""

from __future__ import annotations

import enum
import functools
import json
from collections.abc import Iterator
from textwrap import indent
from typing import Any

import attrs
import numpy as np

from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.op import Op
from sensenet.ir.region import Region
from sensenet.ir.types import Array, Tensor, TensorType

HEADER = "sensenet graph"
REGION = "graph"
"""The word before the brace of a region."""

INDENT = "    "
INLINE_ELEMENTS = 16
DIGEST_DIGITS = 16
SMALLEST_POSITIONAL, LARGEST_POSITIONAL = 1e-4, 1e16
"""Between these, a number is printed without an exponent."""

_NAN_BITS = np.float32(np.nan).view(np.int32)


def print_graph(graph: Graph) -> str:
    """Return the text form, ending in a newline."""
    signature = json.dumps(graph.signature.to_json(), sort_keys=True)
    return "\n".join(
        [
            HEADER,
            f"signature {signature}",
            *_lines(graph),
            "",
        ]
    )


def _lines(graph: Graph) -> Iterator[str]:
    """Yield the lines of nodes and outputs."""
    yield from map(print_node, graph.nodes)
    yield from (f"output {name} = {print_value(value)}" for name, value in graph.outputs.items())


def print_node(node: Node) -> str:
    """Return the text of a node: `%name = op(inputs) {attributes} : types`, one line unless it has regions.

    If the node shares a layer or weights, the line ends with `shares layer name`.
    """
    inputs = ", ".join(map(print_value, node.inputs))
    types = ", ".join(map(str, node.types))
    shares = f" {node.shares}" if node.shares else ""
    return f"%{node.name} = {node.op.mnemonic()}({inputs}) {print_attributes(node.op)} : {types}{shares}"


def print_value(value: Value) -> str:
    """Return `%node`, or `%node:1` for the second result."""
    return f"%{value.node.name}" + (f":{value.index}" if value.index else "")


def print_attributes(op: Any) -> str:
    """Return `{name=value, …}` for the fields of an attrs class, in order of declaration."""
    fields = attrs.fields(type(op))
    return "{" + ", ".join(f"{f.name}={print_attribute(getattr(op, f.name))}" for f in fields) + "}"


def print_attribute(value: Any) -> str:
    """Return the text of one attribute; raises TypeError for a type that has none."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case int() | TensorType():
            return str(value)
        case float():
            return repr(value)
        case str():
            return json.dumps(value)
        case enum.Enum():
            return str(value.value)
        case Tensor():
            return print_tensor(value)
        case Region(graph=graph):
            return "\n".join([f"{REGION} {{", indent("\n".join(_lines(graph)), INDENT), "}"])
        case tuple():
            return "(" + ", ".join(map(print_attribute, value)) + ")"
        case _ if attrs.has(type(value)):
            return print_attributes(value)
    raise TypeError(f"attributes of type {type(value).__name__} have no text form")


def print_tensor(tensor: Tensor) -> str:
    """Return `type{elements}`, or `#digest:type` for a tensor that is not inline."""
    if not is_inline(tensor):
        return f"#{text_digest(tensor)}:{tensor.type}"
    return f"{tensor.type}{{{', '.join(map(_print_element, tensor.array.ravel()))}}}"


def _print_element(element: np.generic) -> str:
    """Return the shortest text that the parser, which rounds via float64, reads as the same number."""
    if isinstance(element, np.bool_):
        return "true" if element else "false"
    if not isinstance(element, np.float32) or not np.isfinite(element):
        return str(element)
    text = _print_float(element)
    return text if np.float32(float(text)) == element else repr(float(element))


def _print_float(element: np.float32) -> str:
    """Return the fewest digits of a number, in the form of Python's floats: `str` differs between NumPys."""
    if element == 0 or SMALLEST_POSITIONAL <= abs(float(element)) < LARGEST_POSITIONAL:
        return np.format_float_positional(element, unique=True, trim="0")
    return np.format_float_scientific(element, unique=True, trim="-", exp_digits=2)


def is_inline(tensor: Tensor) -> bool:
    """Return whether the text form has the tensor's elements: they are few, without unusual NaNs."""
    array = tensor.array
    if array.size > INLINE_ELEMENTS:
        return False
    return array.dtype != np.float32 or bool(np.all(array[np.isnan(array)].view(np.int32) == _NAN_BITS))


def text_digest(tensor: Tensor) -> str:
    """Return the digits of a tensor's digest by which the text form names it."""
    return tensor.digest[:DIGEST_DIGITS]


def op_weights(op: Op) -> dict[str, Array]:
    """Return the arrays that `print_attributes(op)` names by digest."""
    return {text_digest(t): t.array for t in tensors_of(op) if not is_inline(t)}


def weights(graph: Graph) -> dict[str, Array]:
    """Return the arrays that the text form names, by digest."""
    return {digest: array for node in graph.nodes for digest, array in op_weights(node.op).items()}


def tensors_of(op: Any) -> Iterator[Tensor]:
    """Yield the tensors among an op's attributes, those of regions too, in order of declaration."""
    op_class: Any = type(op)  # mypy takes a class's hash for its instances'
    for name in _attribute_names(op_class):
        yield from tensors_in(getattr(op, name))


@functools.cache
def _attribute_names(value_class: Any) -> tuple[str, ...]:
    """Return the names of the attributes of an attrs class; none for any other class."""
    return tuple(field.name for field in attrs.fields(value_class)) if attrs.has(value_class) else ()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in the value of an attribute, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, Region):
        for node in value.graph.nodes:
            yield from tensors_of(node.op)
    elif not isinstance(value, TensorType):
        yield from tensors_of(value)
