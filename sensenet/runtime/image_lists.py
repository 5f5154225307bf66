"""Interprets lists of images by one rule for all models.

An image is a path, encoded bytes, an array [h, w] or [h, w, c], an image of Pillow, or None. For a model that
reads one image per row, and nothing else:

| argument | meaning |
|---|---|
| image, or [image] | one image |
| [image, image, …] | several images |
| [[image], [image], …] | several images: a list of rows |
| array [n, h, w, c] | several images |

If a row has several images, [image, image] is one row, and [[image, image], …] are rows. An ambiguous list is
rejected with an error that shows both ways to write it. One exception, as in the published package: for a
deepnet or an extractor, a list of only text is one row, and surplus cells are not read.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from sensenet.errors import InputError, InputTypeError
from sensenet.runtime.cells import describe
from sensenet.runtime.frames import is_frame
from sensenet.runtime.tables import is_row

if TYPE_CHECKING:
    from PIL import Image

PIXEL_KINDS = "biuf"
"""The dtype kinds of pixels."""

TEXT_KINDS = "OUS"
"""The dtype kinds of an array of cells."""

FORMS = "write [[a], [b]] for two images, [[a, …]] for one row with more cells"

DEEPEST = 32
"""The deepest nesting of lists; a list that contains itself is endless."""

Nest = int | list[Any]
"""The number of an image, or a list of these."""


def is_pixels(x: Any) -> bool:
    """Return whether `x` is an array of numbers."""
    return isinstance(x, np.ndarray) and x.dtype.kind in PIXEL_KINDS


def is_image(x: Any) -> bool:
    """Return whether the type of `x` is that of an image: a path, encoded bytes, pixels, or Pillow's."""
    return isinstance(x, str) or _is_only_image(x)


def _is_only_image(x: Any) -> bool:
    """Return whether `x` can only be an image; text may be a category."""
    if isinstance(x, np.ndarray):
        return x.ndim in (2, 3) and x.dtype.kind not in TEXT_KINDS
    return isinstance(x, bytes | bytearray | memoryview | os.PathLike) or is_pillow_image(x)


def is_pillow_image(x: Any) -> TypeGuard[Image.Image]:
    """Return whether `x` is an image of Pillow, without importing that: who has one has imported it."""
    return isinstance(x, getattr(sys.modules.get("PIL.Image"), "Image", ()))


def rows_of_images(x: Any, width: int, several: bool) -> Any:
    """Return the rows in an argument of a model that reads only images, `several` or one row of `width`
    cells.

    Anything but a list, an image or an array of cells is returned unchanged. Raises InputError or
    InputTypeError for an ambiguous list.
    """
    if isinstance(x, np.ndarray) and x.dtype.kind in TEXT_KINDS and (x.ndim < 2 or x.shape[1] > width):
        x = x.tolist()
    if is_image(x) or (x is None and width == 1):
        return [_row_of_image(x, width, several)]
    if not isinstance(x, list | tuple):
        return x
    if x and is_row(x[0]):
        for number, row in enumerate(x):
            if isinstance(row, list | tuple):
                _require_width(row, width, f"row {number}")
        return x
    return _rows_of_list(x, width)


def _row_of_image(x: Any, width: int, several: bool) -> Sequence[Any]:
    if width == 1:
        return [x]
    if several and isinstance(x, np.ndarray):
        return list(x)  # gray images, as in the published package
    raise InputTypeError(f"the model reads rows of {width} cells: pass a list of cells, not one image")


def _rows_of_list(x: Sequence[Any], width: int) -> Sequence[Any]:
    """Return the rows of a list whose first item is not a row."""
    for number, item in enumerate(x):
        if is_row(item):
            raise InputTypeError(f"item {number} of the list is a row, but item 0 is not: {FORMS}")
        if isinstance(item, np.ndarray) and item.ndim > 3:
            raise InputError(
                f"item {number} of the list is an array {list(item.shape)}: pass a batch [rows, h, w, c] "
                "without a list around it"
            )
    if width > 1 or len(x) < 2:
        _require_width(x, width, "the list")
        return [x] if x else x
    if not any(map(_is_only_image, x)):
        if all(isinstance(item, str | None) for item in x):
            _warn_of_text(x)
        return [x]
    for number, item in enumerate(x):
        if not (item is None or is_image(item)):
            raise InputTypeError(f"item {number} of the list is {describe(item)}, not an image: {FORMS}")
    return [[item] for item in x]


def _require_width(row: Sequence[Any], width: int, what: str) -> None:
    """Raise InputError for a row with more images than the model reads."""
    if len(row) > width and any(map(_is_only_image, row[width:])):
        forms = FORMS if width == 1 else f"pass a list of rows, each a list of {width} cells"
        raise InputError(f"{what} has {len(row)} cells, but the model reads {width} per row: {forms}")


def _warn_of_text(x: Sequence[Any]) -> None:
    warnings.warn(
        f"a list of text is one row, of which the model reads only the first of {len(x)} cells: "
        "for several images, pass a list of lists, [[path], [path]]",
        stacklevel=8,  # the line that calls the model
    )


def as_rows(rows: Iterable[Any], one_image: bool) -> Any:
    """Return rows as an argument of a model; with `one_image` per row, a row may be the image itself."""
    if isinstance(rows, np.ndarray) or is_frame(rows):
        return rows
    return [row if is_row(row) or not one_image else [row] for row in rows]


def flatten(x: Any) -> tuple[list[Any], Nest]:
    """Return the images in an argument of a detector, and their nesting; raise InputError."""
    images: list[Any] = []
    return images, _flatten(x, images, DEEPEST)


def _flatten(x: Any, images: list[Any], deepest: int) -> Nest:
    if deepest == 0:
        raise InputError(f"lists are nested more than {DEEPEST} deep: expected an image, or a list of images")
    if isinstance(x, np.ndarray) and x.dtype.kind in TEXT_KINDS:
        return _flatten(x.tolist(), images, deepest - 1)
    if isinstance(x, np.ndarray) and x.ndim == 4:
        return [_flatten(image, images, deepest - 1) for image in x]
    if not isinstance(x, list | tuple):
        images.append(x)
        return len(images) - 1
    if not x:
        raise InputError("the list is empty: expected an image, or a list of images")
    if len(x) == 1 and not isinstance(x[0], list | tuple):
        return _flatten(x[0], images, deepest - 1)
    return [_flatten(item, images, deepest - 1) for item in x]


def unflatten(nest: Nest, answers: Sequence[Any]) -> Any:
    """Return the answers, nested as their images were."""
    if isinstance(nest, int):
        return answers[nest]
    return [unflatten(part, answers) for part in nest]
