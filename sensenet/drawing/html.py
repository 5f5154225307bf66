"""Draws a graph as an HTML page with foldable stages and blocks, a search, and details of a node on a click.

The page loads nothing, and its content security policy forbids everything but its own script and style, which
are the same for every graph. Texts from the document are escaped in the elements, and in the JSON that the
script reads, which contains no `<`.
"""

from __future__ import annotations

import inspect
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from sensenet.drawing.blocks import Block, find_blocks
from sensenet.drawing.captions import family, make_title, print_briefly
from sensenet.drawing.page import escape_text, read_style, write_page
from sensenet.drawing.svg import STYLE, Box, draw_boxes, node_box, pill
from sensenet.ir.cost import graph_multiply_adds, graph_parameters, multiply_adds, parameters
from sensenet.ir.graph import Graph, Node
from sensenet.ir.printer import is_inline, print_tensor, print_value
from sensenet.ir.types import Tensor
from sensenet.plain_numbers import format_count
from sensenet.plain_text import cut
from sensenet.records import frozen

HERE = Path(__file__).parent
PAGE_STYLE = "\n" + STYLE + read_style(HERE / "page.css")
SCRIPT = "\n" + (HERE / "page.js").read_text("utf-8")

FEW_NODES = 40
"""The most nodes of a graph that is shown unfolded."""

LONGEST_VALUE = 300
UNITS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


@frozen
class _Scene:
    """The cross references of the page: each node's number, its readers, and its graph outputs."""

    numbers: Mapping[Node, int]
    readers: Mapping[Node, Sequence[Node]]
    outputs: Mapping[Node, Sequence[str]]
    multiply_adds: int
    unfolded: bool


def to_html(graph: Graph) -> str:
    """Return the graph as a page: a summary, the stages as a map, and their blocks, each with its image."""
    scene = _make_scene(graph)
    stages = find_blocks(graph)
    title = make_title(graph)
    body = [
        *_header(graph, title),
        f'<nav aria-label="Stages">{_draw_map(stages)}</nav>',
        "<main>",
        *(line for number, stage in enumerate(stages) for line in _fold(stage, scene, f"stage-{number}")),
        "</main>",
        '<aside aria-live="polite" aria-label="The chosen node">',
        "<p>Choose a node to see its details.</p></aside>",
        f'<script type="application/json" id="nodes">{_json(_describe_all(graph, scene))}</script>',
    ]
    return write_page(title, PAGE_STYLE, body, SCRIPT)


def _make_scene(graph: Graph) -> _Scene:
    readers: dict[Node, dict[Node, None]] = defaultdict(dict)
    for node in graph.nodes:
        for value in node.inputs:
            readers[value.node][node] = None
    outputs: dict[Node, list[str]] = defaultdict(list)
    for name, value in graph.outputs.items():
        outputs[value.node].append(name)
    return _Scene(
        numbers={node: number for number, node in enumerate(graph.nodes)},
        readers={node: tuple(found) for node, found in readers.items()},
        outputs=outputs,
        multiply_adds=graph_multiply_adds(graph),
        unfolded=len(graph.nodes) <= FEW_NODES,
    )


def _header(graph: Graph, title: str) -> Iterator[str]:
    inputs = (f"{node.name}: {node.types[0]}" for node in graph.inputs)
    outputs = (f"{name}: {value.type}" for name, value in graph.outputs.items())
    facts = {
        "Kind": [graph.signature.kind.value],
        "Nodes": [f"{len(graph.nodes):,}"],
        "Parameters": [f"{graph_parameters(graph):,}"],
        "Multiply-adds": [f"{graph_multiply_adds(graph):,}"],
        "Inputs": inputs,
        "Outputs": outputs,
    }
    yield f"<header><h1>{escape_text(title)}</h1><dl>"
    for name, texts in facts.items():
        yield f"<div><dt>{name}</dt>{''.join(f'<dd>{escape_text(text)}</dd>' for text in texts)}</div>"
    yield "</dl></header>"
    yield (
        '<form role="search"><input type="search" aria-label="Search nodes by name, op or type" '
        'placeholder="Search name, op or type">'
        '<button type="button" id="expand">Expand all</button>'
        '<button type="button" id="collapse">Collapse all</button><output></output></form>'
    )


def _draw_map(stages: Sequence[Block]) -> str:
    """Return the stages as boxes, with an edge if one reads a value of another."""
    stage_of = {node: number for number, stage in enumerate(stages) for node in stage.nodes}
    edges = {(stage_of[value.node], number) for node, number in stage_of.items() for value in node.inputs}
    boxes = [
        Box(
            f"node {_main_family(stage)}",
            ((stage.title,), (format_count(len(stage.nodes), "node"),)),
            attributes=f'data-stage="{number}" tabindex="0" role="link" aria-label="{label}"',
        )
        for number, (stage, label) in enumerate((stage, escape_text(stage.title)) for stage in stages)
    ]
    return draw_boxes(boxes, sorted(e for e in edges if e[0] != e[1]), 'role="group" aria-label="Stages"')


def _main_family(block: Block) -> str:
    """Return the family with most of the multiply-adds."""
    work: Counter[str] = Counter()
    for node in block.nodes:
        work[family(node.op)] += 1 + multiply_adds(node)
    return work.most_common(1)[0][0]


def _fold(block: Block, scene: _Scene, identity: str = "") -> Iterator[str]:
    """Yield a foldable block: its title and costs, then its blocks or its image."""
    shown = scene.unfolded or (bool(identity) and bool(block.blocks))
    yield f"<details{f' id={identity}' if identity else ''}{' open' if shown else ''}><summary>"
    yield f'<span class="title">{escape_text(block.title)}</span>{_summarize(block, scene)}</summary>'
    if block.blocks:
        for part in block.blocks:
            yield from _fold(part, scene)
    else:
        yield f'<div class="figure" tabindex="-1">{_draw_block(block, scene)}</div>'
    yield "</details>"


def _summarize(block: Block, scene: _Scene) -> str:
    nodes = block.nodes
    products = sum(map(multiply_adds, nodes))
    costs = [
        format_count(len(nodes), "node"),
        f"{_abbreviate(sum(map(parameters, nodes)))} parameters",
        f"{_abbreviate(products)} multiply-adds",
        f"returns {nodes[-1].types[0]}",
    ]
    share = products / scene.multiply_adds if scene.multiply_adds else 0
    ops = Counter(node.op.mnemonic() for node in nodes)
    listed = ", ".join(op if count == 1 else f"{count} {op}" for op, count in ops.items())
    return (
        f'<span class="ops">{escape_text(listed)}</span>'
        f'<meter value="{share:.3f}" title="{share:.1%} of all multiply-adds"></meter>'
        f'<span class="costs">{escape_text(" · ".join(costs))}</span>'
    )


def _draw_block(block: Block, scene: _Scene) -> str:
    """Return the nodes of a block, between pills for the values that enter and leave it."""
    nodes = block.nodes
    inside = set(nodes)
    sources = dict.fromkeys(v.node for node in nodes for v in node.inputs if v.node not in inside)
    exits = [(node, box) for node in nodes for box in _exits(node, inside, scene)]
    boxes = [
        *(_way(f"from {node.name}", str(node.types[0]), scene.numbers[node]) for node in sources),
        *(_node_box(node, scene) for node in nodes),
        *(box for _, box in exits),
    ]
    place = {node: index for index, node in enumerate((*sources, *nodes))}
    edges = {(place[value.node], place[node]) for node in nodes for value in node.inputs}
    edges |= {(place[node], len(place) + index) for index, (node, _) in enumerate(exits)}
    return draw_boxes(boxes, sorted(edges), f'role="group" aria-label="{escape_text(block.title)}"')


def _exits(node: Node, inside: set[Node], scene: _Scene) -> Iterator[Box]:
    readers = [reader for reader in scene.readers.get(node, ()) if reader not in inside]
    if readers:
        more = f" +{len(readers) - 1}" if len(readers) > 1 else ""
        tooltip = ", ".join(reader.name for reader in readers)
        yield _way(f"to {readers[0].name}{more}", tooltip, scene.numbers[readers[0]])
    for name in scene.outputs.get(node, ()):
        yield pill(f"output {name}")


def _way(text: str, tooltip: str, number: int) -> Box:
    """Return a pill that leads to a node elsewhere."""
    return pill(
        text, tooltip, f'data-node="{number}" tabindex="0" role="link" aria-label="{escape_text(text)}"'
    )


def _node_box(node: Node, scene: _Scene) -> Box:
    label = escape_text(f"{node.op.mnemonic()} {node.name}, {node.types[0]}")
    identity = f'id="node-{scene.numbers[node]}" data-node="{scene.numbers[node]}"'
    return node_box(node, f'{identity} tabindex="0" role="button" aria-label="{label}"')


def _describe_all(graph: Graph, scene: _Scene) -> dict[str, Any]:
    """Return the data of the script: each node, by number, and the meaning of the ops."""
    ops = {type(node.op) for node in graph.nodes}
    meanings = {op.mnemonic(): _first_paragraph(op) for op in sorted(ops, key=lambda op: op.mnemonic())}
    return {"meanings": meanings, "nodes": [_describe(node, scene) for node in graph.nodes]}


def _first_paragraph(op: type) -> str:
    return " ".join((inspect.getdoc(op) or "").split("\n\n")[0].split())


def _describe(node: Node, scene: _Scene) -> dict[str, Any]:
    return {
        "name": node.name,
        "op": node.op.mnemonic(),
        "family": family(node.op),
        "types": [str(result) for result in node.types],
        "inputs": [
            [scene.numbers[value.node], print_value(value)[1:], str(value.type)] for value in node.inputs
        ],
        "readers": [scene.numbers[reader] for reader in scene.readers.get(node, ())],
        "outputs": list(scene.outputs.get(node, ())),
        "attributes": list(_attributes(node)),
        "parameters": f"{parameters(node):,}",
        "multiplyAdds": f"{multiply_adds(node):,}",
    }


def _attributes(node: Node) -> Iterator[tuple[str, str]]:
    """Return name and text of all attributes; a few numbers in full, more as their type."""
    for field in attrs.fields(type(node.op)):  # type: ignore[arg-type]
        value = getattr(node.op, field.name)
        numbers = isinstance(value, Tensor) and is_inline(value)
        yield (
            field.name,
            cut(print_tensor(value), LONGEST_VALUE) if numbers else print_briefly(value, LONGEST_VALUE),
        )


def _json(record: Any) -> str:
    """Return JSON that is safe inside a script element: only ASCII, without `<`."""
    return json.dumps(record, separators=(",", ":")).replace("<", "\\u003c")


def _abbreviate(number: int) -> str:
    """Return a number with at most four digits and a unit: 25.64 M."""
    for size, unit in UNITS:
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)
