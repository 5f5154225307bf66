"""What a graph's inputs are for a row, straight from the signature, and what the graph answers."""

from __future__ import annotations

import numpy as np

from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.runtime.decode_image import fit_image, read_image
from sensenet.signature import (
    NUMERIC_INPUT,
    PIXEL_INPUT,
    CategoricalColumn,
    ImageColumn,
    NumericColumn,
)
from support.documents import ROW


def feed(signature, rows):
    """The numeric input of rows without images."""
    numbers = [[_number(column, row[column.index]) for column in signature.columns] for row in rows]
    return {NUMERIC_INPUT: np.array(numbers, np.float32)}


def feed_images(signature, row):
    """The inputs of one row with images."""
    cells = [row[column.index] for column in signature.image_columns]
    pixels = [read_image(cell, "cell", signature.image.channels) for cell in cells]
    if len(pixels) == 1:
        stacked = pixels[0][None].astype(np.float32)
    else:
        stacked = np.stack([fit_image(image, signature.image, "cell") for image in pixels])[None]
    return {**feed(signature, [row]), PIXEL_INPUT: stacked}


def answer(document, rows=(ROW,), settings=None):
    graph = import_graph(document, settings)
    return evaluate(graph, feed(graph.signature, rows))["predictions"]


def ops_of(graph, op_class):
    return [node.op for node in graph.nodes if isinstance(node.op, op_class)]


def _number(column, cell):
    match column:
        case NumericColumn():
            return column.missing if cell is None else float(cell)
        case CategoricalColumn():
            return column.values.index(str(cell)) if str(cell) in column.values else -1
        case ImageColumn():
            return 0
