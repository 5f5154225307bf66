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

from support.document_faults import mutations
from support.document_images import detector_settings, detectors
from support.document_strategies import documents, image_documents
from support.graph_strategies import IMAGE_OPS, TABULAR_OPS, feeds, graphs, tensors
from support.row_strategies import odd_pixels, odd_rows, pixels, rows, tie_rows
from support.seeds import SEEDS, seeded

__all__ = [
    "IMAGE_OPS",
    "SEEDS",
    "TABULAR_OPS",
    "detector_settings",
    "detectors",
    "documents",
    "feeds",
    "graphs",
    "image_documents",
    "mutations",
    "odd_pixels",
    "odd_rows",
    "pixels",
    "rows",
    "seeded",
    "tensors",
    "tie_rows",
]
