"""How graphs and artifacts show themselves in notebooks: a few facts, and a drawing of a small graph.

The HTML has no styles but those of the notebook, and loads nothing. Texts from documents are escaped, and the
drawing is an image, so that nothing in it can act on the notebook.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

from sensenet.artifact import Artifact
from sensenet.drawing.captions import make_title, printable
from sensenet.drawing.svg import to_svg
from sensenet.facts.fields import describe_fields, name_kind
from sensenet.facts.tables import list_some, print_number
from sensenet.ir.graph import Graph
from sensenet.ir.layer_costs import sum_costs
from sensenet.plain_numbers import format_count, format_file_size
from sensenet.plain_text import cut
from sensenet.signature import Signature

MOST_NODES = 60
"""The most nodes of a graph that is drawn."""

MOST_ROWS = 20
"""The most rows of a table."""

LONGEST_TEXT = 400
"""The most columns of a text."""


def show_graph(graph: Graph) -> str:
    """Return a graph as HTML: its kind, costs, inputs and outputs, and a drawing if it is small."""
    return _page(make_title(graph), "graph", describe_graph(graph), draw_graph(graph))


def show_artifact(artifact: Artifact) -> str:
    """Return an artifact as HTML: its target, files, verification, and graph."""
    facts = {"target": f"{artifact.target}, level {artifact.report.level}"}
    if "files" in vars(artifact):  # making them may take long
        sizes = [f"{name} ({format_file_size(len(content))})" for name, content in artifact.files.items()]
        facts["files"] = list_some(sizes)
    if outcome := artifact.report.verification:
        facts["verified"] = f"{outcome.rows} rows, largest difference {outcome.difference:.3g}"
    graph = artifact.graph
    return _page(make_title(graph), "artifact", facts | describe_graph(graph), draw_graph(graph))


def show_model(kind: str, signature: Signature, facts: Mapping[str, str], graph: Graph | None) -> str:
    """Return a model as HTML: what it answers, its fields, and its graph if that is known."""
    facts = {
        "answers": name_kind(signature),
        "classes": list_some(signature.classes, 8),
        **facts,
        **({} if graph is None else _describe_costs(graph)),
    }
    title = signature.name or f"Unnamed {signature.kind.value}"
    return _page(title, kind, facts, _list_fields(signature), "" if graph is None else draw_graph(graph))


def describe_graph(graph: Graph) -> dict[str, str]:
    """Return facts of a graph by name."""
    return {
        "kind": name_kind(graph.signature),
        **_describe_costs(graph),
        "inputs": "; ".join(f"{node.name}: {node.types[0]}" for node in graph.inputs),
        "outputs": "; ".join(f"{name}: {value.type}" for name, value in graph.outputs.items()),
    }


def draw_graph(graph: Graph) -> str:
    """Return the drawing of a graph as an HTML image that a click unfolds; nothing for a large graph."""
    drawing = draw_small(graph)
    if drawing is None:
        return ""
    data = base64.b64encode(drawing.encode()).decode()
    image = f'<img alt="the graph of {_text(make_title(graph))}" src="data:image/svg+xml;base64,{data}">'
    return f"<details><summary>graph</summary>{image}</details>"


def draw_small(graph: Graph) -> str | None:
    """Return the drawing of a graph as SVG; None for a large graph."""
    return to_svg(graph) if len(graph.nodes) <= MOST_NODES else None


def list_rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table of the first rows, which says how many more there are."""
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows[:MOST_ROWS]
    )
    more = f"<p>… {len(rows):,} in all</p>" if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _describe_costs(graph: Graph) -> dict[str, str]:
    costs = sum_costs(graph)
    return {
        "graph": f"{format_count(costs.nodes, 'node')}, {costs.parameters:,} parameters "
        f"({format_file_size(costs.size)}), {costs.multiply_adds:,} multiply-adds"
    }


def _list_fields(signature: Signature) -> str:
    fields = describe_fields(signature)
    rows = [
        (
            field.name,
            field.type,
            " to ".join(print_number(each) for each in (field.minimum, field.maximum) if each is not None)
            or list_some(field.categories),
            field.missing,
        )
        for field in fields
    ]
    table = list_rows(("field", "type", "values", "if missing"), rows)
    return f"<details><summary>{format_count(len(rows), 'field')}</summary>{table}</details>" if rows else ""


def _page(title: str, kind: str, facts: Mapping[str, str], *parts: str) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(name)}</th><td style="text-align: left">{_text(text)}</td></tr>'
        for name, text in facts.items()
        if text
    )
    head = f"<strong>{_text(title)}</strong> ({_text(kind)})"
    return f"<div>{head}<table>{rows}</table>{''.join(parts)}</div>"


def _text(text: str) -> str:
    return escape(cut(printable(text), LONGEST_TEXT))
