"""The target savedmodel: a TensorFlow SavedModel with two signatures.

`serving_default` takes the graph's tensors: any number of rows, pictures of any height and width.
`predict_row` takes one named tensor a cell of the row (see `rows`), and answers with labels. The directory
`assets` tells what a caller must know: `sensenet.json`, and `settings.json` as the published package has it;
and it keeps the graph, so that the model can be compiled for another target (see `graphs`).
A SavedModel of the published package, taken from one of its bundles, can be opened too (see `published`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends import Backend
from sensenet.backends.lowering import LEGAL
from sensenet.backends.options import check_options
from sensenet.backends.savedmodel.files import SIGNATURE_FILE, TENSORS, make_files
from sensenet.backends.savedmodel.graphs import MODEL_FILE, read_graph
from sensenet.backends.savedmodel.loading import load_function, read_json
from sensenet.backends.savedmodel.published import open_published
from sensenet.destinations import Layout
from sensenet.directories import temporary_directory
from sensenet.errors import ArtifactError
from sensenet.ir.graph import Graph
from sensenet.ir.signature import Signature

LAYOUT = Layout(
    names=re.compile(
        r"(saved_model|fingerprint|keras_metadata)\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})"
        r"|assets/((sensenet|settings)\.json|graph\.(ir|npz))"
    ),
    mark=SIGNATURE_FILE,
)


def build(graph: Graph, report: Report, options: Mapping[str, Any]) -> Artifact:
    """The graph as a directory of files."""
    check_options("savedmodel", options)
    files = make_files(graph)
    return Artifact(target="savedmodel", graph=graph, report=report, produce=lambda: files, layout=LAYOUT)


def load(artifact: Artifact) -> Executable:
    """Run an artifact."""
    return open_files(artifact.files, "the artifact")


def open_files(files: Mapping[str, bytes], where: str) -> Executable:
    """Run the files of a SavedModel, given by relative path; raises ArtifactError naming `where`."""
    with temporary_directory() as directory:
        for name, content in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return open_directory(directory, where)


def open(path: Path) -> Executable:
    """Run a saved directory; raises ArtifactError for one that is damaged, or holds no deepnet."""
    return open_directory(path, str(path))


def open_directory(path: Path, where: str) -> Executable:
    """Run the SavedModel in a directory, which is not needed afterwards; raises ArtifactError."""
    if not (path / MODEL_FILE).is_file():
        raise ArtifactError(f"{where} is no SavedModel: it has no {MODEL_FILE}")
    if not (path / SIGNATURE_FILE).is_file():
        return open_published(path, where)
    signature = Signature.from_json(read_json(path / SIGNATURE_FILE, where))
    return Executable(
        signature=signature,
        run=load_function(path, TENSORS, where),
        graph=read_graph(path, where),
    )


BACKEND = Backend(legal=LEGAL, build=build, load=load, open=open)
