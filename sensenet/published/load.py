"""Encodes rows as the tensors of a Keras model, under the names that clients of the published package import.

preprocessors = model._preprocessors
model._model.predict(load_points(preprocessors, [[5.1, "a", "image.png"]]))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.errors import InputError
from sensenet.frontend.columns import read_columns
from sensenet.frontend.json.cursor import Cursor
from sensenet.ir.types import Array
from sensenet.limits import require_memory
from sensenet.runtime.decode_image import read_image
from sensenet.runtime.rows import row_encoder
from sensenet.runtime.tables import Table, as_table
from sensenet.signature import NUMERIC_INPUT, PIXEL_INPUT, ImageColumn, Signature


def count_types(preprocessors: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return the number of columns, and the number of image columns among them."""
    return len(preprocessors), sum(column["type"] == "image" for column in preprocessors)


def load_points(
    preprocessors: Sequence[Mapping[str, Any]], points: Sequence[Sequence[Any]]
) -> Array | dict[str, Array]:
    """Return the tensors `numeric_inputs` f32[rows, columns] and `image_pixel_inputs` u8[rows, h, w, c].

    If the model reads only one of them, it is returned without a dict. If a row has several images, the
    pixels are u8[rows, images, h, w, c]. Raises DocumentError for an invalid column; InputError for a cell
    that cannot be read, and for images of different sizes, which a call of a model accepts; LimitError for
    pixels that take more memory than allowed.
    """
    encodings = read_columns(Cursor([dict(column) for column in preprocessors], "preprocess"))
    signature = Signature(columns=[encoding.column for encoding in encodings])
    encoder = row_encoder(signature)
    table = as_table(points, encoder.layout)
    images = signature.image_columns
    if not images:
        return encoder.encode(table)
    pixels = _read_images(table, images)
    if len(images) == len(encodings):
        return pixels
    return {NUMERIC_INPUT: encoder.encode(table), PIXEL_INPUT: pixels}


def _read_images(table: Table, columns: Sequence[ImageColumn]) -> Array:
    rows = zip(*(table.cells(column.index) for column in columns), strict=True)
    pixels: list[list[Array]] = []
    size = 0
    for number, cells in enumerate(rows):
        labels = [f"row {number}, column {column.index}" for column in columns]
        pixels.append([read_image(cell, where) for cell, where in zip(cells, labels, strict=True)])
        size += 2 * sum(image.nbytes for image in pixels[-1])  # separately, and in one array
        require_memory(size, f"holding the images of {number + 1} rows")
    sizes = {cell.shape for row in pixels for cell in row}
    if len(sizes) != 1:
        raise InputError(f"expected images of one size, found {sorted(sizes)}")
    array: Array = np.asarray(pixels)
    return array if len(columns) > 1 else array[:, 0]
