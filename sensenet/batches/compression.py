"""Reads and writes compressed files as streams: gzip, and with pyarrow Zstandard."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from sensenet.batches.arrow import import_arrow

COMPRESSIONS: Mapping[str, str] = {".gz": "gzip", ".zst": "zstd"}
"""Compressions by suffix."""


def split_compression(path: str) -> tuple[str, str | None]:
    """Return a path without the suffix of a compression, and the compression."""
    suffix = Path(path).suffix.lower()
    return (path[: -len(suffix)], COMPRESSIONS[suffix]) if suffix in COMPRESSIONS else (path, None)


def open_input(path: str) -> BinaryIO:
    """Open a file for reading, uncompressed; raises OSError, also while reading a damaged file."""
    stream: Any = Path(path).open("rb")  # noqa: SIM115 - closed by whom it is returned to
    match split_compression(path)[1]:
        case "gzip":
            return io.BufferedReader(_Decompressed(gzip.GzipFile(fileobj=stream), stream))
        case "zstd":
            pa = import_arrow()
            return io.BufferedReader(_Decompressed(pa.CompressedInputStream(stream, "zstd"), stream))
    return stream  # type: ignore[no-any-return]


class _Decompressed(io.RawIOBase):
    """A decompressing stream, and the file below it; it raises OSError whatever is wrong with the file."""

    def __init__(self, decompressor: Any, file: BinaryIO) -> None:
        self.decompressor = decompressor
        self.file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            content = self.decompressor.read(len(buffer))
        except (EOFError, ValueError, zlib.error) as error:
            raise OSError(f"the compressed file is damaged or truncated ({error})") from error
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self.file.close()
        super().close()


@contextlib.contextmanager
def compressed(stream: BinaryIO, compression: str | None) -> Iterator[Any]:
    """Yield a stream that compresses what is written to it, into another one."""
    if compression is None:
        yield stream
    elif compression == "gzip":
        with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as file:
            yield file
    else:
        with import_arrow().CompressedOutputStream(KeptOpen(stream), compression) as file:
            yield file


class KeptOpen(io.RawIOBase):
    """A stream to write to that stays open when pyarrow closes it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        return self.stream.write(content)
