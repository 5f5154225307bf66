"""The target ir: the graph as text, and its weights in an .npz file of the same name next to it.

With the option `dot`, a drawing of the graph in Graphviz's language is next to them too.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sensenet.artifact import Artifact, Executable, Files, Report
from sensenet.backends.interpreter import execute, load
from sensenet.backends.options import Options
from sensenet.backends.target import Target
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.ir.graph import Graph
from sensenet.ir.legality import every_op
from sensenet.ir.printer import HEADER, print_graph, weights
from sensenet.records import frozen

TEXT_FILE, WEIGHTS_FILE, DRAWING_FILE = "model.ir", "model.npz", "model.dot"

SHARED_WEIGHTS_FILE = "weights.npz"
"""The weights of all texts in a directory that have none of their own: the stages of a compilation."""


@frozen(kw_only=True)
class IrOptions(Options):
    """What is written next to the text and the weights."""

    dot: bool = False
    """Write a drawing of the graph in Graphviz's language too."""


def build(graph: Graph, report: Report, options: IrOptions) -> Artifact:
    """Return the graph as text and weights, and as a drawing if wanted."""
    return Artifact(
        target="ir",
        graph=graph,
        report=report,
        produce=lambda: _write(graph, drawing=options.dot),
        separate_files=True,
        bridge=_bridge,
    )


def _write(graph: Graph, drawing: bool) -> dict[str, bytes]:
    from sensenet.backends.formats.npz import write_npz

    files = {TEXT_FILE: print_graph(graph).encode(), WEIGHTS_FILE: write_npz(weights(graph))}
    if drawing:
        from sensenet.drawing import to_dot  # eleven modules that no other artifact needs

        files[DRAWING_FILE] = to_dot(graph).encode()
    return files


def _bridge(old: Files, new: Files) -> dict[str, bytes]:
    """Return the weights of the old text and of the new one together, which name theirs by content."""
    from sensenet.backends.formats.npz import read_npz, write_npz

    try:
        present = read_npz(old[WEIGHTS_FILE], WEIGHTS_FILE)
    except (KeyError, ArtifactError):  # what is there cannot be opened anyway
        return {}
    return {WEIGHTS_FILE: write_npz({**present, **read_npz(new[WEIGHTS_FILE], WEIGHTS_FILE)})}


def open(path: Path) -> Executable:
    """Open a saved text with its .npz file; raise ArtifactError if one is missing or damaged."""
    from sensenet.backends.formats.npz import read_npz
    from sensenet.backends.interpreter.executable import make_executable, parse_saved

    weights_path = _find_weights(path)
    arrays = read_npz(read_file(weights_path), str(weights_path))
    return make_executable(parse_saved(read_file(path), arrays, str(path)))


def _find_weights(path: Path) -> Path:
    """Return the path of the weights of a saved text: its own, or else those of all texts next to it."""
    own, shared = path.with_suffix(Path(WEIGHTS_FILE).suffix), path.with_name(SHARED_WEIGHTS_FILE)
    return shared if shared.exists() and not own.exists() else own


def list_files(path: Path) -> Iterable[Path]:
    """Return the text and its weights."""
    return [path, _find_weights(path)]


TARGET = Target(
    name="ir",
    suffix=".ir",
    description="the graph as text, with its weights in an .npz file next to it",
    options=IrOptions,
    legal=every_op,
    build=build,
    load=load,
    open=open,
    recognizes=lambda _, head: head.startswith(HEADER.encode()),
    execute=execute,
    list_files=list_files,
)
