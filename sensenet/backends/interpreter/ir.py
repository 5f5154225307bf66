"""The target ir: the graph as text, and its weights in an .npz file of the same name beside it.

With the option `dot`, a drawing of the graph in Graphviz's language stands beside them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensenet.artifact import Artifact, Executable, Files, Report
from sensenet.backends import Backend
from sensenet.backends.formats.npz import read_npz, write_npz
from sensenet.backends.interpreter.executable import make_executable, parse_saved
from sensenet.backends.options import check_options
from sensenet.drawing import to_dot
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.ir.graph import Graph
from sensenet.ir.legality import all_of
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.printer import print_graph, weights

TEXT_FILE, WEIGHTS_FILE, DRAWING_FILE = "model.ir", "model.npz", "model.dot"

SHARED_WEIGHTS_FILE = "weights.npz"
"""The weights of all texts in a directory that have none of their own: the stages of a compilation."""


def build(graph: Graph, report: Report, options: Mapping[str, Any]) -> Artifact:
    """The graph as text and weights; the option `dot` (default false) adds a drawing."""
    check_options("ir", options, ["dot"])
    return Artifact(
        target="ir",
        graph=graph,
        report=report,
        produce=lambda: _write(graph, drawing=bool(options.get("dot", False))),
        beside=True,
        bridge=_bridge,
    )


def _write(graph: Graph, drawing: bool) -> dict[str, bytes]:
    files = {TEXT_FILE: print_graph(graph).encode(), WEIGHTS_FILE: write_npz(weights(graph))}
    return files | ({DRAWING_FILE: to_dot(graph).encode()} if drawing else {})


def _bridge(old: Files, new: Files) -> dict[str, bytes]:
    """The weights of the old text and of the new one together, which name theirs by content."""
    try:
        present = read_npz(old[WEIGHTS_FILE], WEIGHTS_FILE)
    except (KeyError, ArtifactError):  # what is there cannot be opened anyway
        return {}
    return {WEIGHTS_FILE: write_npz({**present, **read_npz(new[WEIGHTS_FILE], WEIGHTS_FILE)})}


def load(artifact: Artifact) -> Executable:
    """Run an artifact."""
    return make_executable(artifact.graph)


def open(path: Path) -> Executable:
    """Run a saved text with the .npz beside it; raises ArtifactError where one is missing or damaged."""
    own, shared = path.with_suffix(Path(WEIGHTS_FILE).suffix), path.with_name(SHARED_WEIGHTS_FILE)
    beside = shared if shared.exists() and not own.exists() else own
    arrays = read_npz(read_file(beside), str(beside))
    return make_executable(parse_saved(read_file(path), arrays, str(path)))


BACKEND = Backend(legal=all_of(*OP_CLASSES), build=build, load=load, open=open)
