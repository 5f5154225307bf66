"""Draws a graph: `to_dot` gives text for Graphviz, whose `dot -Tsvg` makes a picture of it."""

from __future__ import annotations

import attrs

from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops.core import Input
from sensenet.ir.printer import print_attribute
from sensenet.ir.types import Tensor

LONGEST_ATTRIBUTE = 40
"""Characters of an attribute that are shown."""

LINE_END = "\n"

STYLE = (
    '  node [shape=box, fontname="Helvetica", fontsize=10];',
    '  edge [fontname="Helvetica", fontsize=8];',
)


def to_dot(graph: Graph) -> str:
    """The graph in Graphviz's dot language.

    A box is a node: its op, its name, and the attributes that are not the default, tensors by their type.
    Ellipses are the graph's inputs and outputs; an edge bears the type of what flows along it.
    """
    title = graph.signature.name or "sensenet graph"
    nodes = [_box(node) for node in graph.nodes]
    edges = [_edge(value, node.name) for node in graph.nodes for value in node.inputs]
    outputs = [_ellipse(_output_id(name), name) for name in graph.outputs]
    results = [_edge(value, _output_id(name)) for name, value in graph.outputs.items()]
    return "\n".join([f"digraph {_quote(title)} {{", *STYLE, *nodes, *edges, *outputs, *results, "}", ""])


def _output_id(name: str) -> str:
    """An id that no node has: names of nodes have no colon."""
    return f"output:{name}"


def _edge(value: Value, reader: str) -> str:
    result = f":{value.index} " if value.index else ""
    return f"  {_quote(value.node.name)} -> {_quote(reader)} [label={_quote(f'{result}{value.type}')}];"


def _ellipse(identity: str, name: str) -> str:
    return f"  {_quote(identity)} [shape=ellipse, label={_quote(name)}];"


def _box(node: Node) -> str:
    if isinstance(node.op, Input):
        return _ellipse(node.name, node.name)
    lines = [node.op.mnemonic(), node.name, *_attribute_lines(node.op)]
    return f"  {_quote(node.name)} [label={_quote(LINE_END.join(lines))}];"


def _attribute_lines(op: Op) -> list[str]:
    """`name=value`, one line each, for the attributes that differ from the default."""
    lines = []
    for field in attrs.fields(type(op)):  # type: ignore[arg-type]
        value = getattr(op, field.name)
        if value == field.default:
            continue
        text = str(value.type) if isinstance(value, Tensor) else print_attribute(value)
        if len(text) > LONGEST_ATTRIBUTE:
            text = f"{text[: LONGEST_ATTRIBUTE - 1]}…"
        lines.append(f"{field.name}={text}")
    return lines


def _quote(text: str) -> str:
    """A quoted string of the dot language, in which a line end is a centred line break."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "").replace("\n", "\\n")
    return f'"{escaped}"'
