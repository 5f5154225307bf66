"""Writes scored record batches to a stream, in several formats."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from sensenet.batches.arrow import RecordBatch, Schema, import_arrow
from sensenet.batches.compression import KeptOpen
from sensenet.batches.csv_text import flatten, header_text, rows_text
from sensenet.batches.table_files import ARROW, ARROW_STREAM, CSV, JSON_LINES, PARQUET
from sensenet.errors import ArtifactError
from sensenet.json_numbers import as_json

Write = Callable[[RecordBatch], None]
"""Writes a batch; raises ArtifactError for a column that the format cannot hold."""


class CsvWriter:
    """Writes CSV; the prediction's column is named after the objective."""

    def __init__(self, stream: BinaryIO, delimiter: str, objective: str) -> None:
        self.stream = stream
        self.delimiter = delimiter
        self.objective = objective
        self.header_written = False

    def write(self, batch: RecordBatch) -> None:
        columns = flatten(batch, self.objective)
        if not self.header_written:
            self.stream.write(header_text([name for name, _ in columns], self.delimiter).encode())
            self.header_written = True
        self.stream.write(rows_text([array for _, array in columns], self.delimiter))


def json_writer(stream: BinaryIO) -> Write:
    """Return the writer of an object of JSON per row."""

    def write(batch: RecordBatch) -> None:
        for row in batch.to_pylist():
            try:
                line = json.dumps(as_json(row), allow_nan=False, default=_as_text)
            except TypeError as error:
                raise ArtifactError(f"JSON cannot hold a kept column: {error}; write .parquet") from error
            stream.write(line.encode() + b"\n")

    return write


def _as_text(value: Any) -> str:
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _open_parquet(stream: BinaryIO, schema: Schema) -> Any:
    return import_arrow("pyarrow.parquet").ParquetWriter(KeptOpen(stream), schema)


def _open_arrow(stream: BinaryIO, schema: Schema) -> Any:
    return import_arrow().ipc.new_file(KeptOpen(stream), schema)


def _open_arrow_stream(stream: BinaryIO, schema: Schema) -> Any:
    return import_arrow().ipc.new_stream(KeptOpen(stream), schema)


OPENERS: Mapping[str, Callable[[BinaryIO, Schema], Any]] = {
    PARQUET: _open_parquet,
    ARROW: _open_arrow,
    ARROW_STREAM: _open_arrow_stream,
}


@contextlib.contextmanager
def open_writer(format: str, stream: BinaryIO, *, delimiter: str, objective: str) -> Iterator[Write]:
    """Yield what writes batches to a stream, in the schema of the first one.

    `delimiter`, and `objective` as the name of the prediction, are for CSV. Nothing is at the end of the
    stream that makes it a whole file if the block raises.
    """
    if format == CSV:
        yield CsvWriter(stream, delimiter, objective).write
        return
    if format == JSON_LINES:
        yield json_writer(stream)
        return
    writer: Any = None
    schema: Schema = None

    def write(batch: RecordBatch) -> None:
        nonlocal writer, schema
        if writer is None:
            schema = batch.schema
            writer = OPENERS[format](stream, schema)
        writer.write_batch(_cast(batch, schema))

    yield write
    if writer is not None:
        writer.close()


def _cast(batch: RecordBatch, schema: Schema) -> RecordBatch:
    """Return a batch with the types of the first; raise ArtifactError if a kept column has other values."""
    pa = import_arrow()
    if batch.schema.equals(schema):
        return batch
    columns = []
    for field, array in zip(schema, batch.columns, strict=True):
        try:
            columns.append(array.cast(field.type))
        except pa.ArrowException as error:
            raise ArtifactError(
                f"the column {field.name!r} was {field.type} in the first rows, and is {array.type} later: "
                "write .jsonl, or leave it out"
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)
