"""Makes inputs to check a graph with: generated ones, and those of given rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from sensenet.artifact import Executable
from sensenet.ir.evaluate import Feed
from sensenet.ir.graph import Graph, Node
from sensenet.ir.ops.rearrangement import Gather
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.types import Array
from sensenet.limits import require_memory
from sensenet.runtime.detections import make_detector
from sensenet.runtime.image_lists import as_rows
from sensenet.runtime.predictor import make_predictor
from sensenet.signature import (
    BOXES,
    CLASSES,
    NUMERIC_INPUT,
    PIXEL_INPUT,
    PREDICTIONS,
    SCORES,
    VALID,
    CategoricalColumn,
    Column,
    ImageColumn,
    ModelKind,
    NumericColumn,
    Signature,
)

GENERATED_ROWS = 64
GENERATED_IMAGES = 2
OTHER_SIZE = (37, 53)
"""The height and width of generated images that must be rescaled."""


def generated_inputs(graph: Graph) -> list[Feed]:
    """Return random inputs of every kind that the graph accepts, always the same."""
    random = np.random.default_rng(0)
    return [
        {node.name: _generate(graph, node, size, random) for node in graph.inputs} for size in _sizes(graph)
    ]


def given_inputs(signature: Signature, rows: Iterable[Any]) -> list[Feed]:
    """Return the tensors of rows, batch by batch.

    For a model that reads one image per row, an item may be the image itself. Raises InputError for rows that
    the model cannot read, and LimitError if they take more memory than allowed.
    """
    feeds: list[Feed] = []
    size = 0

    def run(inputs: Feed) -> Feed:
        nonlocal size
        size += sum(array.nbytes for array in inputs.values())
        require_memory(size, "encoding all given rows")
        feeds.append(dict(inputs))
        return _no_answer(len(next(iter(inputs.values()))))

    prefix = signature.settings.get("image_path_prefix")
    make = make_detector if signature.kind is ModelKind.DETECTOR else make_predictor
    predict = make(Executable(signature=signature, run=run), str(prefix) if prefix else None)
    predict(as_rows(rows, one_image=len(signature.columns) == 1 == len(signature.image_columns)))
    return feeds


def _no_answer(rows: int) -> Feed:
    """Return the output of a model that finds no objects."""
    boxes, numbers = np.zeros((rows, 0, 4), np.float32), np.zeros((rows, 0), np.float32)
    nothing = np.zeros(rows, np.int32)
    return {PREDICTIONS: numbers, BOXES: boxes, SCORES: numbers, CLASSES: numbers, VALID: nothing}


def _sizes(graph: Graph) -> list[tuple[int, int]]:
    """Return the heights and widths of images to generate: the network's size, and another."""
    image = graph.signature.image
    return (
        [OTHER_SIZE] if image is None or not image.size_known else [(image.height, image.width), OTHER_SIZE]
    )


def _generate(graph: Graph, node: Node, size: tuple[int, int], random: np.random.Generator) -> Array:
    """Return random values for an input node: rows of cells, images, or numbers, many of them integers."""
    columns, shape = graph.signature.columns, node.types[0].shape
    images = any(isinstance(column, ImageColumn) for column in columns)
    rows = GENERATED_IMAGES if images or graph.signature.kind is not ModelKind.DEEPNET else GENERATED_ROWS
    if node.name == NUMERIC_INPUT and columns and shape == (None, len(columns)):
        spreads = _spreads(graph, len(columns))
        cells = [_cells(c, rows, spread, random) for c, spread in zip(columns, spreads, strict=True)]
        return np.stack(cells, axis=1).astype(np.float32)
    known = [rows if axis == 0 and length is None else length for axis, length in enumerate(shape)]
    if len(known) > len(size):
        known[-3:-1] = [length or other for length, other in zip(known[-3:-1], size, strict=True)]
    sizes = [1 if length is None else length for length in known]
    if node.name == PIXEL_INPUT:
        return random.integers(0, 256, sizes).astype(np.float32)
    numbers = np.where(random.random(sizes) < 0.5, random.normal(size=sizes), random.integers(-1, 4, sizes))
    return numbers.astype(node.types[0].dtype.numpy)


def _cells(column: Column, rows: int, spread: float, random: np.random.Generator) -> Array:
    """Return numbers around the column's mean, the first one missing; or known and unknown categories."""
    match column:
        case NumericColumn():
            cells = column.missing + spread * random.normal(size=rows)
            cells[0] = column.missing
            return cells
        case CategoricalColumn():
            return random.integers(-1, max(len(column.values), 1), rows).astype(np.float64)
    return np.zeros(rows)


def _spreads(graph: Graph, columns: int) -> Array:
    """Return the standard deviation of each column that the graph standardizes; 1 for the others."""
    spreads = np.ones(columns)
    for node in graph.nodes:
        if not isinstance(node.op, Standardize):
            continue
        source, chosen, gather = node.inputs[0].node, np.arange(columns), node.inputs[0].op
        if isinstance(gather, Gather):
            source, chosen = source.inputs[0].node, gather.indices.array
        if source.name == NUMERIC_INPUT:
            spreads[chosen] = np.broadcast_to(node.op.stdev.float64, len(chosen))
    return spreads
