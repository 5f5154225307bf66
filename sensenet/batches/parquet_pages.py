"""Finds how large the pages of a Parquet file are once they are decompressed, before anything does so.

The metadata at the end of a file says so too, but nothing compares that with the pages, each of which has a
header. Both are read here, because pyarrow ends the process for some damage in the metadata of a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from sensenet.batches.thrift import CompactReader, Structure
from sensenet.limits import require_memory
from sensenet.records import frozen

MAGIC = b"PAR1"

OBJECTS = 64
"""Bytes that the metadata takes in Python for each of its own."""

HEADER = 1 << 12
"""Bytes that are read for a header at first; statistics make it longer."""

LONGEST_HEADER = 1 << 24
"""The longest header that Arrow reads."""

DICTIONARY_PAGE = 2

DATA_HEADERS = (5, 8)
"""Fields of the header of a page that are structures, whose first field is the number of values."""


@frozen
class Chunk:
    """The values of a column in a row group: their number, and where their pages begin, and their length."""

    values: int
    start: int
    length: int


@frozen
class RowGroup:
    """Rows, and their columns in the order of the schema."""

    rows: int
    chunks: tuple[Chunk, ...]


@frozen
class Pages:
    """The sizes of a column's decompressed pages: of its dictionary, the largest other one, all others."""

    dictionary: int
    largest: int
    total: int


def read_row_groups(file: BinaryIO) -> list[RowGroup]:
    """Return the row groups of a file; raise ValueError for damaged metadata, LimitError if it is long."""
    size = file.seek(0, 2)
    file.seek(max(size - 8, 0))
    end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if not end.endswith(MAGIC) or length > size - 8:
        raise ValueError("it does not end like a Parquet file")
    require_memory(OBJECTS * length, "reading the metadata of a Parquet file")
    file.seek(size - 8 - length)
    try:
        groups = CompactReader(file.read(length)).structure()[4]
        return [_read_row_group(group) for group in groups]
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise ValueError("its metadata is damaged") from error


def _read_row_group(group: Structure) -> RowGroup:
    chunks = []
    for column in group[1]:
        details = column[3]
        start, dictionary = details[9], details.get(11, 0)
        if 0 < dictionary < start:
            start = dictionary
        chunks.append(Chunk(values=details[5], start=start, length=details[7]))
    return RowGroup(group[3], tuple(chunks))


def measure_pages(file: BinaryIO, chunk: Chunk) -> Pages:
    """Return the sizes of the pages of a column; raise ValueError for a damaged header."""
    dictionary = largest = total = 0
    for kind, size in _read_pages(file, chunk):
        if kind == DICTIONARY_PAGE:
            dictionary = max(dictionary, size)
        else:
            largest, total = max(largest, size), total + size
    return Pages(dictionary, largest, total)


def _read_pages(file: BinaryIO, chunk: Chunk) -> Iterator[tuple[int, int]]:
    """Yield the type and size of each page, as long as Arrow reads some."""
    start, values = chunk.start, 0
    while values < chunk.values and start < chunk.start + chunk.length:
        try:
            header, length = _read_header(file, start)
            kind, uncompressed, compressed = (header[field] for field in (1, 2, 3))
            values += sum(header[field][1] for field in DATA_HEADERS if field in header)
            start += length + compressed
            if uncompressed < 0 or compressed < 0:
                raise ValueError("a size is negative")
        except (LookupError, ValueError, TypeError) as error:
            raise ValueError("the header of a page is damaged") from error
        yield kind, uncompressed


def _read_header(file: BinaryIO, start: int) -> tuple[Structure, int]:
    """Return the fields of the header at some place, and its length; raises what `structure` raises."""
    size = HEADER
    while True:
        file.seek(start)
        content = file.read(size)
        reader = CompactReader(content)
        try:
            return reader.structure(), reader.position
        except IndexError:
            if len(content) < size or size >= LONGEST_HEADER:
                raise
        size *= 8
