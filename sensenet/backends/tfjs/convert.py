"""From a graph to the files of a TensorFlow.js graph model. The same graph gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sensenet.backends.tfjs.graphs import keep_graph
from sensenet.backends.tfjs.names import (
    GRAPH_KEY,
    MANIFEST,
    METADATA,
    METADATA_KEY,
    MODEL_FILE,
    OUTPUT_NAMES,
    SIGNATURE,
)
from sensenet.backends.tfjs.weights import Stored, write_weights
from sensenet.backends.tfjs.writer import Writer
from sensenet.ir.graph import Graph
from sensenet.ir.types import Tensor

HEAD = {"format": "graph-model", "generatedBy": "sensenet", "convertedBy": "sensenet"}


def convert(graph: Graph, stored: Mapping[Tensor, Stored], shard_size: int) -> dict[str, bytes]:
    """Return the files of a graph of legal nodes, by name; `stored` says how quantized weights are stored."""
    writer = Writer()
    written = writer.write_graph(graph)
    weights = {
        name: stored.get(tensor) or Stored(tensor.array, tensor.array.dtype.name)
        for tensor, name in writer.constants.items()
    }
    manifest, shards = write_weights(weights, shard_size)
    metadata = {
        OUTPUT_NAMES: list(written[SIGNATURE]["outputs"]),
        METADATA_KEY: graph.signature.to_json(),
        GRAPH_KEY: keep_graph(graph, written),
    }
    model = {**HEAD, **written, METADATA: metadata, MANIFEST: manifest}
    return {MODEL_FILE: json.dumps(model, separators=(",", ":")).encode(), **shards}
