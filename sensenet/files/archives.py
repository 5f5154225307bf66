"""Reads ZIP archives, which may be truncated, foreign or hostile; every fault raises ArtifactError."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sensenet.errors import ArtifactError
from sensenet.limits import require_memory

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

ARCHIVE_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(RuntimeError, ValueError, OverflowError),  # encryption and versions, names, offsets
)


def read_members(content: bytes, where: str, names: list[str] | None = None) -> dict[str, bytes]:
    """Return the members of a ZIP archive, or those of the given names that it has.

    Raises ArtifactError, naming `where`, for content that is not an archive, is damaged, or uses another
    compression than sensenet; LimitError for members that together unpack to more than the archive and the
    limit.
    """
    with _opened(io.BytesIO(content), f"{where} is truncated, damaged or not such a file") as archive:
        members = _find_members(archive, where)
        wanted = [info for name, info in members.items() if names is None or name in names]
        require_memory(
            sum(info.file_size for info in wanted) - len(content), f"{where}: unpacking the archive"
        )
        return {info.filename: _read_member(archive, info, where) for info in wanted}


def read_member_names(path: Path) -> list[str]:
    """Return the names of the members of a ZIP archive; raise ArtifactError if it is damaged."""
    with _opened(path, f"{path} is truncated or damaged") as archive:
        return archive.namelist()


@contextlib.contextmanager
def _opened(source: Path | BinaryIO, fault: str) -> Iterator[zipfile.ZipFile]:
    """Yield the archive; raise ArtifactError, beginning with `fault`, for errors in the block."""
    try:
        with zipfile.ZipFile(source) as archive:
            yield archive
    except ARCHIVE_ERRORS as error:
        raise ArtifactError(f"{fault} ({error})") from error


def _find_members(archive: zipfile.ZipFile, where: str) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name; raise ArtifactError for duplicates or another compression."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.filename in members:
            raise ArtifactError(f"{where} has two members named {info.filename!r}")
        if info.compress_type not in METHODS:
            raise ArtifactError(
                f"{where}: {info.filename!r} has compression method {info.compress_type}, expected 0 or 8"
            )
        members[info.filename] = info
    return members


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> bytes:
    """Return a member's content, unpacking at most its declared size."""
    with archive.open(info) as stream:
        content = stream.read(info.file_size) if info.file_size else stream.read(1)
    if len(content) != info.file_size:
        raise ArtifactError(f"{where}: {info.filename!r} has {len(content)} bytes, expected {info.file_size}")
    return content
