"""Predicts the rows of a CSV file, batch by batch: the memory does not grow with the file."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from sensenet.errors import InputError
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.progress import progress_bar
from sensenet.runtime.row_files import Row, RowFile

BATCH_ROWS = 4096


def predict_rows(model: Deepnet | ObjectDetector, source: RowFile, output: TextIO, batch: int) -> None:
    """Write a CSV line of predictions for each row, under a header.

    With classes: the best class under the objective's name, then each class's probability under the class's
    name; a number otherwise. Raises InputError, naming the line, for a row that the model does not take.
    """
    writer = csv.writer(output, delimiter=source.delimiter, lineterminator="\n")
    header_written = False
    with progress_bar(source.path) as show:
        for rows in _batches(source.rows(lambda stream: _watched(stream, show)), batch):
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


def _batches(rows: Iterator[tuple[int, Row]], size: int) -> Iterator[list[tuple[int, Row]]]:
    while batch := list(itertools.islice(rows, size)):
        yield batch


def _predict(model: Deepnet | ObjectDetector, rows: Sequence[tuple[int, Row]], source: RowFile) -> Any:
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
