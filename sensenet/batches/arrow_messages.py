"""Finds how large the compressed buffers of Arrow's messages become, before anything decompresses them.

A message is a flatbuffer and a body. The flatbuffer of a record batch lists the buffers of the body; each of
them, if it is compressed, begins with its size.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO

from sensenet.limits import require_memory
from sensenet.records import frozen

MAGIC = b"ARROW1"

CONTINUATION = b"\xff\xff\xff\xff"
"""What is before the size of a message, in all but old files."""

DICTIONARY_BATCH, RECORD_BATCH = 2, 3
"""Types of messages with buffers."""

OLD_COMPRESSION = b"ARROW:experimental_compression"
"""The metadata of compressed messages in old files."""


@frozen
class Table:
    """A table of a flatbuffer: its buffer, and its position there. Methods raise struct.error, or IndexError,
    beyond the end."""

    content: bytes
    position: int

    def field(self, number: int) -> int | None:
        """Return the position of a field; None if the table lacks it."""
        table = self.position - self._read("<i", self.position)
        offset = 4 + 2 * number
        if table < 0 or offset >= self._read("<H", table):
            return None
        found = self._read("<H", table + offset)
        return self.position + found if found else None

    def integer(self, number: int, form: str) -> int:
        """Return a field that is an integer; 0 if the table lacks it."""
        at = self.field(number)
        return 0 if at is None else self._read(form, at)

    def table(self, number: int) -> Table | None:
        """Return a field that is a table."""
        at = self.field(number)
        return None if at is None else Table(self.content, at + self._read("<I", at))

    def structures(self, number: int, form: str) -> Iterator[tuple[int, ...]]:
        """Yield the structures of a field that is a vector of them."""
        at = self.field(number)
        if at is not None:
            start = at + self._read("<I", at)
            size = struct.calcsize(form)
            for index in range(self._read("<I", start)):
                yield struct.unpack_from(form, self.content, start + 4 + index * size)

    def _read(self, form: str, at: int) -> int:
        if at < 0:
            raise IndexError("before the beginning")
        (number,) = struct.unpack_from(form, self.content, at)
        return int(number)


def _root(content: bytes) -> Table:
    return Table(content, struct.unpack_from("<I", content)[0])


@frozen
class Message:
    """The type of a message, how long its body is, and where in it are buffers that are compressed."""

    kind: int
    body: int
    compressed: tuple[int, ...]


def read_message(content: bytes) -> Message:
    """Return what the flatbuffer of a message says; raise ValueError if it is damaged."""
    try:
        root = _root(content)
        kind, body = root.integer(1, "<B"), root.integer(3, "<q")
        batch = root.table(2)
        if batch and kind == DICTIONARY_BATCH:
            batch = batch.table(1)
        if not batch or kind not in (DICTIONARY_BATCH, RECORD_BATCH):
            return Message(kind, body, ())
        if batch.table(3) is None and OLD_COMPRESSION not in content:
            return Message(kind, body, ())
        buffers = [offset for offset, length in batch.structures(2, "<qq") if length > 0]
    except (struct.error, IndexError) as error:
        raise ValueError("a message is damaged") from error
    return Message(kind, body, tuple(buffers))


def require_decompressed(message: Message, read: Callable[[int, int], bytes]) -> None:
    """Raise LimitError if the buffers of a message become too large.

    `read(offset, length)` returns bytes of its body.
    """
    size = 0
    for offset in message.compressed:
        content = read(offset, 8)
        if len(content) == 8:
            size += max(0, int.from_bytes(content, "little", signed=True))
    require_memory(size, "decompressing a record batch")


def check_file(stream: BinaryIO) -> None:
    """Raise LimitError if a record batch, or a dictionary, of a file of Arrow becomes too large.

    Raises ValueError if the file is damaged.
    """
    size = stream.seek(0, 2)
    end = _read_at(stream, max(size - 10, 0), 10)
    if len(end) < 10 or not end.endswith(MAGIC):
        raise ValueError("it does not end like a file of Arrow")
    length = int.from_bytes(end[:4], "little", signed=True)
    if not 0 < length <= size - 10:
        raise ValueError("its footer is damaged")
    footer = _read_at(stream, size - 10 - length, length)
    try:
        root = _root(footer)
        blocks = [block for number in (2, 3) for block in root.structures(number, "<qi4xq")]
    except (struct.error, IndexError) as error:
        raise ValueError("its footer is damaged") from error
    for offset, metadata, _ in blocks:
        if not (0 <= offset <= size and 8 < metadata <= size - offset):
            raise ValueError("its footer is damaged")
        content = _read_at(stream, offset, metadata)
        message = read_message(content[8 if content.startswith(CONTINUATION) else 4 :])
        body = offset + metadata
        require_decompressed(message, lambda at, length, body=body: _read_at(stream, body + at, length))  # type: ignore[misc]
    stream.seek(0)


def _read_at(stream: BinaryIO, position: int, length: int) -> bytes:
    if position < 0:
        raise ValueError("a message is damaged")
    stream.seek(position)
    return stream.read(length)


class CheckedStream:
    """A stream of Arrow's messages, which pyarrow reads; it raises LimitError before one takes too much."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.pieces: deque[bytes] = deque()

    def read(self, size: int) -> bytes:
        """Return the next bytes; fewer than `size` at the end, which includes that of a message's part."""
        if not self.pieces:
            self.pieces.extend(filter(None, self._read_message()))
        if not self.pieces:
            return b""
        piece = self.pieces.popleft()
        if len(piece) > size:
            self.pieces.appendleft(piece[size:])
        return piece[:size]

    def _read_message(self) -> Iterator[bytes]:
        """Yield the next message in the parts that Arrow asks for."""
        length = self.stream.read(4)
        yield length
        if length == CONTINUATION:
            length = self.stream.read(4)
            yield length
        size = int.from_bytes(length, "little", signed=True)
        if len(length) < 4 or size == 0:
            return
        if size < 0:
            raise ValueError("a message is damaged")
        require_memory(size, "a message")
        metadata = self.stream.read(size)
        yield metadata
        if len(metadata) < size:
            return
        message = read_message(metadata)
        if message.body < 0:
            raise ValueError("a message is damaged")
        require_memory(message.body, "a record batch")
        body = self.stream.read(message.body)
        require_decompressed(message, lambda at, length: body[max(at, 0) : at + length])
        yield body
