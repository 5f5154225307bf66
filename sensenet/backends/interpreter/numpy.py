"""The target numpy: one .npz file that predicts without TensorFlow.

Its member `graph` is the text form (UTF-8, as uint8); the others are the weights that it names, by digest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends.interpreter import execute, load
from sensenet.backends.options import Options
from sensenet.backends.target import Target
from sensenet.errors import ArtifactError
from sensenet.files.reading import ZIP_START, read_file
from sensenet.ir.graph import Graph
from sensenet.ir.legality import every_op
from sensenet.ir.printer import print_graph, weights

FILE_NAME = "model.npz"
GRAPH_MEMBER = "graph"
ARRAY_SUFFIX = ".npy"


def build(graph: Graph, report: Report, _: Options) -> Artifact:
    """Return the graph as one .npz file."""
    return Artifact(target="numpy", graph=graph, report=report, produce=lambda: {FILE_NAME: _write(graph)})


def _write(graph: Graph) -> bytes:
    from sensenet.backends.formats.npz import write_npz

    text = np.frombuffer(print_graph(graph).encode(), np.uint8)
    return write_npz({GRAPH_MEMBER: text, **weights(graph)})


def open(path: Path) -> Executable:
    """Run a saved file; raises ArtifactError for a file that is damaged, or that sensenet did not write."""
    from sensenet.backends.formats.npz import read_npz
    from sensenet.backends.interpreter.executable import make_executable, parse_saved

    arrays = read_npz(read_file(path), str(path))
    text = arrays.pop(GRAPH_MEMBER, None)
    if text is None:
        graph = path.with_suffix(".ir")
        if graph.is_file():
            raise ArtifactError(f"{path} has the weights of {graph.name}: open that")
        raise ArtifactError(f"{path} was not made by sensenet: it has no member {GRAPH_MEMBER!r}")
    return make_executable(parse_saved(text.tobytes(), arrays, str(path)))


def recognizes(path: Path, head: bytes) -> bool:
    """Return whether a file is an archive of arrays; raises ArtifactError for a damaged archive."""
    if not head.startswith(ZIP_START):
        return False
    from sensenet.files.archives import read_member_names

    return any(name.endswith(ARRAY_SUFFIX) for name in read_member_names(path))


TARGET = Target(
    name="numpy",
    suffix=".npz",
    description="one .npz file that predicts without TensorFlow",
    options=Options,
    legal=every_op,
    build=build,
    load=load,
    open=open,
    recognizes=recognizes,
    execute=execute,
)
