"""The target savedmodel: a TensorFlow SavedModel with two signatures.

`serving_default` takes the graph's tensors: any number of rows, images of any height and width. `predict_row`
takes one named tensor per cell of the row (see `rows`), and returns labels. The directory `assets` contains
the signature (`sensenet.json`), the settings in the published package's form (`settings.json`), and the
graph, so that the model can be compiled for another target (see `graphs`). A SavedModel of the published
package, unpacked from a bundle, can be opened too (see `published`).
"""

from __future__ import annotations

import re
from pathlib import Path

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends.options import Options
from sensenet.backends.savedmodel.names import MODEL_FILE, SIGNATURE_FILE
from sensenet.backends.target import Target
from sensenet.files.destinations import Layout
from sensenet.ir.graph import Graph
from sensenet.ir.legality import Legal

LAYOUT = Layout(
    names=re.compile(
        r"(saved_model|fingerprint|keras_metadata)\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})"
        r"|assets/((sensenet|settings|weights)\.json|graph\.(ir|npz))"
    ),
    mark=SIGNATURE_FILE,
)


def legal() -> Legal:
    """Return the ops that a SavedModel supports: those that are emitted with TensorFlow's API."""
    from sensenet.backends.tensorflow import LEGAL

    return LEGAL


def build(graph: Graph, report: Report, _: Options) -> Artifact:
    """Return the graph as a directory of files."""
    from sensenet.backends.savedmodel.files import make_files

    files = make_files(graph)
    return Artifact(target="savedmodel", graph=graph, report=report, produce=lambda: files, layout=LAYOUT)


def load(artifact: Artifact) -> Executable:
    """Run an artifact."""
    from sensenet.backends.savedmodel.opening import open_files

    return open_files(artifact.files, "the artifact")


def open(path: Path) -> Executable:
    """Run a saved directory; raises ArtifactError if it is damaged or not a deepnet."""
    from sensenet.backends.savedmodel.loading import read_saved_files
    from sensenet.backends.savedmodel.opening import open_files

    return open_files(read_saved_files(path, str(path)), str(path))


def read_graph(path: Path) -> Graph | None:
    """Return the graph stored in a saved directory, or None if there is none. Raises ArtifactError."""
    from sensenet.backends.savedmodel.loading import read_saved_files
    from sensenet.backends.savedmodel.opening import read_files_graph

    return read_files_graph(read_saved_files(path, str(path)), str(path))


TARGET = Target(
    name="savedmodel",
    suffix="_savedmodel",
    description="a TensorFlow SavedModel, with signatures for tensors and for rows of named cells",
    options=Options,
    legal=legal,
    build=build,
    load=load,
    open=open,
    recognizes=lambda path, _: (path / MODEL_FILE).is_file(),
    simplifies=True,
    read_graph=read_graph,
)
