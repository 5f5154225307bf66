"""Reads rows from files: CSV tables, and folders of images."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from sensenet.errors import InputError, LimitError, SettingsError
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

NO_DELIMITERS = '"\r\n\0'

ANOTHER_DELIMITER = "; is the delimiter another one, or is this not CSV?"
"""What to ask if text follows the quote at the end of a column's name."""

UTF_16_MARKS = ("\udcff\udcfe", "\udcfe\udcff")
"""The byte order marks of UTF-16 as `surrogateescape` decodes them."""

Record = TypeVar("Record")
"""What the cells of a record are read as."""

CheckNames = Callable[[list[str]], None]
"""Raises InputError for a header with a name that no field has."""


def open_binary(path: str) -> BinaryIO:
    """Open a file for reading."""
    return Path(path).open("rb")


def require_delimiter(value: object) -> str:
    """Return a delimiter of CSV; raise SettingsError unless it is a character that can be one."""
    if isinstance(value, str) and len(value) == 1 and value not in NO_DELIMITERS:
        return value
    raise SettingsError(f"the delimiter is one character, not a quote or line end; found {value!r:.60}")


def accept_any_names(_: list[str]) -> None:
    """Check nothing."""


@frozen
class RowFile:
    """A CSV file in UTF-8, or `-` for stdin; without a header, cells are in the model's order.

    `opener` opens the file of a path, and may raise OSError or ValueError.
    """

    path: str
    delimiter: str = ","
    header: bool = True
    opener: Callable[[str], BinaryIO] = open_binary

    def rows(
        self, check: CheckNames = accept_any_names, show: Progress = ignore_progress
    ) -> Iterator[tuple[int, Row]]:
        """Yield (line number, row) for each row, reading lazily; empty lines are skipped.

        `check` is called with the header, `show` with the number of characters read. The csv module's limit
        on the length of a cell is raised, for the process, to the limit on memory. Raises InputError, naming
        the first line of the row, for a file that cannot be read, is not CSV in UTF-8, has a name twice in
        its header, or a row whose length differs from the header's; LimitError for a line beyond the limit.
        """
        header: list[str] | None = None

        def read(cells: list[str]) -> Row | None:
            nonlocal header
            if header is None and self.header:
                header = _check_header(cells, check)
                return None
            return _as_row(cells, header)

        with self.open() as stream:
            for line, _, row in self._records(stream, 1, read, show):
                if row is not None:
                    yield line, row

    def read_header(self, stream: BinaryIO, check: CheckNames) -> tuple[list[str], int] | None:
        """Return the names of the header, and how many lines end with it; None if there is no line.

        Raises what `rows` raises.
        """
        for _, lines, names in self._records(stream, 1, lambda cells: _check_header(cells, check)):
            return names, lines
        return None

    def rows_below(self, header: list[str], stream: BinaryIO, line: int) -> Iterator[tuple[int, Row]]:
        """Yield what `rows` yields, of a stream of the file's content from that line on."""
        for start, _, row in self._records(stream, line, lambda cells: _as_row(cells, header)):
            yield start, row

    def _records(
        self,
        stream: BinaryIO,
        first: int,
        read: Callable[[list[str]], Record],
        show: Progress = ignore_progress,
    ) -> Iterator[tuple[int, int, Record]]:
        """Yield the first and last line of each record of a stream, and what `read` returns for its cells.

        `first` is the number of the stream's first line.
        """
        limit = longest_line()
        csv.field_size_limit(max(csv.field_size_limit(), limit))
        start = first
        lines = csv.reader(
            _read_lines(stream, limit, show, first == 1), delimiter=self.delimiter, strict=True
        )
        try:
            for cells in lines:
                end = first + lines.line_num - 1
                if cells:
                    yield start, end, read(cells)
                start = end + 1
        except _LineError as error:
            raise InputError(f"{self.path}, line {start}: {error}") from error
        except LimitError as error:
            raise LimitError(f"{self.path}, line {start}: {error}") from error
        except csv.Error as error:
            if "field limit" in str(error):
                raise LimitError(f"{self.path}, line {start}: {longer_than(limit)}") from error
            hint = ANOTHER_DELIMITER if start == 1 and "expected after" in str(error) else ""
            raise InputError(f"{self.path}, line {start}: invalid CSV: {error}{hint}") from error
        except OSError as error:
            raise self.unreadable(error) from error

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Yield the file's stream; raise InputError if it cannot be opened."""
        if self.path == STANDARD:
            yield sys.stdin.buffer
            return
        try:
            stream = self.opener(self.path)
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            raise self.unreadable(error) from error
        with stream:
            yield stream

    def unreadable(self, error: Exception) -> InputError:
        """Return the error for a file that cannot be opened or read."""
        return InputError(f"{self.path} cannot be read: {getattr(error, 'strerror', None) or error}")


def longest_line() -> int:
    """Return the most characters of a line that fit the limit on memory."""
    return min(memory_limit() // BYTES_PER_CHARACTER, LONGEST_CELL)


class _LineError(InputError):
    """A line that is not text, or whose length differs."""


def _read_lines(stream: BinaryIO, limit: int, show: Progress, start_of_file: bool) -> Iterator[str]:
    """Yield the lines of UTF-8 text; they may end in CR, LF or both.

    A file, and not the rest of one, may start with a byte order mark.
    """
    encoding = "utf-8-sig" if start_of_file else "utf-8"
    text = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
    total = _find_size(stream)
    done = 0
    try:
        while line := text.readline(limit + 1):
            _check_line(line, limit, first=start_of_file and done == 0)
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
        raise LimitError(longer_than(limit))
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


def longer_than(limit: int) -> str:
    """Return the reason for refusing a line beyond the limit."""
    return f"longer than {limit} characters: set {VARIABLE} to allow more"


def _check_header(names: list[str], check: CheckNames) -> list[str]:
    try:
        _require_distinct(names)
        check(names)
    except InputError as error:
        if names[0].lstrip().startswith(("{", "[")):
            raise _LineError("this is JSON, not CSV: write an object per line, into a file .jsonl") from error
        raise _LineError(str(error)) from error
    return names


def _require_distinct(names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _LineError(f"the header names {describe(name)} twice")
        seen.add(name)


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
