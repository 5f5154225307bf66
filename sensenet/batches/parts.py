"""Record batches with the places of their rows, for errors, and how far their source has been read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from sensenet.batches.arrow import RecordBatch
from sensenet.progress import Progress
from sensenet.records import frozen

Where = Callable[[int], str]
"""Returns the place of a row of a batch, such as `rows.csv, line 7`."""


@frozen
class Part:
    """A record batch, and where its rows come from.

    `share` is which part of its source, from 0 to 1, has been read with it; None if that is unknown.
    """

    batch: RecordBatch
    where: Where
    share: float | None = None


def split_part(part: Part, rows: int) -> Iterator[Part]:
    """Yield a part in parts of at most so many rows; without rows, as it is."""
    if part.batch.num_rows <= rows:
        yield part
        return
    for start in range(0, part.batch.num_rows, rows):
        yield Part(part.batch.slice(start, rows), partial(_later, part.where, start), part.share)


def _later(where: Where, start: int, row: int) -> str:
    return where(start + row)


def read_share(stream: Any) -> float | None:
    """Return which part of a file has been read, from 0 to 1; None for a pipe. See `open_input`."""
    file = getattr(getattr(stream, "raw", None), "file", stream)
    try:
        size = os.fstat(file.fileno()).st_size
        return min(file.tell() / size, 1.0) if size else None
    except (OSError, ValueError):
        return None


class ColumnChoice(Protocol):
    """Which columns of a source are read."""

    def kept(self, names: Sequence[str]) -> Sequence[str]:
        """Return those of a source's columns that it must have, whether a model reads them or not."""

    def check(self, names: Sequence[str]) -> None:
        """Raise InputError for names of columns that are refused."""

    def reads(self, names: Sequence[str]) -> list[str]:
        """Return those of a source's columns that are read, in their order; raise InputError."""


PartReader = Callable[[ColumnChoice], Iterator[Part]]
"""Yields the batches of one source."""


def read_all(readers: Sequence[PartReader], columns: ColumnChoice, show: Progress) -> Iterator[Part]:
    """Yield the batches of some sources; `show` is called with the rows so far, and an estimate of all."""
    rows = 0
    for finished, reader in enumerate(readers):
        for part in reader(columns):
            yield part
            rows += part.batch.num_rows
            done = None if part.share is None else (finished + part.share) / len(readers)
            show(rows, round(rows / done) if done else None)
