"""Reads saved artifacts, which may be truncated, foreign or hostile; every fault raises ArtifactError."""

from __future__ import annotations

import stat
from pathlib import Path

from sensenet.errors import ArtifactError

HEAD = 64
"""Bytes that suffice to recognize a file."""

ZIP_START = b"PK\x03\x04"
"""The first bytes of a ZIP archive."""


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file; none of anything else, nor of a file that cannot be read.

    Nothing is read of a pipe or a device.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with path.open("rb") as stream:
            return stream.read(HEAD)
    except (OSError, ValueError):
        return b""  # whoever reads it next says why it cannot be read


def require_readable(path: Path) -> None:
    """Raise ArtifactError for a file that cannot be read."""
    if stat.S_ISREG(path.stat().st_mode):
        try:
            path.open("rb").close()
        except OSError as error:
            raise ArtifactError(f"{path} cannot be read: {error.strerror or error}") from error


def read_file(path: Path) -> bytes:
    """Return the content of a file; raise ArtifactError if it cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ArtifactError(f"{path} cannot be read: it is not a file; expected a saved artifact")
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ArtifactError(f"{str(path)!a} cannot be read: no file can have such a name") from error
