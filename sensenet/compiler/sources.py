"""Recognizes saved artifacts, by their content, and opens them."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

from sensenet.artifact import Executable
from sensenet.backends import TARGETS, load_backend
from sensenet.backends.formats.smbundle import is_bundle
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_member_names
from sensenet.ir.graph import Graph
from sensenet.ir.printer import HEADER

ZIP_START = b"PK\x03\x04"
KERAS_MEMBER = "config.json"
SAVEDMODEL_FILE = "saved_model.pb"
TFLITE_MARK = slice(4, 8), b"TFL3"
H5_START = b"\x89HDF\r\n\x1a\n"
GRAPH_MODEL_FILE = "model.json"
GRAPH_MODEL = re.compile(rb'\s*\{\s*"format"\s*:\s*"graph-model"')
LONGEST_START = 64


def find_target(source: Any) -> str | None:
    """The target whose artifact is at a path; None for anything else, such as a document.

    Nothing is read of a pipe or a device, which whoever reads the document gets whole.
    """
    if not isinstance(source, str | os.PathLike) or not os.path.exists(source):
        return None
    path = Path(source)
    if path.is_dir():
        return _target_of_directory(path)
    return _target_of_file(path)


def _target_of_directory(path: Path) -> str | None:
    if (path / SAVEDMODEL_FILE).is_file():
        return "savedmodel"
    return _target_of_file(path / GRAPH_MODEL_FILE)


def _target_of_file(path: Path) -> str | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as stream:
            start = stream.read(LONGEST_START)
    except OSError:
        return None  # whoever reads it next says why it cannot be read
    place, mark = TFLITE_MARK
    if start[place] == mark:
        return "tflite"
    if start.startswith(ZIP_START):
        return _target_of_archive(path)
    if start.startswith(H5_START):
        return "h5"
    if is_bundle(start):
        return "smbundle"
    if GRAPH_MODEL.match(start):
        return "tfjs"
    return "ir" if start.startswith(HEADER.encode()) else None


def _target_of_archive(path: Path) -> str | None:
    names = read_member_names(path)
    if KERAS_MEMBER in names:
        return "keras"
    return "numpy" if any(name.endswith(".npy") for name in names) else None


def open_saved(path: str | os.PathLike[str], target: str) -> Executable:
    """A saved artifact in the runtime of its target; raises ArtifactError for one that cannot be run."""
    if target not in TARGETS:
        raise ArtifactError(f"{os.fspath(path)} is made for {target}, which this release does not open")
    if os.path.isdir(path):
        _require_own_files(Path(path))
    return load_backend(target).open(Path(path))


def _require_own_files(root: Path) -> None:
    """Raise ArtifactError for a pipe or device in a directory, which might never end, or a link out of it."""
    real = os.path.realpath(root)
    try:
        for path in root.rglob("*"):
            if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
                raise ArtifactError(f"{path} is not a file: an artifact holds nothing else")
            if os.path.commonpath([real, os.path.realpath(path)]) != real:
                raise ArtifactError(f"{path} is a link out of {root}: an artifact holds its own files")
    except OSError as error:
        raise ArtifactError(f"{error.filename or root} cannot be read: {error.strerror or error}") from error


def read_kept_graph(path: str | os.PathLike[str], target: str) -> Graph | None:
    """The graph that a file of a TensorFlow target keeps beside what its runtime runs; None if there is none.

    The graph runs without that runtime. Raises ArtifactError for a file that is damaged.
    """
    read = load_backend(target).read_graph if target in TARGETS else None
    if read is None:
        return None
    if os.path.isdir(path):
        _require_own_files(Path(path))
    return read(Path(path))


def read_saved_graph(source: Any) -> Graph | None:
    """The graph of an artifact at a path; None for anything that is no artifact.

    Raises ArtifactError for one that keeps no graph: its target has compiled it away.
    """
    target = find_target(source)
    if target is None:
        return None
    graph = read_kept_graph(source, target) or open_saved(source, target).graph
    if graph is None:
        raise ArtifactError(
            f"{os.fspath(source)} is made for {target} and keeps no graph to compile again: "
            "compile the document that it was made from"
        )
    return graph
