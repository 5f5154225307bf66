"""Rows in files: CSV tables, and folders of images."""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from attrs import frozen

from sensenet.errors import InputError
from sensenet.runtime.image_folders import read_image_folder

STANDARD = "-"
"""As a path: standard input."""

Row = dict[str, str | None] | list[str | None]
"""Cells by the names of the header, or in the model's order; None where a cell is empty."""

Watch = Callable[[TextIO], Iterable[str]]
"""Gives the lines of a stream, and may count them."""


@frozen
class RowFile:
    """A CSV file in UTF-8, or `-` for standard input; without a header, cells stand in the model's order."""

    path: str
    delimiter: str = ","
    header: bool = True

    def rows(self, watch: Watch = iter) -> Iterator[tuple[int, Row]]:
        """(line number, row) of each row, read as they are asked for.

        Raises InputError, naming the line, for a file that cannot be read, is no CSV, has a name twice in its
        header, or a row of another length than the header.
        """
        with self._open() as stream:
            lines = csv.reader(watch(stream), delimiter=self.delimiter, strict=True)
            try:
                header = self._read_header(next(lines, None)) if self.header else None
                for cells in lines:
                    if cells:  # else it is an empty line
                        yield lines.line_num, self._as_row(cells, header, lines.line_num)
            except (csv.Error, UnicodeDecodeError) as error:
                line = lines.line_num + 1
                raise InputError(f"{self.path}, line {line}: not CSV in UTF-8: {error}") from error

    @contextlib.contextmanager
    def _open(self) -> Iterator[TextIO]:
        if self.path == STANDARD:
            yield sys.stdin
            return
        try:
            stream = Path(self.path).open(encoding="utf-8-sig", newline="")  # noqa: SIM115 - closed below
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror or error}") from error
        with stream:
            yield stream

    def _read_header(self, names: list[str] | None) -> list[str]:
        for name in names or ():
            if names and names.count(name) > 1:
                raise InputError(f"{self.path}: the header names {name!r} twice")
        return names or []

    def _as_row(self, cells: list[str], header: list[str] | None, line: int) -> Row:
        values = [cell if cell != "" else None for cell in cells]
        if header is None:
            return values
        if len(values) != len(header):
            found = f"{len(values)} cells under a header of {len(header)}"
            raise InputError(f"{self.path}, line {line}: {found}")
        return dict(zip(header, values, strict=True))


def read_rows(path: str, note: Callable[[str], None]) -> list[Row]:
    """Return all rows of a CSV file with a header, or a row for each image in a folder.

    `note` is called with what there is to say about entries of the folder that are not images. Raises
    InputError if there are no rows.
    """
    if Path(path).is_dir():
        folder = read_image_folder(path)
        for text in folder.notes:
            note(text)
        return [[image] for image in folder.images]
    rows = [row for _, row in RowFile(path).rows()]
    if not rows:
        raise InputError(f"{path} has no rows")
    return rows
