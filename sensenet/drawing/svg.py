"""Draws boxes and the edges between them as SVG, and a whole graph as an image of its own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import attrs
from attrs import frozen

from sensenet.drawing.captions import (
    Caption,
    columns,
    count,
    cut,
    describe,
    family,
    make_caption,
    make_title,
    printable,
)
from sensenet.drawing.layout import Edge, Layout, Point, arrange
from sensenet.ir.graph import Graph, Node

STYLE = (Path(__file__).parent / "boxes.css").read_text("utf-8")
"""The colors of the boxes by family, light and dark, and the fonts that the sizes below go by."""

PAPER = '<rect class="paper" width="100%" height="100%"/>'

COLUMN = 6.7
"""Pixels of a letter, a little more than of the 11 pixel fonts of fixed width that STYLE names."""
LINE = 14
PADDING = 9
MOST_COLUMNS = 48
BETWEEN = 2
"""Columns between op and type."""


Line = tuple[str, ...]


def _as_lines(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(tuple(map(printable, line)) for line in lines)


@frozen
class Box:
    """A node as it is drawn, or a pill that stands for a value's way in or out.

    `kind` is its class in STYLE. A line is a text, or two that stand at the left and at the right.
    """

    kind: str
    lines: tuple[Line, ...] = attrs.field(converter=_as_lines)
    tooltip: str = ""
    attributes: str = ""


def node_box(node: Node, attributes: str = "") -> Box:
    """The box of a node, with SVG attributes of its group."""
    caption = make_caption(node)
    return Box(f"node {family(node.op)}", _lines(caption), describe(node), attributes)


def _lines(caption: Caption) -> tuple[Line, ...]:
    lines = ((caption.op, caption.type), (caption.name,), (caption.attributes,))
    return lines if caption.attributes else lines[:2]


def pill(text: str, tooltip: str = "", attributes: str = "") -> Box:
    """A rounded box of one line."""
    return Box("pill", ((text,),), tooltip, attributes)


def to_svg(graph: Graph) -> str:
    """The graph as an image that stands alone: a box for each node and each output, edges downward.

    It names fonts but needs none, follows the reader's choice of light or dark, and every box has all
    attributes as a tooltip.
    """
    boxes = [node_box(node) for node in graph.nodes]
    boxes += [pill(f"output {name}", str(value.type)) for name, value in graph.outputs.items()]
    position = {node: index for index, node in enumerate(graph.nodes)}
    edges = {(position[value.node], position[node]) for node in graph.nodes for value in node.inputs}
    edges |= {
        (position[value.node], len(graph.nodes) + index) for index, value in enumerate(graph.outputs.values())
    }
    title = make_title(graph)
    summary = f"The graph of a {graph.signature.kind.value}: {count(len(graph.nodes), 'node')}."
    head = f"<title>{_text(title)}</title><desc>{_text(summary)}</desc><style>\n{STYLE}</style>{PAPER}"
    return draw_boxes(boxes, sorted(edges), f'role="img" aria-label="{_text(title)}"', head) + "\n"


def draw_boxes(boxes: Sequence[Box], edges: Sequence[Edge], attributes: str, head: str = "") -> str:
    """An SVG element of boxes, each edge from a box to a later one; `head` stands before all else."""
    sizes = _sizes(boxes)
    layout = arrange(sizes, edges)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{layout.width}" height="{layout.height}" '
        f'viewBox="0 0 {layout.width} {layout.height}" class="graph" {attributes}>{head}',
        f'<path class="edge" d="{_edges(layout)}"/>',
        f'<path class="tip" d="{_tips(layout)}"/>',
        *map(_draw_box, boxes, layout.corners, sizes),
        "</svg>",
    ]
    return "\n".join(lines)


def _sizes(boxes: Sequence[Box]) -> list[tuple[int, int]]:
    """Width and height of each box: nodes are all as wide as the widest needs."""
    wanted = [min(_columns(box), MOST_COLUMNS) for box in boxes]
    widest = max((have for have, box in zip(wanted, boxes, strict=True) if box.kind != "pill"), default=0)
    widths = [have if box.kind == "pill" else widest for have, box in zip(wanted, boxes, strict=True)]
    return [
        (2 * math.ceil(width * COLUMN / 2) + 2 * PADDING, LINE * len(box.lines) + PADDING)
        for width, box in zip(widths, boxes, strict=True)
    ]


def _columns(box: Box) -> int:
    return max(sum(map(columns, line)) + BETWEEN * (len(line) - 1) for line in box.lines)


def _draw_box(box: Box, corner: Point, size: tuple[int, int]) -> str:
    (left, top), (width, height) = corner, size
    radius = height // 2 if box.kind == "pill" else 5
    room = int((width - 2 * PADDING) / COLUMN)
    texts = []
    for number, line in enumerate(box.lines):
        y = top + PADDING // 2 + LINE * number + 11
        first, *rest = line
        room_left = room - sum(columns(text) + BETWEEN for text in rest)
        x = left + PADDING
        texts.append(f'<text class="line{number}" x="{x}" y="{y}">{_text(cut(first, room_left))}</text>')
        texts += [
            f'<text class="type" x="{left + width - PADDING}" y="{y}">{_text(text)}</text>' for text in rest
        ]
    tooltip = f"<title>{_text(box.tooltip)}</title>" if box.tooltip else ""
    return (
        f'<g class="{box.kind}"{box.attributes and " "}{box.attributes}>{tooltip}'
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="{radius}"/>{"".join(texts)}</g>'
    )


def _edges(layout: Layout) -> str:
    """One path of all edges; what several of them have in common is drawn once."""
    steps = dict.fromkeys(step for route in layout.routes for step in itertools.pairwise(route))
    return "".join(map(_curve, steps))


def _curve(step: tuple[Point, Point]) -> str:
    (x, y), (end_x, end_y) = step
    if x == end_x:
        return f"M{x} {y}V{end_y}"
    middle = (y + end_y) // 2
    return f"M{x} {y}C{x} {middle} {end_x} {middle} {end_x} {end_y}"


def _tips(layout: Layout) -> str:
    """An arrow's head where edges come in."""
    ends = dict.fromkeys(route[-1] for route in layout.routes)
    return "".join(f"M{x - 4} {y - 6}H{x + 4}L{x} {y}Z" for x, y in ends)


def _text(text: str) -> str:
    """Text of an XML element or attribute."""
    return escape(printable(text))
