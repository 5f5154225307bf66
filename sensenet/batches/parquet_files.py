"""Reads Parquet files as record batches, of as many rows as fit the limit on memory.

A file of a thousand bytes may say that each of a million rows has one long text. So text that a file has as
distinct values and their positions is read as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from sensenet.batches.arrow import RecordBatch, import_arrow
from sensenet.batches.parquet_pages import RowGroup, measure_pages, read_row_groups
from sensenet.limits import memory_limit, require_memory
from sensenet.records import frozen

SHARE = 4
"""One in this number of bytes of the limit on memory is for the rows of a batch."""

WIDTH = 8
"""The bytes of a value: those of most types have fewer. Text has them for its length."""


@frozen
class Leaf:
    """A column with values, which may be a member of one with a name; `width` is the bytes of a value."""

    index: int
    path: str
    width: int
    text: bool
    repeated: bool


@frozen
class Estimate:
    """Bytes that reading a column takes: for each row, and for all; `coded` is whether to read codes."""

    per_row: float
    fixed: int
    coded: bool = False


def read_parquet(path: str, metadata: Any, names: Sequence[str], rows_at_once: int) -> Iterator[RecordBatch]:
    """Yield the rows of the columns of those names; columns of text may be dictionaries.

    `metadata` is the file's `pyarrow.parquet.FileMetaData`.

    Raises ValueError for damaged pages, LimitError for those that would take more memory than allowed, and
    whatever pyarrow raises.
    """
    parquet = import_arrow("pyarrow.parquet")
    leaves = list(_list_leaves(metadata.schema, names))
    with Path(path).open("rb") as stream:
        for number, group in enumerate(read_row_groups(stream)):
            estimates = [_estimate(stream, group, leaf) for leaf in leaves]
            per_row = sum(estimate.per_row for estimate in estimates)
            fixed = sum(estimate.fixed for estimate in estimates)
            require_memory(int(fixed + per_row), f"reading row group {number}")
            rows = int(memory_limit() / SHARE / max(per_row, 1))
            coded = [leaf.path for leaf, estimate in zip(leaves, estimates, strict=True) if estimate.coded]
            with parquet.ParquetFile(path, metadata=metadata, read_dictionary=coded) as file:
                for batch in file.iter_batches(
                    max(1, min(rows, rows_at_once)), row_groups=[number], columns=list(names)
                ):
                    # A name may select the members of a struct, or a column that begins with it and a point.
                    yield batch.select(names)


def _list_leaves(schema: Any, names: Sequence[str]) -> Iterator[Leaf]:
    """Yield the columns of a `ParquetSchema` that those of some names consist of."""
    for index in range(len(schema)):
        column = schema.column(index)
        if any(column.path == name or column.path.startswith(f"{name}.") for name in names):
            yield Leaf(
                index=index,
                path=column.path,
                width=max(WIDTH, column.length or 0),
                text=column.physical_type == "BYTE_ARRAY",
                repeated=column.max_repetition_level > 0,
            )


def _estimate(stream: BinaryIO, group: RowGroup, leaf: Leaf) -> Estimate:
    if leaf.index >= len(group.chunks):
        raise ValueError("its metadata is damaged")
    chunk = group.chunks[leaf.index]
    pages = measure_pages(stream, chunk)
    values = max(chunk.values, 0)
    each = leaf.width + pages.total / max(values, 1)
    coded = leaf.text and pages.dictionary > 0 and pages.dictionary + pages.total <= memory_limit() // SHARE
    if leaf.text and not coded:
        each += pages.dictionary
    of_a_row = each * max(1.0, values / max(group.rows, 1))
    fixed = pages.dictionary + pages.largest
    if leaf.repeated:  # one row may have all values, and they may be stored as one and its count
        fixed += max(0, leaf.width * values - pages.total)
    return Estimate(per_row=of_a_row, fixed=fixed, coded=coded)
