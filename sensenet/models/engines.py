"""The engines: targets whose runtimes run models.

An engine has the name of its target. Without one, `choose_engine` chooses by the graph:

| model | engine | why |
|---|---|---|
| of columns, with llvmlite | native | takes a tenth to a half of the time |
| of columns without it, or of images with few multiplications | numpy | needs no other packages |
| of images, from 100 million on, with LiteRT or TensorFlow | tflite | takes at most a third of the time |
| the same if neither is installed | numpy | the only one available |

Engines differ only in rounding. docs/benchmarks.md has the measurements, "Which engine".
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Mapping

import attrs

from sensenet.artifact import Executable
from sensenet.backends import Targets, require_target_name
from sensenet.compiler.pipelines import make_executable
from sensenet.errors import UnsupportedOpError
from sensenet.forks import PerProcess
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array
from sensenet.llvm.installed import has_llvm
from sensenet.runtime.memory import require_activations

INTERPRETER = "numpy"

ROW_ENGINE = "native"

LARGE_ENGINE = "tflite"
RUNTIMES = ("ai_edge_litert", "tensorflow")
"""The packages that make and run the files of LARGE_ENGINE; either is sufficient."""

LARGE_IMAGE = 100_000_000
"""Multiply-adds per image from which LARGE_ENGINE pays.

Below, NumPy takes some milliseconds, about as long as reading a photograph.
"""

ENGINES = Targets(lambda target: target.runs or target.executes)
"""Every target in which models run, by its name."""

Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]


def choose_engine(graph: Graph) -> str:
    """Return the fastest installed engine."""
    if graph.signature.image is None:
        return ROW_ENGINE if has_llvm() else INTERPRETER
    if not any(map(importlib.util.find_spec, RUNTIMES)):
        return INTERPRETER
    from sensenet.ir.cost import graph_multiply_adds

    return LARGE_ENGINE if graph_multiply_adds(graph) >= LARGE_IMAGE else INTERPRETER


def require_engine(engine: str | None) -> None:
    """Raise UnknownTargetError for an unknown engine; None means the default choice."""
    if engine is not None:
        require_target_name("engine", engine, ENGINES)


def run_graph(graph: Graph, engine: str | None = None) -> Executable:
    """Return a graph at the default level in an engine, or in the one chosen for it.

    A requested engine is prepared at once, to report its errors; so is another for rows. A chosen engine for
    images is prepared at the first call, so that saving or inspecting the model does not wait for it. Raises
    UnknownTargetError, and as `make_executable` does for a requested engine.
    """
    require_engine(engine)
    require_activations(graph)
    made = _make_fastest(graph) if engine is None else _make(graph, engine)
    return attrs.evolve(made, graph=graph, remake=lambda: (run_graph, (graph, engine)))


def _make(graph: Graph, engine: str) -> Executable:
    return attrs.evolve(make_executable(graph, engine), engine=engine)


def _make_fastest(graph: Graph) -> Executable:
    """Return a graph in the engine that is chosen for it, or in the interpreter if that lacks an op."""
    chosen = choose_engine(graph)
    if chosen == LARGE_ENGINE:
        late = _LateRun(lambda: make_executable(graph, LARGE_ENGINE).run)
        return Executable(signature=graph.signature, run=late, engine=LARGE_ENGINE)
    try:
        return _make(graph, chosen)
    except UnsupportedOpError:
        return _make(graph, INTERPRETER)


def run_imported(graph: Graph, engine: str | None = None) -> Executable:
    """Return `run_graph` for a graph from the frontend, with the weights of the document."""
    return attrs.evolve(
        run_graph(graph, engine), as_imported=True, remake=lambda: (run_imported, (graph, engine))
    )


class _LateRun:
    """A function that is made at its first call; threads may share it."""

    def __init__(self, make: Callable[[], Run]) -> None:
        self._lock = PerProcess(threading.Lock)
        self._make = make
        self._run: Run | None = None

    def __call__(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        if self._run is None:
            with self._lock.get():
                if self._run is None:
                    self._run = self._make()
        return self._run(inputs)
