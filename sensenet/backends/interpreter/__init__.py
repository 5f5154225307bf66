"""The targets that NumPy runs, and the kernels that make it fast."""

from __future__ import annotations

from sensenet.artifact import Artifact, Executable
from sensenet.ir.graph import Graph


def execute(graph: Graph) -> Executable:
    """Return the graph in the interpreter."""
    from sensenet.backends.interpreter.executable import make_executable

    return make_executable(graph)


def load(artifact: Artifact) -> Executable:
    """Run an artifact by its graph."""
    return execute(artifact.graph)
