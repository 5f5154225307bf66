"""Draws a graph: as text for Graphviz, as an image, or as a page to look around in."""

from __future__ import annotations

from collections.abc import Callable

from sensenet.drawing.dot import to_dot
from sensenet.drawing.html import to_html
from sensenet.drawing.svg import to_svg
from sensenet.ir.graph import Graph

__all__ = ["FORMS", "draw", "to_dot", "to_html", "to_svg"]

FORMS: dict[str, Callable[[Graph], str]] = {"svg": to_svg, "dot": to_dot, "html": to_html}
"""The name of each form and what draws it; the name is the suffix of its files too."""


def draw(graph: Graph, form: str) -> str:
    """The drawing of a graph in one of FORMS, which is text; raises KeyError for another form."""
    return FORMS[form](graph)
