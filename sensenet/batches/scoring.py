"""Scores record batches one by one, in constant memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import attrs
import numpy as np

from sensenet.batches.arrow import RecordBatch, import_arrow
from sensenet.batches.outputs import (
    ErrorPolicies,
    Model,
    OnError,
    Output,
    Probabilities,
    find_outputs,
    join_schema,
    require_columns,
    require_one_of,
)
from sensenet.batches.parts import Part, Where
from sensenet.batches.text_columns import TextColumns, text_columns
from sensenet.errors import InputError, InputTypeError, LimitError
from sensenet.models.deepnet import ObjectDetector
from sensenet.records import frozen
from sensenet.runtime.cells import describe
from sensenet.runtime.frames import require_readable
from sensenet.runtime.layout import RowLayout, row_layout
from sensenet.runtime.tables import as_table

ROWS_AT_ONCE = 65_536
"""Rows that are scored together; larger batches are divided."""

IMAGES_AT_ONCE = 256
"""The same for a model that reads images: their files, and features, take more memory than numbers."""

FEW_ROWS = 256
"""Up to this number of rows, all are read one by one to find those with errors."""

ROW = "row 0, "
IMAGE = "image 0: "
"""How the error for a table of one row begins."""


@frozen
class Piece:
    """The answers for the next rows of a batch; or for one row, the error instead."""

    rows: int
    answers: Any = None
    error: InputError | LimitError | None = None


@frozen(kw_only=True)
class Scorer:
    """Scores parts; made by `make_scorer`. Threads may share it."""

    model: Model
    layout: RowLayout
    outputs: tuple[Output, ...]
    keep: tuple[str, ...]
    on_error: OnError
    texts: TextColumns
    rows_at_once: int

    def kept(self, _names: Sequence[str]) -> Sequence[str]:
        """Return the columns that are kept: every source must have them."""
        return self.keep

    def check(self, names: Sequence[str]) -> None:
        """Raise what `RowLayout.check_header` raises."""
        self.layout.check_header(names, self.keep)

    def reads(self, names: Sequence[str]) -> list[str]:
        """Return those of a table's columns that are read or kept, in their order.

        Raises what `RowLayout.select` raises.
        """
        chosen = {*self.layout.select(names, self.keep), *self.keep}
        return [name for name in names if name in chosen]

    def score(self, part: Part) -> tuple[RecordBatch, int]:
        """Return the scored batch, and how many of its rows have no answer. Raises InputError, LimitError."""
        pa = import_arrow()
        batch = part.batch
        table = self._select(batch)
        schema = join_schema(self.outputs, [batch.schema.field(name) for name in self.keep], self.on_error)
        as_table(table.slice(0, 0), self.layout)  # raises what is wrong with the columns, not with a cell
        pieces = list(self._answer(table, part.where))
        absent = np.repeat([piece.error is not None for piece in pieces], [piece.rows for piece in pieces])
        answers = self._join(pieces)
        columns = [batch.column(name) for name in self.keep]
        columns += [output.make(answers, absent.astype(bool)) for output in self.outputs]
        if self.on_error == "null":
            reasons = [
                _reason(piece.error) if piece.error else None for piece in pieces for _ in range(piece.rows)
            ]
            columns.append(pa.array(reasons, pa.string()))
        return pa.RecordBatch.from_arrays(columns, schema=schema), int(absent.sum())

    def _select(self, batch: RecordBatch) -> Any:
        """Return the table of the columns that the model reads; raises InputError for one without cells."""
        pa = import_arrow()
        wanted = self.layout.select(batch.schema.names, self.keep)
        if not wanted and self.layout.fields:  # a table without columns has no rows
            nothing = pa.nulls(batch.num_rows, pa.string())
            return pa.table({self.layout.fields[0].id: nothing})
        for name in wanted:
            require_readable(name, batch.schema.field(name).type)
        return pa.Table.from_batches([self.texts.read(batch.select(wanted))])

    def _answer(self, table: Any, where: Where) -> Iterator[Piece]:
        for start in range(0, table.num_rows, self.rows_at_once):
            row = start
            for piece in self._divide(table.slice(start, self.rows_at_once)):
                if piece.error is not None and self.on_error == "raise":
                    raise type(piece.error)(f"{where(row)}: {_reason(piece.error)}") from piece.error
                yield piece
                row += piece.rows

    def _divide(self, table: Any) -> Iterator[Piece]:
        """Yield the answers of the whole table, or of ever smaller halves around the rows with errors.

        If all errors are wanted, those of a small table's cells are found at once.
        """
        rows = table.num_rows
        try:
            yield Piece(rows, self.model.answer_table(table))
            return
        except (InputError, LimitError) as error:
            if rows == 1:
                yield Piece(1, error=error)
                return
        if self.on_error == "null" and rows <= FEW_ROWS:
            errors = self.model.find_errors(table)
            if errors:
                answered = list(self._divide(_leave_out(table, errors)))
                yield from _insert(errors, answered, rows)
                return
        for start, length in ((0, rows // 2), (rows // 2, rows - rows // 2)):
            yield from self._divide(table.slice(start, length))

    def _join(self, pieces: Sequence[Piece]) -> Any:
        """Return the answers of all rows, with any numbers for a row that has an error."""
        if isinstance(self.model, ObjectDetector):
            return [answer for piece in pieces for answer in piece.answers or [None] * piece.rows]
        shape = next((piece.answers.shape[1:] for piece in pieces if piece.error is None), None)
        shape = self.model.answer_shape() if shape is None else shape
        parts = [
            np.zeros((piece.rows, *shape), np.float32) if piece.error else piece.answers for piece in pieces
        ]
        return np.concatenate(parts) if parts else np.zeros((0, *shape), np.float32)


def _leave_out(table: Any, rows: Collection[int]) -> Any:
    """Return the table without some rows.

    It is made of slices, which Arrow has of every type; `Table.take` lacks views and runs.
    """
    bounds = pairwise([-1, *sorted(rows), table.num_rows])
    slices = [table.slice(before + 1, after - before - 1) for before, after in bounds]
    return import_arrow().concat_tables(slices)


def _insert(
    errors: Mapping[int, InputError | LimitError], pieces: Sequence[Piece], rows: int
) -> Iterator[Piece]:
    """Yield the answers for rows in their order, those with errors and the pieces of the others."""
    others = ((piece, row) for piece in pieces for row in range(piece.rows))
    for row in range(rows):
        if row in errors:
            yield Piece(1, error=errors[row])
        else:
            piece, at = next(others)
            yield piece if piece.error else Piece(1, piece.answers[at : at + 1])


def _reason(error: Exception) -> str:
    """Return the message of an error for a table of one row, without the number of the row."""
    return str(error).removeprefix(ROW).removeprefix(IMAGE)


def make_scorer(
    model: Model,
    outputs: Sequence[str] | None = None,
    keep: Sequence[str] = (),
    *,
    probabilities: Probabilities = "struct",
    on_error: OnError = "raise",
) -> Scorer:
    """Return the scorer of a model; see `score` for the arguments, and for what it raises."""
    require_one_of("on_error", on_error, ErrorPolicies)
    require_columns("keep", keep)
    layout = row_layout(model.signature)
    return Scorer(
        model=model,
        layout=layout,
        outputs=find_outputs(model, outputs, probabilities),
        keep=tuple(keep),
        on_error=on_error,
        texts=text_columns(model.signature, layout),
        rows_at_once=IMAGES_AT_ONCE if model.signature.image_columns else ROWS_AT_ONCE,
    )


@attrs.define
class Scores(Iterator[RecordBatch]):
    """An iterator of scored record batches; made by `score`.

    `rows` is how many rows have been scored, `failed` how many of them have no answer.
    """

    scorer: Scorer
    parts: Iterator[Part]
    rows: int = 0
    failed: int = 0

    def __next__(self) -> RecordBatch:
        part = next(self.parts)
        scored, failed = self.scorer.score(part)
        self.rows += scored.num_rows
        self.failed += failed
        return scored


def score(
    batches: Any,
    model: Model,
    outputs: Sequence[str] | None = None,
    keep: Sequence[str] = (),
    *,
    probabilities: Probabilities = "struct",
    on_error: OnError = "raise",
) -> Scores:
    """Return an iterator of the answers for record batches, as record batches of as many rows.

    `batches` is an iterable of `pyarrow.RecordBatch` or `Table`, or one such table, or anything that is a
    stream of Arrow (`__arrow_c_stream__`), such as a RecordBatchReader. Batches are read, scored and
    forgotten one after another, so memory is constant.

    Columns are read by name, like those of `model(table)`. `keep` names columns of the input that come first
    in the output, whether the model reads them or not. Then come the `outputs`, by default all that the model
    has: `prediction` and, of a classifier, `probability`, a struct with a number for each class, or a list
    with `probabilities="list"`; `features` of an extractor; `detections` of a detector.

    If a row cannot be read, InputError names the row, counted over all batches, and the column. With
    `on_error="null"` its outputs are null instead, and the column `error` has the reason, null in the other
    rows; the iterator counts such rows as `failed`. A column that no field has, and that is not kept, raises
    InputError in any case, SettingsError an output that the model lacks, MissingPackageError a missing
    pyarrow.
    """
    scorer = make_scorer(model, outputs, keep, probabilities=probabilities, on_error=on_error)
    return Scores(scorer, batch_parts(batches))


def batch_parts(batches: Any) -> Iterator[Part]:
    """Yield batches, of all forms that `score` takes, with places that count the rows of all of them."""
    start = 0
    for batch in _read_batches(batches):
        yield Part(batch, lambda row, start=start: f"row {start + row}")  # type: ignore[misc]
        start += batch.num_rows


def _read_batches(batches: Any) -> Iterator[RecordBatch]:
    """Yield the record batches of a table, of a stream, or of an iterable of these."""
    pa = import_arrow()
    if isinstance(batches, pa.RecordBatch):
        yield batches
    elif isinstance(batches, pa.Table):
        yield from batches.to_batches()
    elif hasattr(batches, "__arrow_c_stream__"):
        yield from pa.RecordBatchReader.from_stream(batches)
    elif isinstance(batches, Iterable) and not isinstance(batches, str | bytes | dict):
        for each in batches:
            if not hasattr(each, "__arrow_c_stream__") and not isinstance(each, pa.RecordBatch):
                raise InputTypeError(f"expected record batches of Arrow, found {describe(each)}")
            yield from _read_batches(each)
    else:
        raise InputTypeError(f"expected record batches of Arrow, found {describe(batches)}")
