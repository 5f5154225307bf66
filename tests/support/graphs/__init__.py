"""Random graphs of a style, and arrays for their inputs.

    @given(graphs(any_of({Add, Dense})), st.data())
    def test_op(graph, data):
        inputs = data.draw(feeds(graph))

    @given(graphs_with_inputs(like_tables))
    def test_pass(drawn):
        graph, inputs = drawn

| style | graphs |
|---|---|
| `any_of(ops)` | of these ops in any order |
| `like_tables` | as documents with columns of numbers and categories are imported |
| `like_images` | as documents of image networks are imported |
"""

from __future__ import annotations

from hypothesis import strategies as st

from sensenet.ir.graph import Graph
from sensenet.ir.types import Array
from support.graphs.any_ops import BUILDERS, IMAGE_OPS, TABULAR_OPS, any_of
from support.graphs.feeds import feeds, standardized_columns, typical_feed
from support.graphs.growing import Style
from support.graphs.like_images import like_images
from support.graphs.like_tables import like_tables

__all__ = [
    "BUILDERS",
    "IMAGE_OPS",
    "TABULAR_OPS",
    "any_of",
    "feeds",
    "graphs",
    "graphs_with_inputs",
    "like_images",
    "like_tables",
    "standardized_columns",
]

OF_TABULAR_OPS = any_of(TABULAR_OPS)


@st.composite
def graphs(draw: st.DrawFn, style: Style = OF_TABULAR_OPS) -> Graph:
    """Draw a graph of a style."""
    return style(draw)


@st.composite
def graphs_with_inputs(draw: st.DrawFn, style: Style) -> tuple[Graph, dict[str, Array]]:
    """Draw a graph of a style, `like_tables` or `like_images`, and what documents' inputs hold."""
    graph = style(draw)
    return graph, typical_feed(draw, graph)
