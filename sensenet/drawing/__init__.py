"""Draws a graph as Graphviz text, as an SVG image, or as an interactive HTML page."""

from __future__ import annotations

from collections.abc import Callable

from sensenet.drawing.dot import to_dot
from sensenet.drawing.html import to_html
from sensenet.drawing.svg import to_svg
from sensenet.ir.graph import Graph

__all__ = ["FORMS", "draw", "to_dot", "to_html", "to_svg"]

FORMS: dict[str, Callable[[Graph], str]] = {"svg": to_svg, "dot": to_dot, "html": to_html}
"""The function that draws each form, by name; the name is also the suffix of its files."""


def draw(graph: Graph, form: str) -> str:
    """Return the drawing of a graph in one of FORMS, as text; raise KeyError for an unknown form."""
    return FORMS[form](graph)
