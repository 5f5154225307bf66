"""Reads the images of rows as the tensor `image_pixel_inputs`.

Its type is f32[rows, h, w, channels], or f32[rows, images, h, w, channels] if a row has several images.
Images from cells are rescaled to the network's size, so images of different sizes fit one tensor; arrays of
whole batches are used unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from sensenet.errors import InputError
from sensenet.ir.types import Array
from sensenet.limits import memory_limit, require_memory
from sensenet.records import frozen
from sensenet.runtime.decode_image import (
    FLOAT_BYTES,
    fit_image,
    fit_memory,
    fitted_bytes,
    open_image,
    require_batch,
)
from sensenet.runtime.image_lists import is_pixels, rows_of_images
from sensenet.runtime.layout import RowLayout
from sensenet.runtime.prefetch import Task, batch_ahead
from sensenet.runtime.tables import Table, as_table
from sensenet.signature import ImageInput, Signature

IMAGES_AT_ONCE = 16
"""Rows with images that are run together, while threads read the images of as many more rows.

Limits memory; larger batches take no less time per image (see docs/benchmarks.md)."""


@frozen(kw_only=True)
class ImageReader:
    """Reads a model's images; `indices` are the image cells of a row. Methods raise InputError."""

    image: ImageInput
    indices: tuple[int, ...]
    alone: bool
    """Whether the model reads only images, so that they can be passed without a row around them."""
    layout: RowLayout
    path_prefix: str | None

    def read(self, table: Table) -> Iterator[list[Array]]:
        """Yield the tensors of the next rows, each f32[h, w, channels] or f32[images, h, w, channels].

        Each list holds the rows that should run together. Threads read ahead while the caller is busy.
        """
        columns = [table.cells(index) for index in self.indices]
        rows = list(enumerate(zip(*columns, strict=True)))
        at_once = IMAGES_AT_ONCE if self.image.size_known else 1  # other images cannot share a tensor
        return batch_ahead(self._open_row, rows, at_once, memory_limit())

    def _open_row(self, row: tuple[int, tuple[Any, ...]]) -> Task[Array]:
        number, cells = row
        labels = [f"row {number}, {self.layout.describe(index)}" for index in self.indices]
        opened = [
            open_image(cell, where, self.image.channels, self.path_prefix)
            for cell, where in zip(cells, labels, strict=True)
        ]
        reading = max(fit_memory(image, self.image) for image in opened)
        fitted_size = sum(fitted_bytes(image, self.image) for image in opened)
        memory = reading + 2 * fitted_size  # alone, and in its batch
        require_memory(memory, f"row {number}: reading its images")

        def run() -> Array:
            fitted = [
                fit_image(image.read(), self.image, where)
                for image, where in zip(opened, labels, strict=True)
            ]
            return fitted[0] if len(fitted) == 1 else np.stack(fitted)

        return Task(memory=memory, run=run)

    def blank(self) -> Array:
        """Return the tensor of one row of black images; raise LimitError if it is too large."""
        several = (len(self.indices),) if len(self.indices) > 1 else ()
        size = (self.image.height, self.image.width) if self.image.size_known else (1, 1)
        shape = (1, *several, *size, self.image.channels)
        require_memory(FLOAT_BYTES * math.prod(shape), "a row of images of the network's size")
        return np.zeros(shape, np.float32)

    def is_batch(self, x: Any) -> bool:
        """Return whether an argument is an array of whole rows, which the network reads unchanged."""
        return self.alone and is_pixels(x) and x.ndim in (4, 5)

    def read_batch(self, x: Array) -> Iterator[Array]:
        """Return the tensors of an array [rows, h, w, c], each of the rows that should run together.

        If a row has several images, the array is [rows, images, h, w, c], or [images, h, w, c] for one row.
        The network reads its numbers unchanged: nothing is scaled, checked or clipped, even if all lie in [0,
        1].
        """
        several = len(self.indices) > 1
        batch = np.asarray(x[None] if several and x.ndim == 4 else x)
        require_batch(batch, "the array", self.image.channels)
        if not several:
            if batch.ndim != 4:
                raise InputError(f"expected images [rows, h, w, c], found an array of shape {list(x.shape)}")
            return _float_parts(batch)
        if batch.shape[1] < self.layout.width:
            raise InputError(f"each row has {batch.shape[1]} images, expected {self.layout.width}")
        indices = list(self.indices)
        return (part[:, indices] for part in _float_parts(batch))

    def as_table(self, x: Any) -> Table:
        """Return the rows in an argument: see `sensenet.runtime.image_lists`. Raises InputError."""
        rows = rows_of_images(x, self.layout.width, len(self.indices) > 1) if self.alone else x
        return as_table(rows, self.layout)


def _float_parts(batch: Array) -> Iterator[Array]:
    """Yield the rows of an array as float32, in parts."""
    row_bytes = FLOAT_BYTES * math.prod(batch.shape[1:])
    at_once = max(1, min(IMAGES_AT_ONCE, memory_limit() // (2 * row_bytes)))
    for start in range(0, len(batch), at_once):
        yield batch[start : start + at_once].astype(np.float32)


def image_reader(
    image: ImageInput, signature: Signature, layout: RowLayout, path_prefix: str | None
) -> ImageReader:
    """Return the reader of a model's images."""
    columns = signature.image_columns
    return ImageReader(
        image=image,
        indices=tuple(column.index for column in columns),
        alone=len(columns) == len(signature.columns),
        layout=layout,
        path_prefix=path_prefix,
    )
