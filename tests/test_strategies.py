"""Random documents: every layer type occurs, and counterexamples shrink to a page."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from support.document_strategies import network_of
from support.strategies import detectors, documents, image_documents

from sensenet.frontend.layers.table import LAYERS

pytestmark = pytest.mark.slow

PAGE = 2000
"""Characters."""


def layers_of(network):
    """All layers of a network, those in blocks too."""
    lists = [network.get("layers", []), network.get("image_network", {}).get("layers", [])]
    pending = [
        layer for layers in [*lists, *(p["layers"] for p in network.get("networks", []))] for layer in layers
    ]
    found = []
    while pending:
        layer = pending.pop()
        found.append(layer)
        pending += [inner for key, path in layer.items() if key.endswith("_path") for inner in path]
    return found


def traits_of(document):
    """Layer types, and other things that a document may have."""
    network = network_of(document)
    layers = layers_of(network)
    yield from (layer.get("type", "legacy") for layer in layers)
    yield from (key for key in ("networks", "trees", "image_network") if network.get(key))
    yield from (f"column {column['type']}" for column in network["preprocess"])
    yield f"images {sum(column['type'] == 'image' for column in network['preprocess'])}"
    yield f"branches {len(network.get('image_network', {}).get('metadata', {}).get('outputs', []))}"
    if document is not network:
        yield "envelope"
    if any(layer.get("residuals") for layer in layers):
        yield "legacy residuals"


def test_all_traits_occur():
    seen = set()

    @given(st.one_of(documents(), image_documents(), image_documents(), detectors()))
    @settings(max_examples=1000, database=None, suppress_health_check=list(HealthCheck))
    def collect(document):
        seen.update(traits_of(document))

    collect()
    wanted = {"networks", "trees", "envelope", "legacy", "legacy residuals", "images 2", "branches 2"}
    assert {*LAYERS, *wanted, "column numeric", "column categorical", "column image"} <= seen


@pytest.mark.parametrize(
    ("strategy", "trait"),
    [
        (documents(), "dense_residual_block"),
        (documents(), "legacy residuals"),
        (image_documents(), "xception_block"),
        (detectors(), "branches 2"),
    ],
)
def test_counterexamples_shrink_to_a_page(strategy, trait):
    quickly = settings(max_examples=500, database=None, derandomize=True, deadline=None)
    smallest = find(strategy, lambda document: trait in traits_of(document), settings=quickly)
    assert len(json.dumps(smallest)) < PAGE
