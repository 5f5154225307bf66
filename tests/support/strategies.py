"""Hypothesis strategies that everybody uses: constants, graphs, documents, rows, faults.

    @given(graphs(any_of(ops)), st.data())
    def test_op(graph, data):
        feed = data.draw(feeds(graph))

    @given(graphs_with_inputs(like_tables))
    def test_pass(drawn):
        graph, inputs = drawn

    @given(documents(), st.data())
    def test_model(document, data):
        table = data.draw(rows(document))

Numbers come from seeds, so that drawing is cheap and examples shrink to seed 0, in which all are alike.
"""

from __future__ import annotations

from support.document_faults import mutations
from support.document_images import detector_settings, detectors
from support.document_strategies import documents, image_documents
from support.graphs import (
    IMAGE_OPS,
    TABULAR_OPS,
    any_of,
    feeds,
    graphs,
    graphs_with_inputs,
    like_images,
    like_tables,
)
from support.row_strategies import odd_pixels, odd_rows, pixels, rows, tie_rows
from support.seeds import SEEDS, seeded
from support.tensor_strategies import tensors

__all__ = [
    "IMAGE_OPS",
    "SEEDS",
    "TABULAR_OPS",
    "any_of",
    "detector_settings",
    "detectors",
    "documents",
    "feeds",
    "graphs",
    "graphs_with_inputs",
    "image_documents",
    "like_images",
    "like_tables",
    "mutations",
    "odd_pixels",
    "odd_rows",
    "pixels",
    "rows",
    "seeded",
    "tensors",
    "tie_rows",
]
