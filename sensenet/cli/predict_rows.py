"""Predicts the rows of a CSV file, batch by batch, in constant memory."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TextIO

from sensenet.errors import InputError
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.progress import progress_bar
from sensenet.runtime.cells import is_missing_number
from sensenet.runtime.layout import row_layout
from sensenet.runtime.row_files import Row, RowFile
from sensenet.signature import NumericColumn

BATCH_ROWS = 4096

MOST_BYTES = 1 << 28
"""The most characters in the cells of a batch: long rows make smaller batches."""

BYTES_PER_CELL = 64
"""The characters that an empty cell counts as."""


def predict_rows(model: Deepnet | ObjectDetector, source: RowFile, output: TextIO, batch: int) -> None:
    """Write a CSV line of predictions for each row, under a header.

    With classes: the best class under the objective's name, then each class's probability under the class's
    name; a number otherwise. If the probabilities are NaN, the best class is empty. Raises InputError, naming
    the line, for a header or a row that the model cannot read.
    """
    writer = csv.writer(output, delimiter=source.delimiter, lineterminator="\n")
    header_written = False
    with progress_bar(source.path) as show:
        for rows in _batches(source.rows(partial(_check_names, model), show), batch):
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
    require_classes(model, outputs)
    if model.classes:
        return [name, *model.classes]
    return [name] if outputs == 1 else [f"{name} {number}" for number in range(outputs)]


def _check_names(model: Deepnet | ObjectDetector, names: Sequence[str]) -> None:
    """Raise InputError for an unknown field name."""
    row_layout(model.signature).find(names)


def require_classes(model: Deepnet | ObjectDetector, outputs: int) -> None:
    """Raise InputError if the number of outputs differs from that of the model's classes."""
    if model.classes and outputs != len(model.classes):
        raise InputError(
            f"the model has {len(model.classes)} classes but returns {outputs} numbers: "
            "call it in Python to get them"
        )


def _answer_cells(model: Deepnet | ObjectDetector, numbers: Sequence[float]) -> list[Any]:
    if not model.classes:
        return list(numbers)
    if any(map(math.isnan, numbers)):
        return ["", *numbers]
    best = max(range(len(numbers)), key=numbers.__getitem__)
    return [model.classes[best], *numbers]


def _batches(rows: Iterator[tuple[int, Row]], size: int) -> Iterator[list[tuple[int, Row]]]:
    """Yield rows in lists of `size`, or fewer if their cells are long."""
    batch: list[tuple[int, Row]] = []
    weight = 0
    for line, row in rows:
        batch.append((line, row))
        cells = row.values() if isinstance(row, dict) else row
        weight += BYTES_PER_CELL * len(row) + sum(map(len, filter(None, cells)))
        if len(batch) == size or weight > MOST_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _predict(model: Deepnet | ObjectDetector, rows: Sequence[tuple[int, Row]], source: RowFile) -> Any:
    """Return the answers of a batch; an error names the line of the row."""
    read = _row_reader(model)
    try:
        return model([read(row) for _, row in rows])
    except InputError:
        for line, row in rows:
            try:
                model([read(row)])
            except InputError as error:
                raise InputError(
                    f"{source.path}, line {line}: {str(error).removeprefix('row 0, ')}"
                ) from error
        raise


def _row_reader(model: Deepnet | ObjectDetector) -> Callable[[Row], Row]:
    """Return the function that reads `nan` in numeric cells as missing; by name, the model does so."""
    numeric = [column.index for column in model.signature.columns if isinstance(column, NumericColumn)]

    def read(row: Row) -> Row:
        if isinstance(row, list):
            for index in numeric:
                if -len(row) <= index < len(row) and is_missing_number(row[index]):
                    row[index] = None
        return row

    return read
