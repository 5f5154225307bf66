"""Predicts the rows of CSV files without pyarrow, batch by batch, in constant memory.

`sensenet.cli.predict_tables` does so with it, in less time and with the same results.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from attrs import define

from sensenet.batches.outputs import PREDICTION, PROBABILITY, require_distinct, require_outputs
from sensenet.errors import ArtifactError, InputError
from sensenet.models.deepnet import Deepnet, ObjectDetector
from sensenet.progress import ROWS, progress_bar
from sensenet.records import frozen
from sensenet.runtime.cells import find_repeated, is_missing_number
from sensenet.runtime.layout import row_layout
from sensenet.runtime.row_files import Row, RowFile
from sensenet.signature import NumericColumn

BATCH_ROWS = 4096

MOST_BYTES = 1 << 28
"""The most characters in the cells of a batch: long rows make smaller batches."""

BYTES_PER_CELL = 64
"""The characters that an empty cell counts as."""


@frozen(kw_only=True)
class Selection:
    """The columns of the output: those of the input that are kept, and the outputs of the model, in order."""

    keep: tuple[str, ...]
    outputs: tuple[str, ...]


def predict_rows(
    model: Deepnet | ObjectDetector,
    sources: Sequence[RowFile],
    output: TextIO,
    batch: int,
    selection: Selection,
) -> Predicted:
    """Write a CSV line of predictions for each row, under a header, and return how many there are.

    Kept columns come first. With classes: the best class under the objective's name, or `prediction` if a
    kept column has that; then each class's probability under the class's name. A number otherwise. If the
    probabilities are NaN, the best class is empty. Raises InputError, naming the line, for a header or a row
    that the model cannot read.
    """
    layout = row_layout(model.signature)
    writer = csv.writer(output, delimiter=sources[0].delimiter, lineterminator="\n")
    written = 0
    for source in sources:
        with progress_bar(source.path, ROWS, output) as show:
            read = 0
            share = Share()
            check = partial(layout.check_header, keep=selection.keep)
            for rows in _batches(source.rows(check, share.set), batch):
                answers = _predict(model, rows, source, selection.keep)
                if not written:
                    writer.writerow(_header(model, answers.shape[1], selection))
                written += len(rows)
                read += len(rows)
                writer.writerows(
                    [*_kept_cells(row, selection), *_answer_cells(model, numbers, selection)]
                    for (_, row), numbers in zip(rows, answers.tolist(), strict=True)
                )
                show(read, share.estimate(read))
    if not written:
        raise no_rows([source.path for source in sources])
    return Predicted(rows=written)


def predict_row(
    model: Deepnet | ObjectDetector,
    row: dict[str, str | None],
    output: TextIO,
    delimiter: str,
    selection: Selection,
) -> Predicted:
    """Write the predictions for a row under a header, as `predict_rows` does; raises InputError."""
    row_layout(model.signature).check_header(list(row), keep=selection.keep)
    answers = model([row_reader(model, selection.keep)(row)])
    writer = csv.writer(output, delimiter=delimiter, lineterminator="\n")
    writer.writerow(_header(model, answers.shape[1], selection))
    writer.writerow([*_kept_cells(row, selection), *_answer_cells(model, answers[0].tolist(), selection)])
    return Predicted(rows=1)


def select_columns(
    model: Deepnet | ObjectDetector, outputs: Sequence[str] | None, keep: Sequence[str]
) -> Selection:
    """Return the columns of the output; raise SettingsError for an output that the model lacks."""
    available = (PREDICTION, PROBABILITY) if model.classes else (PREDICTION,)
    return Selection(keep=tuple(keep), outputs=tuple(require_outputs(outputs, available)))


@frozen(kw_only=True)
class Predicted:
    """How many rows or images were read, how many of them have no answer, and the drawings written."""

    rows: int
    failed: int = 0
    drawings: tuple[Path, ...] = ()


@define
class Share:
    """Which part of a file has been read."""

    done: int = 0
    total: int | None = None

    def set(self, done: int, total: int | None) -> None:
        """Take the characters read, and the bytes of the file."""
        self.done, self.total = done, total

    def estimate(self, rows: int) -> int | None:
        """Return how many rows the file has if all are as long as those that have been read."""
        return max(rows, rows * self.total // self.done) if self.total and self.done else None


def no_rows(paths: Sequence[str]) -> InputError:
    """Return the error for files without rows."""
    return InputError(
        f"{paths[0]} has no rows" if len(paths) == 1 else f"the {len(paths)} files have no rows"
    )


def _header(model: Deepnet | ObjectDetector, outputs: int, selection: Selection) -> list[str]:
    objective = model.signature.objective
    name = objective.name if objective and objective.name not in selection.keep else PREDICTION
    require_classes(model, outputs)
    require_distinct([*selection.keep, *selection.outputs])
    numbers = [name] if outputs == 1 else [f"{name} {number}" for number in range(outputs)]
    columns = {PREDICTION: [name] if model.classes else numbers, PROBABILITY: model.classes}
    names = [*selection.keep, *(column for output in selection.outputs for column in columns[output])]
    doubled = find_repeated(names)
    if doubled is not None:
        raise ArtifactError(f"two columns of the CSV file would be named {doubled!r}: write another format")
    return names


def require_classes(model: Deepnet | ObjectDetector, outputs: int) -> None:
    """Raise InputError if the number of outputs differs from that of the model's classes."""
    if model.classes and outputs != len(model.classes):
        raise InputError(
            f"the model has {len(model.classes)} classes but returns {outputs} numbers: "
            "call it in Python to get them"
        )


def _kept_cells(row: Row, selection: Selection) -> list[str | None]:
    return [row[name] for name in selection.keep] if isinstance(row, dict) else []


def _answer_cells(
    model: Deepnet | ObjectDetector, numbers: Sequence[float], selection: Selection
) -> list[Any]:
    if not model.classes:
        return list(numbers)
    if any(map(math.isnan, numbers)):
        best = ""
    else:
        best = model.classes[max(range(len(numbers)), key=numbers.__getitem__)]
    cells = {PREDICTION: [best], PROBABILITY: numbers}
    return [cell for output in selection.outputs for cell in cells[output]]


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


def _predict(
    model: Deepnet | ObjectDetector, rows: Sequence[tuple[int, Row]], source: RowFile, keep: Sequence[str]
) -> Any:
    """Return the answers of a batch; an error names the line of the row."""
    read = row_reader(model, keep)
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


def row_reader(model: Deepnet | ObjectDetector, keep: Sequence[str] = ()) -> Callable[[Row], Row]:
    """Return the function that leaves out the kept columns that the model does not read.

    Without field names it returns cells. It reads `nan` in numeric cells as missing; by name, the model does.
    """
    layout = row_layout(model.signature)
    unread = set(keep) - layout.positions.keys()
    numeric = [column.index for column in model.signature.columns if isinstance(column, NumericColumn)]

    def read(row: Row) -> Row:
        if isinstance(row, dict):
            row = {name: cell for name, cell in row.items() if name not in unread} if unread else row
            if layout.fields:
                return row
        cells = list(row.values() if isinstance(row, dict) else row)
        for index in numeric:
            if -len(cells) <= index < len(cells) and is_missing_number(cells[index]):
                cells[index] = None
        return cells

    return read
