"""Predicts the rows of a CSV file, batch by batch: the memory does not grow with the file."""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from attrs import frozen

from sensenet.command_line import STANDARD
from sensenet.errors import InputError
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.progress import progress_bar

BATCH_ROWS = 4096

Row = dict[str, str | None] | list[str | None]
"""Cells by the names of the header, or in the model's order; None where a cell is empty."""


@frozen
class RowSource:
    """A CSV file, or `-` for standard input; without a header, cells stand in the model's order."""

    path: str
    delimiter: str = ","
    header: bool = True

    @contextlib.contextmanager
    def open(self) -> Iterator[TextIO]:
        """The text of the file; raises InputError where it cannot be read."""
        if self.path == STANDARD:
            yield sys.stdin
            return
        try:
            stream = Path(self.path).open(encoding="utf-8-sig", newline="")  # noqa: SIM115 - closed below
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror or error}") from error
        with stream:
            yield stream


def predict_rows(model: Deepnet | ObjectDetector, source: RowSource, output: TextIO, batch: int) -> None:
    """Write a CSV line of predictions for each row, under a header.

    With classes: the best class under the objective's name, then each class's probability under the class's
    name; a number otherwise. Raises InputError, naming the line, for a row that the model does not take.
    """
    writer = csv.writer(output, delimiter=source.delimiter, lineterminator="\n")
    header_written = False
    with source.open() as stream, progress_bar(source.path) as show:
        lines = csv.reader(_watched(stream, show), delimiter=source.delimiter, strict=True)
        for rows in _batches(_rows(lines, source), batch):
            answers = _predict(model, rows, source)
            if not header_written:
                writer.writerow(_header(model, answers.shape[1]))
                header_written = True
            writer.writerows(_answer_cells(model, numbers) for numbers in answers.tolist())
    if not header_written:
        raise InputError(f"{source.path} has no rows")


def _header(model: Deepnet | ObjectDetector, outputs: int) -> list[str]:
    objective = model.signature.objective
    name = objective.name if objective else "prediction"
    if model.classes:
        return [name, *model.classes]
    return [name] if outputs == 1 else [f"{name} {number}" for number in range(outputs)]


def _answer_cells(model: Deepnet | ObjectDetector, numbers: Sequence[float]) -> list[Any]:
    if not model.classes:
        return list(numbers)
    best = max(range(len(numbers)), key=numbers.__getitem__)
    return [model.classes[best], *numbers]


def _rows(lines: Any, source: RowSource) -> Iterator[tuple[int, Row]]:
    """(line number, row) of each row; raises InputError for a line that has more cells than the header."""
    try:
        header = next(lines, None) if source.header else None
        if header and len(set(header)) < len(header):
            doubled = next(name for name in header if header.count(name) > 1)
            raise InputError(f"{source.path}: the header names {doubled!r} twice")
        for cells in lines:
            if not cells:  # an empty line
                continue
            values = [cell if cell != "" else None for cell in cells]
            if header is None:
                yield lines.line_num, values
            elif len(values) != len(header):
                found = f"{len(values)} cells under a header of {len(header)}"
                raise InputError(f"{source.path}, line {lines.line_num}: {found}")
            else:
                yield lines.line_num, dict(zip(header, values, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{source.path}, line {lines.line_num + 1}: not CSV in UTF-8: {error}") from error


def _batches(rows: Iterator[tuple[int, Row]], size: int) -> Iterator[list[tuple[int, Row]]]:
    while batch := list(itertools.islice(rows, size)):
        yield batch


def _predict(model: Deepnet | ObjectDetector, rows: Sequence[tuple[int, Row]], source: RowSource) -> Any:
    """The answers of a batch; an error names the line of the row, which the model does not know."""
    try:
        return model([row for _, row in rows])
    except InputError:
        for line, row in rows:
            try:
                model([row])
            except InputError as error:
                raise InputError(
                    f"{source.path}, line {line}: {str(error).removeprefix('row 0, ')}"
                ) from error
        raise


def _watched(stream: TextIO, show: Any) -> Iterator[str]:
    """The lines of a stream, telling how far it is read."""
    try:
        total = os.fstat(stream.fileno()).st_size or None
    except (OSError, ValueError):
        total = None
    done = 0
    for line in stream:
        done += len(line)
        show(done, total)
        yield line
