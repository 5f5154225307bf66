"""Hypothesis strategies that everybody uses: constants, graphs, documents, rows, faults.

    @given(graphs(), st.data())
    def test_pass(graph, data):
        feed = data.draw(feeds(graph))

    @given(documents(), st.data())
    def test_model(document, data):
        table = data.draw(rows(document))

Numbers come from seeds, so that drawing is cheap and examples shrink to seed 0, in which all are alike.
"""

from __future__ import annotations

from document_strategies import documents, mutations
from graph_strategies import PICTURE_OPS, TABULAR_OPS, feeds, graphs, tensors
from row_strategies import odd_rows, rows, tie_rows
from seeds import SEEDS, seeded

__all__ = [
    "PICTURE_OPS",
    "SEEDS",
    "TABULAR_OPS",
    "documents",
    "feeds",
    "graphs",
    "mutations",
    "odd_rows",
    "rows",
    "seeded",
    "tensors",
    "tie_rows",
]
