"""The target smbundle: the SavedModel of the target savedmodel in one file (SPEC §10)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends import Backend
from sensenet.backends.formats.smbundle import pack, unpack
from sensenet.backends.options import check_options
from sensenet.backends.savedmodel import open_files, read_files_graph
from sensenet.backends.savedmodel.files import make_files
from sensenet.backends.tensorflow import LEGAL
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.ir.graph import Graph

FILE_NAME = "model.smbundle"


def build(graph: Graph, report: Report, options: Mapping[str, Any]) -> Artifact:
    """The graph as one bundle."""
    check_options("smbundle", options)
    bundle = pack(make_files(graph))
    return Artifact(target="smbundle", graph=graph, report=report, produce=lambda: {FILE_NAME: bundle})


def load(artifact: Artifact) -> Executable:
    """Run an artifact."""
    return _run(bytes(artifact), "the artifact")


def open(path: Path) -> Executable:
    """Run a saved bundle, of ours or of the published package; raises ArtifactError for anything else."""
    return _run(read_file(path), str(path))


def read_kept_graph(path: Path) -> Graph | None:
    """Return the graph that a saved bundle keeps; None if it keeps none."""
    return read_files_graph(_unpack(read_file(path), str(path)), str(path))


def _run(bundle: bytes, where: str) -> Executable:
    return open_files(_unpack(bundle, where), where)


def _unpack(bundle: bytes, where: str) -> Mapping[str, bytes]:
    try:
        return unpack(bundle)
    except ArtifactError as error:
        raise ArtifactError(f"{where}: {error}") from error


BACKEND = Backend(legal=LEGAL, build=build, load=load, open=open, read_graph=read_kept_graph, simplifies=True)
