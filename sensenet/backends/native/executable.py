"""Runs graphs of rows in machine code: the engine native."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.artifact import Executable
from sensenet.backends.native.plan import Place
from sensenet.backends.native.planner import plan_graph
from sensenet.backends.native.runner import Runner
from sensenet.ir.evaluate import checked_input
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array, Shape
from sensenet.llvm.installed import require_llvm
from sensenet.signature import Signature

ROWS_AT_ONCE = 1 << 22
"""Rows of a call: it divides them itself, and needs memory for little more than the answers."""


def make_executable(graph: Graph) -> Executable:
    """Return a graph of rows that answers in machine code.

    Raises UnsupportedOpError for another graph, and MissingPackageError if llvmlite is not installed.
    """
    require_llvm()
    plan = plan_graph(graph)
    runner = Runner(plan, graph.signature.columns)
    (node,) = graph.inputs
    outputs = plan.outputs

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        x = checked_input(inputs, node.name, node.types[0])
        return name_answers(outputs, runner.answer(np.ascontiguousarray(x)))

    predicts = [shape[0] for _, shape in outputs.values()] == [None]
    return Executable(
        signature=graph.signature,
        run=run,
        graph=graph,
        answer_row=runner.answer_row if predicts else None,
        read_rows=_read_late(graph.signature),
        rows_at_once=ROWS_AT_ONCE,
    )


def _read_late(signature: Signature) -> Callable[[Sequence[Sequence[Any]]], Array]:
    """Return the function that reads the rows of a model; its code is made at the first call."""

    @functools.cache
    def make_reader() -> Callable[[Sequence[Sequence[Any]]], Array]:
        from sensenet.backends.native.cells import CellReader

        return CellReader(signature.columns)

    def read(rows: Sequence[Sequence[Any]]) -> Array:
        return make_reader()(rows)

    return read


def name_answers(outputs: Mapping[str, tuple[Place, Shape]], answers: Array) -> dict[str, Array]:
    """Return the outputs of a plan by name, from f32[rows, outputs]; `outputs` are as in `Plan`."""
    return {
        name: _reshape(answers[:, place.start : place.start + place.width], shape)
        for name, (place, shape) in outputs.items()
    }


def _reshape(answers: Array, shape: Shape) -> Array:
    """Return f32[rows, width] in the shape of an output, whose axis of rows is None."""
    axis = shape.index(None)
    sizes = [size for size in shape if size is not None]
    return np.moveaxis(answers.reshape(len(answers), *sizes), 0, axis)
