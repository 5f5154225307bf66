"""The target savedmodel: a TensorFlow SavedModel with two signatures.

`serving_default` takes the graph's tensors: any number of rows, images of any height and width.
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
from sensenet.backends.options import check_options
from sensenet.backends.savedmodel.files import SIGNATURE_FILE, TENSORS, make_files
from sensenet.backends.savedmodel.graphs import MODEL_FILE, read_graph
from sensenet.backends.savedmodel.loading import load_function, read_json, read_saved_files
from sensenet.backends.savedmodel.published import open_published
from sensenet.backends.tensorflow import LEGAL
from sensenet.errors import ArtifactError
from sensenet.files.destinations import Layout
from sensenet.ir.graph import Graph
from sensenet.signature import Signature

LAYOUT = Layout(
    names=re.compile(
        r"(saved_model|fingerprint|keras_metadata)\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})"
        r"|assets/((sensenet|settings|weights)\.json|graph\.(ir|npz))"
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


def open(path: Path) -> Executable:
    """Run a saved directory; raises ArtifactError for one that is damaged, or holds no deepnet."""
    return open_files(read_saved_files(path, str(path)), str(path))


def open_files(files: Mapping[str, bytes], where: str) -> Executable:
    """Run the files of a SavedModel, given by relative path; raises ArtifactError naming `where`."""
    if MODEL_FILE not in files:
        raise ArtifactError(f"{where} is no SavedModel: it has no {MODEL_FILE}")
    if SIGNATURE_FILE not in files:
        return open_published(files, where)
    return Executable(
        signature=_read_signature(files, where),
        run=load_function(files, TENSORS, where),
        graph=read_graph(files, where),
    )


def _read_signature(files: Mapping[str, bytes], where: str) -> Signature:
    return Signature.from_json(read_json(files, SIGNATURE_FILE, where))


def read_kept_graph(path: Path) -> Graph | None:
    """Return the graph that a saved directory keeps; None if it keeps none. Raises ArtifactError."""
    return read_files_graph(read_saved_files(path, str(path)), str(path))


def read_files_graph(files: Mapping[str, bytes], where: str) -> Graph | None:
    """Return the graph that files of a SavedModel keep; None for those of the published package."""
    if MODEL_FILE not in files or SIGNATURE_FILE not in files:
        return None
    _read_signature(files, where)
    return read_graph(files, where)


BACKEND = Backend(legal=LEGAL, build=build, load=load, open=open, read_graph=read_kept_graph, simplifies=True)
