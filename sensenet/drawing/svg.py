"""Draws boxes and edges as SVG, and a whole graph as a standalone image."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from sensenet.drawing.captions import (
    Caption,
    describe,
    family,
    make_caption,
    make_title,
    printable,
)
from sensenet.drawing.layout import Edge, Layout, Point, arrange
from sensenet.drawing.page import escape_text
from sensenet.ir.graph import Graph, Node
from sensenet.plain_numbers import format_count
from sensenet.plain_text import columns, cut
from sensenet.records import frozen

STYLE = (Path(__file__).parent / "boxes.css").read_text("utf-8")
"""The colors of the boxes by family, light and dark, and the fonts that the sizes below are for."""

PAPER = '<rect class="paper" width="100%" height="100%"/>'

COLUMN = 6.7
"""Pixels per column, slightly more than in the 11 pixel fixed-width fonts of STYLE."""
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
    """A node as it is drawn, or a pill for a value that enters or leaves.

    `kind` is its class in STYLE. A line is one text, or two texts at the left and right.
    """

    kind: str
    lines: tuple[Line, ...] = attrs.field(converter=_as_lines)
    tooltip: str = ""
    attributes: str = ""


def node_box(node: Node, attributes: str = "") -> Box:
    """Return the box of a node, with SVG attributes of its group."""
    caption = make_caption(node)
    return Box(f"node {family(node.op)}", _lines(caption), describe(node), attributes)


def _lines(caption: Caption) -> tuple[Line, ...]:
    lines = ((caption.op, caption.type), (caption.name,), (caption.attributes,))
    return lines if caption.attributes else lines[:2]


def pill(text: str, tooltip: str = "", attributes: str = "") -> Box:
    """Return a rounded box of one line."""
    return Box("pill", ((text,),), tooltip, attributes)


def to_svg(graph: Graph) -> str:
    """Return the graph as a standalone image: a box for each node and output, with edges downward.

    It needs no specific fonts, follows the reader's light or dark mode, and every box has a tooltip with all
    attributes.
    """
    boxes = [node_box(node) for node in graph.nodes]
    boxes += [pill(f"output {name}", str(value.type)) for name, value in graph.outputs.items()]
    position = {node: index for index, node in enumerate(graph.nodes)}
    edges = {(position[value.node], position[node]) for node in graph.nodes for value in node.inputs}
    edges |= {
        (position[value.node], len(graph.nodes) + index) for index, value in enumerate(graph.outputs.values())
    }
    title = escape_text(make_title(graph))
    summary = f"The graph of a {graph.signature.kind.value}: {format_count(len(graph.nodes), 'node')}."
    head = f"<title>{title}</title><desc>{escape_text(summary)}</desc><style>\n{STYLE}</style>{PAPER}"
    return draw_boxes(boxes, sorted(edges), f'role="img" aria-label="{title}"', head) + "\n"


def draw_boxes(boxes: Sequence[Box], edges: Sequence[Edge], attributes: str, head: str = "") -> str:
    """Return an SVG element of boxes, with each edge from a box to a later one; `head` comes first."""
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
    """Return width and height of each box; all nodes are as wide as the widest."""
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
        texts.append(
            f'<text class="line{number}" x="{x}" y="{y}">{escape_text(cut(first, room_left))}</text>'
        )
        texts += [
            f'<text class="type" x="{left + width - PADDING}" y="{y}">{escape_text(text)}</text>'
            for text in rest
        ]
    tooltip = f"<title>{escape_text(box.tooltip)}</title>" if box.tooltip else ""
    return (
        f'<g class="{box.kind}"{box.attributes and " "}{box.attributes}>{tooltip}'
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="{radius}"/>{"".join(texts)}</g>'
    )


def _edges(layout: Layout) -> str:
    """Return one path of all edges; shared segments are drawn once."""
    steps = dict.fromkeys(step for route in layout.routes for step in itertools.pairwise(route))
    return "".join(map(_curve, steps))


def _curve(step: tuple[Point, Point]) -> str:
    (x, y), (end_x, end_y) = step
    if x == end_x:
        return f"M{x} {y}V{end_y}"
    middle = (y + end_y) // 2
    return f"M{x} {y}C{x} {middle} {end_x} {middle} {end_x} {end_y}"


def _tips(layout: Layout) -> str:
    """Return the path of an arrowhead at each end."""
    ends = dict.fromkeys(route[-1] for route in layout.routes)
    return "".join(f"M{x - 4} {y - 6}H{x + 4}L{x} {y}Z" for x, y in ends)
