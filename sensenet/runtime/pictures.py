"""The pictures of rows as the tensor `image_pixel_inputs`.

It is f32[rows, h, w, channels], or f32[rows, pictures, h, w, channels] where a row has several. Pictures that
are read from cells come in the network's own size, so that any mix of sizes makes one tensor; arrays of
whole batches stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import frozen

from sensenet.errors import InputError
from sensenet.ir.signature import ImageInput, Signature
from sensenet.ir.types import Array
from sensenet.runtime.ahead import map_ahead
from sensenet.runtime.image_lists import is_pixels, rows_of_images
from sensenet.runtime.images import convert_batch, fit_image, read_image
from sensenet.runtime.layout import RowLayout
from sensenet.runtime.tables import Table, as_table


@frozen(kw_only=True)
class PictureReader:
    """Reads a model's pictures; `indices` are the cells that hold a row's. Methods raise InputError."""

    image: ImageInput
    indices: tuple[int, ...]
    alone: bool
    """Whether the model reads nothing but pictures, so that they can be given without a row around them."""
    layout: RowLayout
    path_prefix: str | None

    def read(self, table: Table, most_ahead: int) -> Iterator[Array]:
        """The tensor of each row, f32[h, w, channels] or f32[pictures, h, w, channels], one after the other.

        Threads read up to `most_ahead` rows while the caller is busy with one.
        """
        columns = [table.cells(index) for index in self.indices]
        return map_ahead(self._read_row, list(enumerate(zip(*columns, strict=True))), most_ahead)

    def _read_row(self, row: tuple[int, tuple[Any, ...]]) -> Array:
        number, cells = row
        pictures = [
            self._read_cell(cell, f"row {number}, {self.layout.describe(index)}")
            for cell, index in zip(cells, self.indices, strict=True)
        ]
        return pictures[0] if len(pictures) == 1 else np.stack(pictures)

    def _read_cell(self, cell: Any, where: str) -> Array:
        pixels = read_image(cell, where, self.image.channels, self.path_prefix)
        return fit_image(pixels, self.image, where)

    def blank(self) -> Array:
        """The tensor of one row of black pictures."""
        several = (len(self.indices),) if len(self.indices) > 1 else ()
        size = (self.image.height, self.image.width) if self.image.size_known else (1, 1)
        return np.zeros((1, *several, *size, self.image.channels), np.float32)

    def is_batch(self, x: Any) -> bool:
        """Whether an argument is an array of whole rows, which goes to the network as it is."""
        return self.alone and is_pixels(x) and x.ndim in (4, 5)

    def read_batch(self, x: Array) -> Array:
        """The tensor in an array [rows, h, w, c].

        Where a row has several pictures it is [rows, pictures, h, w, c], or [pictures, h, w, c] of one row.
        """
        several = len(self.indices) > 1
        batch = convert_batch(x[None] if several and x.ndim == 4 else x, "the array", self.image.channels)
        if not several:
            if x.ndim != 4:
                raise InputError(f"expected pictures [rows, h, w, c], found an array {list(x.shape)}")
            return batch
        if batch.shape[1] < self.layout.width:
            raise InputError(
                f"each row has {batch.shape[1]} of the {self.layout.width} pictures of the model"
            )
        return batch[:, list(self.indices)]

    def as_table(self, x: Any) -> Table:
        """Return the rows in an argument: see `sensenet.runtime.image_lists`. Raises InputError."""
        rows = rows_of_images(x, self.layout.width, len(self.indices) > 1) if self.alone else x
        return as_table(rows, self.layout)


def picture_reader(signature: Signature, layout: RowLayout, path_prefix: str | None) -> PictureReader | None:
    """The reader of a model's pictures, if it has any."""
    columns = signature.image_columns
    if not columns or signature.image is None:
        return None
    return PictureReader(
        image=signature.image,
        indices=tuple(column.index for column in columns),
        alone=len(columns) == len(signature.columns),
        layout=layout,
        path_prefix=path_prefix,
    )
