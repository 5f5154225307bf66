"""Draws rows that a model can read, from what its signature says of fields."""

from __future__ import annotations

from typing import Any

import numpy as np

from sensenet.facts.fields import first_columns
from sensenet.signature import (
    CategoricalColumn,
    Column,
    Field,
    ImageInput,
    Items,
    NumericColumn,
    Signature,
    Terms,
)
from sensenet.validators import FLOAT32_MAX

MISSING_SHARE = 1 / 16
"""The share of values that are missing."""

MOST_TERMS = 8

IMAGE_SIDE = 64
"""The height and width of images whose size only the graph knows."""


def draw_rows(signature: Signature, rows: int, seed: int = 0) -> list[Any]:
    """Return rows: dicts by field name if fields are known, else lists of cells; the same for the same seed.

    Of a model that reads one image and nothing else, the rows are images, u8[height, width, channels].
    Numbers are around the mean of the training rows, and some values are missing.
    """
    random = np.random.default_rng(seed)
    if len(signature.columns) == 1 == len(signature.image_columns) or not signature.columns:
        return [_draw_image(signature.image, random) for _ in range(rows)]
    if not signature.fields:
        columns = {column.index: column for column in signature.columns}
        cells = [columns.get(index) for index in range(signature.row_width)]
        return [[_draw_cell(column, signature, random) for column in cells] for _ in range(rows)]
    drawn = list(zip(signature.field_keys, signature.fields, first_columns(signature), strict=True))
    return [
        {key: _draw_value(field, column, signature, random) for key, field, column in drawn}
        for _ in range(rows)
    ]


def _draw_value(
    field: Field, column: Column | None, signature: Signature, random: np.random.Generator
) -> Any:
    match field.encoding:
        case Terms(terms=terms):
            return _draw_texts(terms, " ", random)
        case Items(items=items, separator=separator):
            return _draw_texts(items, separator, random)
    summary = field.summary
    if isinstance(column, NumericColumn) and summary and summary.mean is not None:
        spread = summary.standard_deviation or 0.0
        return None if random.random() < MISSING_SHARE else _draw_number(summary.mean, spread, random)
    return _draw_cell(column, signature, random)


def _draw_texts(texts: tuple[str, ...], separator: str, random: np.random.Generator) -> str:
    count = int(random.integers(0, min(len(texts), MOST_TERMS) + 1))
    return separator.join(texts[index] for index in random.choice(len(texts), count))


def _draw_cell(column: Column | None, signature: Signature, random: np.random.Generator) -> Any:
    """Return a cell of a column; 0 for a cell that none reads."""
    if column is None:
        return 0.0
    if not isinstance(column, NumericColumn | CategoricalColumn):
        return _draw_image(signature.image, random)
    if random.random() < MISSING_SHARE:
        return None
    if isinstance(column, CategoricalColumn):
        values = [value for value in column.values if value is not None]
        return values[random.integers(len(values))] if values else None
    zero, one = column.zero_value, column.one_value
    if zero is not None and one is not None:
        return (zero, one)[random.integers(2)]
    mean = column.missing if column.mean is None else column.mean
    return _draw_number(mean, 1.0 if column.stdev is None else column.stdev, random)


def _draw_number(mean: float, spread: float, random: np.random.Generator) -> float:
    """Return a number that float32 can hold, whatever a document says of the mean and the spread."""
    return float(np.clip(random.normal(mean, abs(spread)), -FLOAT32_MAX, FLOAT32_MAX))


def _draw_image(image: ImageInput | None, random: np.random.Generator) -> Any:
    """Return random pixels, u8[height, width, channels]."""
    known = image is not None and image.size_known
    height, width = (image.height, image.width) if image and known else (IMAGE_SIDE, IMAGE_SIDE)
    return random.integers(0, 256, (height, width, image.channels if image else 3), np.uint8)
