"""Feeds the inputs of fields of an ONNX file with rows of cells."""

from __future__ import annotations

import numpy as np

from sensenet.backends.onnx.fields import field_inputs
from sensenet.runtime.cells import is_missing
from sensenet.signature import CategoricalColumn


def texts(values):
    return np.array([["None" if value is None else str(value)] for value in values], object)


def feed_rows(signature, rows):
    """The inputs of rows of cells: every category is its text, and a number that is missing NaN."""
    feed = {}
    for each in field_inputs(signature):
        cells = [row[each.cell : each.cell + each.width] for row in rows]
        if isinstance(each.columns[0], CategoricalColumn):
            feed[each.name] = texts(part[0] for part in cells)
        else:
            numbers = [[np.nan if is_missing(cell) else float(cell) for cell in part] for part in cells]
            feed[each.name] = np.array(numbers, np.float32)
    return feed
