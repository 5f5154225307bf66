"""Reads paths that callers give."""

from __future__ import annotations

import os
from pathlib import Path

from sensenet.errors import ArtifactError, InputTypeError


def as_path(given: str | os.PathLike[str]) -> Path:
    """Return a caller's path; raise InputTypeError if it is of another type, ArtifactError if it is empty."""
    if not isinstance(given, str | os.PathLike):
        raise InputTypeError(f"expected a path, as text or pathlib.Path; found {type(given).__name__}")
    if not os.fspath(given):
        raise ArtifactError("expected a path, found an empty text")
    return Path(given)
