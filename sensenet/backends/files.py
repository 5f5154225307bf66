"""Reading saved artifacts, which may be truncated, foreign or hostile: every fault is an ArtifactError."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

from sensenet.errors import ArtifactError

LARGEST_RATIO = 100
"""A member that claims to be this many times larger than the whole archive is a decompression bomb."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_file(path: Path) -> bytes:
    """The content of a file; raises ArtifactError where it cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ArtifactError(f"{path} is not a file: expected a saved artifact")
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}") from error


def read_members(content: bytes, where: str, names: list[str] | None = None) -> dict[str, bytes]:
    """The members of a ZIP archive, or those of the given names that it has.

    Raises ArtifactError, naming `where`, for what is no archive, is damaged, or has a member that unpacks to
    much more than the archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                _check_member(info, len(content), where)
            wanted = archive.namelist() if names is None else set(names) & set(archive.namelist())
            return {name: archive.read(name) for name in wanted}
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        raise ArtifactError(f"{where} is truncated, damaged or no such file ({error})") from error


def _check_member(info: zipfile.ZipInfo, size: int, where: str) -> None:
    if info.compress_type not in METHODS or info.file_size > LARGEST_RATIO * size:
        raise ArtifactError(
            f"{where}: {info.filename} claims to hold {info.file_size} bytes, packed by method "
            f"{info.compress_type}, in a file of {size} bytes; sensenet writes no such file"
        )
