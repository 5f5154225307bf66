"""Draws a graph in the language of Graphviz, for `dot -Tsvg`."""

from __future__ import annotations

from collections.abc import Iterator

from sensenet.drawing.blocks import Block, find_blocks
from sensenet.drawing.captions import changed_attributes, print_briefly, printable
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops.core import Input

LONGEST_ATTRIBUTE = 40
"""The most columns of an attribute that are shown."""

LINE_END = "\n"

STYLE = (
    '  graph [fontname="Helvetica", fontsize=10];',
    '  node [shape=box, fontname="Helvetica", fontsize=10];',
    '  edge [fontname="Helvetica", fontsize=8];',
)


def to_dot(graph: Graph) -> str:
    """Return the graph in Graphviz's dot language.

    A box is a node: its op, its name, and the attributes that differ from their default, tensors as their
    type. Ellipses are the graph's inputs and outputs; an edge is labeled with the type of its value. The
    stages of a network, if there are several, are frames around their boxes.
    """
    title = graph.signature.name or "sensenet graph"
    stages = find_blocks(graph)
    nodes = map(_box, graph.nodes) if len(stages) < 2 else _clusters(stages)
    edges = [_edge(value, node.name) for node in graph.nodes for value in node.inputs]
    outputs = [_ellipse(_output_id(name), name) for name in graph.outputs]
    results = [_edge(value, _output_id(name)) for name, value in graph.outputs.items()]
    return "\n".join([f"digraph {_quote(title)} {{", *STYLE, *nodes, *edges, *outputs, *results, "}", ""])


def _clusters(stages: tuple[Block, ...]) -> Iterator[str]:
    for number, stage in enumerate(stages):
        yield f"  subgraph cluster_{number} {{"
        yield f"  graph [color=gray, label={_quote(stage.title)}];"
        yield from map(_box, stage.nodes)
        yield "  }"


def _output_id(name: str) -> str:
    """Return an id that no node can have: names of nodes contain no colon."""
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
    return [f"{name}={print_briefly(value, LONGEST_ATTRIBUTE)}" for name, value in changed_attributes(op)]


def _quote(text: str) -> str:
    """Return a quoted string of the dot language; line ends become centered line breaks."""
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\r", "")
    return '"' + escaped.replace("\n", "\\n") + '"'
