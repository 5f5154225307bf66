"""Recognizes saved artifacts by their content, and opens them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from sensenet.artifact import Executable
from sensenet.backends import TARGETS
from sensenet.backends.target import Target
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_head
from sensenet.ir.graph import Graph


def find_target(source: Any) -> Target[Any] | None:
    """Return the target whose artifact is at a path; None for anything else, such as a document.

    Pipes and devices are not read, because that would consume the document. Raises ArtifactError for a
    damaged archive.
    """
    if not isinstance(source, str | os.PathLike) or not os.path.exists(source):
        return None
    path = Path(source)
    head = read_head(path)
    return next((target for target in TARGETS.values() if target.recognizes(path, head)), None)


def open_saved(path: str | os.PathLike[str], target: Target[Any]) -> Executable:
    """Open a saved artifact in its target's runtime; raise ArtifactError if it cannot be run."""
    if os.path.isdir(path):
        _require_own_files(Path(path))
    return target.open(Path(path))


def _require_own_files(root: Path) -> None:
    """Raise ArtifactError for a pipe or device in a directory, which may never end, or a link out of it."""
    real = os.path.realpath(root)
    try:
        for path in root.rglob("*"):
            if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
                raise ArtifactError(f"{path} is not a file: an artifact contains only files")
            if os.path.commonpath([real, os.path.realpath(path)]) != real:
                raise ArtifactError(f"{path} is a link out of {root}: an artifact contains its own files")
    except OSError as error:
        raise ArtifactError(f"{error.filename or root} cannot be read: {error.strerror or error}") from error


def read_kept_graph(path: str | os.PathLike[str], target: Target[Any]) -> Graph | None:
    """Return the graph that a saved artifact contains next to its runtime's files, or None.

    The graph runs without that runtime. Raises ArtifactError for a damaged file.
    """
    if target.read_graph is None:
        return None
    if os.path.isdir(path):
        _require_own_files(Path(path))
    return target.read_graph(Path(path))


def read_saved_graph(source: Any, target: Target[Any]) -> Graph:
    """Return the graph of the artifact at a path; raise ArtifactError if it does not contain its graph."""
    graph = read_kept_graph(source, target) or open_saved(source, target).graph
    if graph is None:
        raise ArtifactError(
            f"{os.fspath(source)} was compiled for {target.name} and does not contain its graph: "
            "compile its document instead"
        )
    return graph
