"""The target smbundle: the SavedModel of the target savedmodel in one file (SPEC §10)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends.formats.smbundle import is_bundle, pack, unpack
from sensenet.backends.options import Options
from sensenet.backends.savedmodel import legal
from sensenet.backends.target import Target
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.ir.graph import Graph

SUFFIX = ".smbundle"
FILE_NAME = f"model{SUFFIX}"


def build(graph: Graph, report: Report, _: Options) -> Artifact:
    """Return the graph as one bundle."""
    from sensenet.backends.savedmodel.files import make_files

    bundle = pack(make_files(graph))
    return Artifact(target="smbundle", graph=graph, report=report, produce=lambda: {FILE_NAME: bundle})


def load(artifact: Artifact) -> Executable:
    """Run an artifact."""
    return _run(bytes(artifact), "the artifact")


def open(path: Path) -> Executable:
    """Run a saved bundle, of ours or of the published package; raises ArtifactError for anything else."""
    return _run(read_file(path), str(path))


def read_graph(path: Path) -> Graph | None:
    """Return the graph that a saved bundle keeps; None if it keeps none."""
    from sensenet.backends.savedmodel.opening import read_files_graph

    return read_files_graph(_unpack(read_file(path), str(path)), str(path))


def _run(bundle: bytes, where: str) -> Executable:
    from sensenet.backends.savedmodel.opening import open_files

    return open_files(_unpack(bundle, where), where)


def _unpack(bundle: bytes, where: str) -> Mapping[str, bytes]:
    try:
        return unpack(bundle)
    except ArtifactError as error:
        raise ArtifactError(f"{where}: {error}") from error


TARGET = Target(
    name="smbundle",
    suffix=SUFFIX,
    description="that SavedModel in one file",
    options=Options,
    legal=legal,
    build=build,
    load=load,
    open=open,
    recognizes=lambda _, head: is_bundle(head),
    simplifies=True,
    read_graph=read_graph,
)
