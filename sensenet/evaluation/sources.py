"""Finds the rows to evaluate: tables, folders of images by class, or batches of Arrow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sensenet.batches.image_tables import read_image_table, reads_images_alone
from sensenet.batches.outputs import Model
from sensenet.batches.parts import PartReader
from sensenet.batches.scoring import batch_parts
from sensenet.batches.table_files import CSV, TableFile, expand_paths, find_format, list_tables
from sensenet.errors import InputError
from sensenet.records import frozen
from sensenet.runtime.image_folders import read_image_folder

CLASS = "class"
"""The column of true values of a folder of images, if the model does not name its objective."""


@frozen(kw_only=True)
class RowSource:
    """The readers of rows, and what they are called in reports."""

    name: str
    readers: tuple[PartReader, ...]


def find_rows(
    model: Model, rows: Any, truth: str, format: str | None = None, delimiter: str = ","
) -> RowSource:
    """Return the rows of paths, or of anything that `sensenet.batches.score` takes.

    For a model that reads images alone, a folder without tables has a folder of images for each class.
    Raises InputError for paths without rows.
    """
    paths = list_paths(rows)
    if paths is None:
        return RowSource(name="rows", readers=(lambda _: batch_parts(rows),))
    if format is None and reads_images_alone(model) and all(map(_is_image_folder, paths)):
        found = [pair for path in paths for pair in list_images_by_class(path)]
        images, labels = [image for image, _ in found], [label for _, label in found]
        reader = read_image_table(model, images, {truth: labels})
        return RowSource(name=", ".join(paths), readers=(reader,))
    files = [TableFile(path, format or find_format(path) or CSV, delimiter) for path in expand_paths(paths)]
    return RowSource(name=", ".join(paths), readers=tuple(file.parts for file in files))


def list_paths(rows: Any) -> list[str] | None:
    """Return the paths in an argument that is one or a list of them; None for anything else."""
    given = [rows] if isinstance(rows, str | os.PathLike) else rows
    if not isinstance(given, list | tuple) or not given:
        return None
    if not all(isinstance(each, str | os.PathLike) for each in given):
        return None
    return [str(os.fspath(each)) for each in given]


def _is_image_folder(path: str) -> bool:
    return os.path.isdir(path) and not list_tables(path)


def list_images_by_class(folder: str) -> Sequence[tuple[str, str]]:
    """Return each image below a folder with its class, the name of the subfolder it is in.

    Raises InputError if there is no subfolder, or one without images.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted(
                entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()
            )
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read: {error.strerror or error}") from error
    if not found:
        raise InputError(f"the folder {folder} has neither tables nor folders of images, one for each class")
    return [(image, name) for name in found for image in read_image_folder(os.path.join(folder, name)).images]
