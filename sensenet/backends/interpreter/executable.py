"""Graphs that are saved in the text form, and run by the interpreter: the targets ir and numpy."""

from __future__ import annotations

from collections.abc import Mapping

from sensenet.artifact import Executable
from sensenet.backends.batching import divide
from sensenet.backends.interpreter.forest_kernel import ForestKernel
from sensenet.errors import ArtifactError, TextFormError, VerifyError
from sensenet.ir.evaluate import Kernels, prepare
from sensenet.ir.graph import Graph
from sensenet.ir.interface import check_graph
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.region import regions_of
from sensenet.ir.types import Array
from sensenet.ir.verify import verify

KERNELS: Kernels = {Forest: ForestKernel}


def make_executable(graph: Graph) -> Executable:
    """Return the graph in the interpreter."""
    run = divide(graph, prepare(graph, KERNELS))
    return Executable(signature=graph.signature, run=run, graph=graph)


def parse_saved(text: bytes, weights: Mapping[str, Array], where: str) -> Graph:
    """Return the graph of a saved text form; raises ArtifactError, naming `where`, for invalid text."""
    from sensenet.ir.parser import parse_graph

    try:
        graph = parse_graph(text.decode(), weights)
        verify(graph)
        check_graph(graph)
        _check_loops(graph)
    except (UnicodeDecodeError, TextFormError, VerifyError) as error:
        raise ArtifactError(f"{where} is not a graph of sensenet: {error}") from error
    return graph


def _check_loops(graph: Graph) -> None:
    """Raise VerifyError for a loop in a loop: each runs up to its limit in every step of the other."""
    for node in graph.nodes:
        for region in regions_of(node.op):
            if any(any(regions_of(inner.op)) for inner in region.graph.nodes):
                raise VerifyError(f"the loop {node.name} has another in it")
