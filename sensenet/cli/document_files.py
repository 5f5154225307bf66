"""Writes documents of commands to a file, compressed if its name ends in .gz, or to stdout."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensenet.cli.common import STANDARD
from sensenet.files.writing import require_free, require_replaceable, write_all
from sensenet.frontend.strip import encode_document


def require_writable(output: str, force: bool) -> None:
    """Raise ArtifactError if the path exists, before all the work."""
    if output != STANDARD:
        require_free(Path(output), force)


def write_document(document: Mapping[str, Any], output: str, force: bool) -> int:
    """Write a document and return its number of bytes; raise ArtifactError if it cannot be written."""
    content = encode_document(document)
    if output == STANDARD:
        sys.stdout.buffer.write(content)
        return len(content)
    packed = gzip.compress(content, mtime=0) if output.endswith(".gz") else content
    require_free(Path(output), force)
    require_replaceable(Path(output), packed)
    write_all({Path(output): packed}, force)
    return len(packed)
