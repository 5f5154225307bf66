"""Reads rows from files: CSV tables, and folders of images."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from sensenet.errors import InputError, LimitError
from sensenet.limits import VARIABLE, memory_limit
from sensenet.progress import Progress, ignore_progress
from sensenet.records import frozen
from sensenet.runtime.cells import describe
from sensenet.runtime.image_folders import read_image_folder

STANDARD = "-"
"""The path that means standard input."""

Row = dict[str, str | None] | list[str | None]
"""Cells by the names of the header, or in the model's order; None if a cell is empty."""

BYTES_PER_CHARACTER = 16
"""Memory per character of a line, while the csv module parses it."""

LONGEST_CELL = 2**31 - 1
"""The largest limit that the csv module accepts on every platform."""

UTF_16_MARKS = ("\udcff\udcfe", "\udcfe\udcff")
"""The byte order marks of UTF-16 as `surrogateescape` decodes them."""

CheckNames = Callable[[list[str]], None]
"""Raises InputError for a header with a name that no field has."""


def accept_any_names(_: list[str]) -> None:
    """Check nothing."""


@frozen
class RowFile:
    """A CSV file in UTF-8, or `-` for stdin; without a header, cells are in the model's order."""

    path: str
    delimiter: str = ","
    header: bool = True

    def rows(
        self, check: CheckNames = accept_any_names, show: Progress = ignore_progress
    ) -> Iterator[tuple[int, Row]]:
        """Yield (line number, row) for each row, reading lazily; empty lines are skipped.

        `check` is called with the header, `show` with the number of characters read. The csv module's limit
        on the length of a cell is raised, for the process, to the limit on memory. Raises InputError, naming
        the first line of the row, for a file that cannot be read, is not CSV in UTF-8, has a name twice in
        its header, or a row whose length differs from the header's; LimitError for a line beyond the limit.
        """
        limit = min(memory_limit() // BYTES_PER_CHARACTER, LONGEST_CELL)
        csv.field_size_limit(max(csv.field_size_limit(), limit))
        header: list[str] | None = None
        start = 1
        with self._open() as stream:
            lines = csv.reader(_read_lines(stream, limit, show), delimiter=self.delimiter, strict=True)
            try:
                for cells in lines:
                    if not cells:
                        pass
                    elif header is None and self.header:
                        header = _check_header(cells, check)
                    else:
                        yield start, _as_row(cells, header)
                    start = lines.line_num + 1
            except _LineError as error:
                raise InputError(f"{self.path}, line {start}: {error}") from error
            except LimitError as error:
                raise LimitError(f"{self.path}, line {start}: {error}") from error
            except csv.Error as error:
                if "field limit" in str(error):
                    raise LimitError(f"{self.path}, line {start}: {_longer_than(limit)}") from error
                raise InputError(f"{self.path}, line {start}: invalid CSV: {error}") from error
            except OSError as error:
                raise self._unreadable(error) from error

    @contextlib.contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        if self.path == STANDARD:
            yield sys.stdin.buffer
            return
        try:
            stream = Path(self.path).open("rb")  # noqa: SIM115 - closed below
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            raise self._unreadable(error) from error
        with stream:
            yield stream

    def _unreadable(self, error: Exception) -> InputError:
        return InputError(f"{self.path} cannot be read: {getattr(error, 'strerror', None) or error}")


class _LineError(InputError):
    """A line that is not text, or whose length differs."""


def _read_lines(stream: BinaryIO, limit: int, show: Progress) -> Iterator[str]:
    """Yield the lines of UTF-8 text, with or without a byte order mark; they may end in CR, LF or both."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    total = _find_size(stream)
    done = 0
    try:
        while line := text.readline(limit + 1):
            _check_line(line, limit, first=done == 0)
            done += len(line)
            show(done, total)
            yield line
    finally:
        with contextlib.suppress(ValueError, OSError):  # it is closed already
            text.detach()


def _find_size(stream: BinaryIO) -> int | None:
    try:
        return os.fstat(stream.fileno()).st_size or None
    except (OSError, ValueError):
        return None


def _check_line(line: str, limit: int, first: bool) -> None:
    if len(line) > limit:
        raise LimitError(_longer_than(limit))
    if first and line.startswith(UTF_16_MARKS):
        raise _LineError("the file is UTF-16: save it as UTF-8")
    if not line.isascii():
        try:
            line.encode()
        except UnicodeEncodeError as error:  # a byte that `surrogateescape` accepted
            byte = ord(line[error.start]) & 0xFF
            raise _LineError(f"not CSV in UTF-8: byte {byte:#04x} after {error.start} characters") from error
    if "\0" in line:
        raise _LineError("not CSV in UTF-8: found a null character")


def _longer_than(limit: int) -> str:
    return f"longer than {limit} characters: set {VARIABLE} to allow more"


def _check_header(names: list[str], check: CheckNames) -> list[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _LineError(f"the header names {describe(name)} twice")
        seen.add(name)
    try:
        check(names)
    except InputError as error:
        raise _LineError(str(error)) from error
    return names


def _as_row(cells: list[str], header: list[str] | None) -> Row:
    if header is None:
        return [cell or None for cell in cells]
    if len(cells) != len(header):
        raise _LineError(f"found {len(cells)} cells, but the header has {len(header)}")
    return {name: cell or None for name, cell in zip(header, cells, strict=True)}


def read_rows(path: str, note: Callable[[str], None]) -> list[Row]:
    """Return all rows of a CSV file with a header, or one row per image in a folder.

    `note` is called with a note on entries of the folder that are not images. Raises InputError if there are
    no rows.
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
