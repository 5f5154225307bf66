"""Reads CSV files through pyarrow, with the rows and errors of `sensenet.runtime.row_files`.

A file is read in blocks that end with a record. pyarrow parses a block in a fraction of the time, and only if
the block is CSV to Python's parser too; any other block, and a file that is not well-formed from there on,
is left to that.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, BinaryIO

from sensenet.batches.arrow import RecordBatch, import_arrow
from sensenet.batches.parts import Part, read_share
from sensenet.records import frozen
from sensenet.runtime.row_files import CheckNames, RowFile, accept_any_names, longest_line

BLOCK = 8 << 20
"""Bytes that are read at once."""

PARSED_AT_ONCE = 4096
"""Rows that Python parses for a batch."""

BYTE_ORDER_MARK = "\ufeff".encode()


@frozen
class Grammar:
    """Expressions for the records of a CSV file with some delimiter, as Python's strict parser reads them.

    `records` matches as many whole records as there are, `last` one without a line end, and `unfinished` the
    beginning of one.
    """

    records: re.Pattern[bytes]
    last: re.Pattern[bytes]
    unfinished: re.Pattern[bytes]


@lru_cache(maxsize=8)
def make_grammar(delimiter: str) -> Grammar:
    """Return the expressions for a delimiter.

    No part of them is ever tried twice, so they take linear time.
    """
    between = re.escape(delimiter.encode())
    outside = b"" if len(between) > 2 else between  # a class cannot exclude a character of several bytes
    quoted = rb'"[^"]*+(?:""[^"]*+)*+'
    if outside:
        plain = rb'[^"%b\r\n][^%b\r\n]*+' % (between, between)
    else:
        plain = rb'(?!%b)[^"\r\n](?:(?!%b)[^\r\n])*+' % (between, between)
    field = rb'(?:%b"|%b)?+' % (quoted, plain)
    record = rb"(?:%b%b)*+%b" % (field, between, field)
    return Grammar(
        records=re.compile(rb"(?:%b(?:\r\n|\n|\r(?!\Z)))*+" % record),
        last=re.compile(rb"%b\r?" % record),
        unfinished=re.compile(rb'(?:%b%b)*+(?:%b"?|%b)?+\r?' % (field, between, quoted, plain)),
    )


@frozen
class Split:
    """A block divided into whole records and a rest, which is the beginning of a record or `malformed`."""

    records: bytes
    rest: bytes
    malformed: bool = False


def split_records(block: bytes, at_end: bool, delimiter: str) -> Split:
    """Divide a block after its last whole record; `at_end` tells that the file ends with the block."""
    if b'"' not in block:
        if at_end:
            return Split(block, b"")
        end = block.rfind(b"\n") + 1 or block.rfind(b"\r", 0, -1) + 1
        return Split(block[:end], block[end:])
    grammar = make_grammar(delimiter)
    found = grammar.records.match(block)
    end = found.end() if found else 0
    rest = block[end:]
    if at_end and grammar.last.fullmatch(rest):
        return Split(block, b"")
    return Split(block[:end], rest, malformed=at_end or not grammar.unfinished.fullmatch(rest))


def csv_parts(file: RowFile, check: CheckNames = accept_any_names) -> Iterator[Part]:
    """Yield the rows of a CSV file with a header as batches of text, in which an empty cell is null.

    `check` is called with the header. Raises what `RowFile.rows` raises.
    """
    with file.open() as stream:
        recorded = _Recorded(stream)
        header = file.read_header(recorded, check)  # type: ignore[arg-type]
        if header is not None:
            names, lines = header
            start = _find_line(recorded.seen, lines)
            yield from _Below(file, names).parts(stream, bytes(recorded.seen[start:]), lines + 1)


@frozen
class _Below:
    """Reads what is below the header of a file."""

    file: RowFile
    names: list[str]

    def parts(self, stream: BinaryIO, rest: bytes, line: int) -> Iterator[Part]:
        """Yield the batches of a rest, and of the stream after it; `line` is the number of the first line."""
        longest = longest_line()
        at_end = False
        while not at_end:
            more = self._read(stream, min(BLOCK, longest // 2 + 1))
            at_end = not more
            split = split_records(rest + more, at_end, self.file.delimiter)
            rest = split.rest
            if split.records:
                yield from self._parse(split.records, line, read_share(stream))
                line += _count_lines(split.records)
            if split.malformed or len(rest) > longest:
                yield from self._parse_slowly(_Chained(rest, stream), line)
                return

    def _read(self, stream: BinaryIO, size: int) -> bytes:
        try:
            return stream.read(size)
        except OSError as error:
            raise self.file.unreadable(error) from error

    def _parse(self, block: bytes, line: int, share: float | None) -> Iterator[Part]:
        batches = self._parse_fast(block)
        if batches is None:
            yield from self._parse_slowly(io.BytesIO(block), line)
            return
        start = 0
        for batch in batches:
            yield Part(batch, partial(self._where, block, line, start), share)
            start += batch.num_rows

    def _parse_fast(self, block: bytes) -> list[RecordBatch] | None:
        """Return the rows of whole records; None if they are not CSV to pyarrow, or only to it."""
        if b"\0" in block or block.startswith(BYTE_ORDER_MARK) or len(block) > longest_line():
            return None
        pa, csv = import_arrow(), import_arrow("pyarrow.csv")
        text = pa.string()
        try:
            table = csv.read_csv(
                pa.BufferReader(block),
                csv.ReadOptions(column_names=self.names, block_size=len(block) + 1, use_threads=False),
                csv.ParseOptions(delimiter=self.file.delimiter, newlines_in_values=b'"' in block),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(self.names, text), null_values=[""], strings_can_be_null=True
                ),
            )
        except (pa.ArrowException, ValueError, TypeError):  # the other parser says what is wrong, if anything
            return None
        batches: list[RecordBatch] = table.to_batches()
        return batches

    def _where(self, block: bytes, line: int, start: int, row: int) -> str:
        rows = self.file.rows_below(self.names, io.BytesIO(block), line)
        number, _ = next(itertools.islice(rows, start + row, None))
        return f"{self.file.path}, line {number}"

    def _parse_slowly(self, stream: Any, line: int) -> Iterator[Part]:
        rows = self.file.rows_below(self.names, stream, line)
        while some := list(itertools.islice(rows, PARSED_AT_ONCE)):
            yield text_part(self.file.path, self.names, some)


def text_part(path: str, names: Sequence[str], rows: Sequence[tuple[int, Any]]) -> Part:
    """Return rows of text by name, each with its line, as a batch."""
    pa = import_arrow()
    columns = [pa.array([row[name] for _, row in rows], pa.string()) for name in names]
    lines = [line for line, _ in rows]
    return Part(
        pa.RecordBatch.from_arrays(columns, names=list(names)), lambda row: f"{path}, line {lines[row]}"
    )


LINE_END = re.compile(rb"\r\n|\n|\r")


def _count_lines(block: bytes) -> int:
    lines = block.count(b"\n")
    return lines + block.count(b"\r") - block.count(b"\r\n") if b"\r" in block else lines


def _find_line(content: bytes | bytearray, lines: int) -> int:
    """Return where the line after a number of lines begins."""
    found = next(itertools.islice(LINE_END.finditer(content), lines - 1, None), None)
    return found.end() if found else len(content)


class _Recorded(io.RawIOBase):
    """A stream that keeps what is read of it, in `seen`."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.seen = bytearray()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self.stream.read(len(buffer))
        buffer[: len(content)] = content
        self.seen += content
        return len(content)


class _Chained(io.RawIOBase):
    """Some bytes, and a stream after them."""

    def __init__(self, first: bytes, stream: BinaryIO) -> None:
        self.first = io.BytesIO(first)
        self.stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self.first.read(len(buffer)) or self.stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)
