"""Predicts tables of several formats through Arrow, batch by batch, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from sensenet.batches.arrow import import_arrow
from sensenet.batches.compression import compressed
from sensenet.batches.outputs import PREDICTION
from sensenet.batches.parts import Part
from sensenet.batches.scoring import Scorer, Scores
from sensenet.batches.table_writers import open_writer
from sensenet.cli.common import print_note
from sensenet.cli.predict_rows import no_rows
from sensenet.progress import progress_bar, row_line
from sensenet.records import frozen
from sensenet.runtime.layout import RowLayout

INPUT = "input"
"""The column with the paths of images."""

Reader = Callable[[Scorer], Iterator[Part]]
"""Yields the batches of one source."""


@frozen(kw_only=True)
class TableOutput:
    """How a table is written: its format, the compression of its stream, and the delimiter of CSV."""

    format: str
    compression: str | None
    delimiter: str


def predict_tables(
    scorer: Scorer, readers: Sequence[tuple[str, Reader]], output: TableOutput, stream: BinaryIO
) -> None:
    """Write the answers for the rows of all readers to a stream.

    Readers have the names of what they read. A progress bar counts rows, and a note says how many have no
    answer. Raises InputError for rows that cannot be read, or if there are none; ArtifactError for columns
    that the format cannot hold.
    """
    names = [name for name, _ in readers]
    objective = scorer.model.signature.objective
    name = objective.name if objective else PREDICTION
    with (
        progress_bar(", ".join(names), line=row_line) as show,
        compressed(stream, output.compression) as target,
        open_writer(output.format, target, delimiter=output.delimiter, objective=name) as write,
    ):
        scores = Scores(scorer, iter(()))
        for finished, reader in enumerate(reader for _, reader in readers):
            share: float | None = 0.0

            def parts(reader: Reader = reader) -> Iterator[Part]:
                nonlocal share
                for part in reader(scorer):
                    share = part.share
                    yield part

            scores.parts = parts()
            for batch in scores:
                write(batch)
                done = None if share is None else (finished + share) / len(readers)
                show(scores.rows, round(scores.rows / done) if done else None)
        if not scores.rows:
            raise no_rows(names)
    stream.flush()
    if scores.failed:
        print_note(
            f"{scores.failed} of {scores.rows} rows have no answer: the column 'error' has the reasons"
        )


def image_reader(paths: Sequence[str], layout: RowLayout) -> Reader:
    """Return the reader of images as a table, with their paths as the model's field and as `input`."""
    name = layout.fields[0].id if layout.fields else "image"

    def read(scorer: Scorer) -> Iterator[Part]:
        pa = import_arrow()
        for start in range(0, len(paths), scorer.rows_at_once):
            some = pa.array(paths[start : start + scorer.rows_at_once], pa.string())
            batch = pa.record_batch({name: some, INPUT: some})
            yield Part(batch, lambda row, start=start: paths[start + row], (start + len(some)) / len(paths))  # type: ignore[misc]

    return read
