"""How answers of the compiler's stages to random documents are compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, Node
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.ops.tabular import Destandardize, Standardize
from sensenet.passes import PIPELINES
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.runtime.image_batches import image_reader
from sensenet.runtime.rows import row_encoder
from sensenet.runtime.tables import table_of_rows
from sensenet.signature import NUMERIC_INPUT, PIXEL_INPUT

RELATIVE, ABSOLUTE = 1e-5, 1e-6


def optimized(graph: Graph, level: int) -> Graph:
    return run_passes(graph, PIPELINES[level])[0]


def encode(graph: Graph, table: list[list[Any]]) -> dict[str, np.ndarray]:
    """The graph's inputs for rows."""
    encoder = row_encoder(graph.signature)
    rows = table_of_rows(table, encoder.layout)
    image = graph.signature.image
    reader = None if image is None else image_reader(image, graph.signature, encoder.layout, None)
    batches = reader.read(rows) if reader else ()
    images = [row for batch in batches for row in batch]
    pixels = {PIXEL_INPUT: np.stack(images)} if images else {}
    feed = {NUMERIC_INPUT: encoder.encode(rows), **pixels}
    return {node.name: feed[node.name] for node in graph.inputs}


def is_between(node: Node) -> bool:
    """Whether a node stands between the encoding of a row and the answer: among images, a layer does."""
    if node.types[0].rank > 2:
        return node.name.startswith("image_layer_")
    return not isinstance(node.op, Standardize | Destandardize | Input | Constant)


def rounding(graph: Graph, feed: dict[str, np.ndarray]) -> np.ndarray:
    """f64[rows, 1]: what float32 may round away in an answer.

    It grows with the numbers between the encoding and the answer, and with the objective's deviation.
    """
    between = {node.name: node.value for node in graph.nodes if is_between(node)}
    results = evaluate(Graph(graph.inputs, {**graph.outputs, **between}, graph.signature), feed)
    largest = [np.abs(results[name]).reshape(len(results[name]), -1).max(1, initial=1.0) for name in between]
    deviations = [abs(float(n.op.stdev.array)) for n in graph.nodes if isinstance(n.op, Destandardize)]
    return ABSOLUTE * np.max(largest, axis=0)[:, None].astype(float) * max([1.0, *deviations])


def assert_close(answer: np.ndarray, expected: np.ndarray, allowed: np.ndarray) -> None:
    """Within RELATIVE, and what may be rounded away in each row."""
    difference = np.abs(answer.astype(float) - expected)
    assert (difference <= allowed + RELATIVE * np.abs(expected)).all(), (answer, expected, allowed)
