"""Graphs that are saved in the text form, and run by the interpreter: the targets ir and numpy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sensenet.artifact import Executable
from sensenet.backends.batching import divide, is_of_rows
from sensenet.backends.interpreter.forest_kernel import ForestKernel
from sensenet.backends.interpreter.straight_line import StraightLine
from sensenet.errors import ArtifactError, SensenetError, TextFormError, VerifyError
from sensenet.ir.evaluate import Kernels, checked_input, prepare, shape_error
from sensenet.ir.graph import Graph
from sensenet.ir.interface import check_graph
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.region import regions_of
from sensenet.ir.types import Array, DType
from sensenet.ir.verify import verify

KERNELS: Kernels = {Forest: ForestKernel}


def make_executable(graph: Graph) -> Executable:
    """Return the graph in the interpreter: as bound calls if it is of rows."""
    if not answers_rows(graph):
        run = divide(graph, prepare(graph, KERNELS))
        return Executable(signature=graph.signature, run=run, graph=graph)
    (node,) = graph.inputs
    answer = StraightLine(graph, KERNELS)

    def answer_rows(inputs: Mapping[str, Array]) -> dict[str, Array]:
        x = checked_input(inputs, node.name, node.types[0])
        try:
            return dict(zip(graph.outputs, answer(np.ascontiguousarray(x)), strict=True))
        except SensenetError:
            raise
        except (ValueError, IndexError) as error:
            raise shape_error({node.name: x}, error) from error

    run = divide(graph, answer_rows, answer.most_rows)
    return Executable(signature=graph.signature, run=run, graph=graph)


def answers_rows(graph: Graph) -> bool:
    """Return whether a graph reads f32[rows, columns] alone, for any number of rows, and answers each."""
    inputs = [node.types[0] for node in graph.inputs]
    return (
        len(inputs) == 1
        and inputs[0].dtype is DType.FLOAT32
        and inputs[0].shape[:1] == (None,)
        and is_of_rows(inputs, [value.type for value in graph.outputs.values()])
    )


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
