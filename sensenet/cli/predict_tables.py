"""Predicts tables of several formats through Arrow, batch by batch, in constant memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from sensenet.batches.compression import compressed
from sensenet.batches.outputs import PREDICTION
from sensenet.batches.parts import PartReader, read_all
from sensenet.batches.scoring import Scorer, Scores
from sensenet.batches.table_writers import open_writer
from sensenet.cli.common import print_note
from sensenet.cli.predict_rows import Predicted, no_rows
from sensenet.progress import ROWS, progress_bar
from sensenet.records import frozen

INPUT = "input"
"""The column with the paths of images."""


@frozen(kw_only=True)
class TableOutput:
    """How a table is written: its format, the compression of its stream, and the delimiter of CSV."""

    format: str
    compression: str | None
    delimiter: str


def predict_tables(
    scorer: Scorer, readers: Sequence[tuple[str, PartReader]], output: TableOutput, stream: BinaryIO
) -> Predicted:
    """Write the answers for the rows of all readers to a stream, and return how many there are.

    Readers have the names of what they read. A progress bar counts rows, and a note says how many have no
    answer. Raises InputError for rows that cannot be read, or if there are none; ArtifactError for columns
    that the format cannot hold.
    """
    names = [name for name, _ in readers]
    objective = scorer.model.signature.objective
    name = objective.name if objective else PREDICTION
    with (
        progress_bar(", ".join(names), ROWS, stream) as show,
        compressed(stream, output.compression) as target,
        open_writer(output.format, target, delimiter=output.delimiter, objective=name) as write,
    ):
        scores = Scores(scorer, read_all([reader for _, reader in readers], scorer, show))
        for batch in scores:
            write(batch)
        if not scores.rows:
            raise no_rows(names)
    stream.flush()
    if scores.failed:
        print_note(
            f"{scores.failed} of {scores.rows} rows have no answer: the column 'error' has the reasons"
        )
    return Predicted(rows=scores.rows, failed=scores.failed)
