"""The engines: targets whose runtimes run models.

An engine has the name of its target. Without one, `choose_engine` chooses by the graph:

| model | engine | why |
|---|---|---|
| of columns, or of images with few multiplications | numpy | starts at once, without other packages |
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
from sensenet.backends import Targets
from sensenet.compiler.pipelines import make_executable
from sensenet.errors import UnknownTargetError
from sensenet.forks import PerProcess
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array
from sensenet.runtime.memory import require_activations

INTERPRETER = "numpy"
LARGE_ENGINE = "tflite"
RUNTIMES = ("ai_edge_litert", "tensorflow")
"""The packages that make and run the files of LARGE_ENGINE; either is sufficient."""

LARGE_IMAGE = 100_000_000
"""Multiply-adds per image from which LARGE_ENGINE pays.

Below, NumPy takes some milliseconds, about as long as reading a photograph.
"""

ENGINES = Targets(lambda target: target.runs)
"""Every target whose files run, by its name: all but the weights alone."""

Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]


def choose_engine(graph: Graph) -> str:
    """Return the fastest installed engine."""
    if graph.signature.image is None or not any(map(importlib.util.find_spec, RUNTIMES)):
        return INTERPRETER
    from sensenet.ir.cost import graph_multiply_adds

    return LARGE_ENGINE if graph_multiply_adds(graph) >= LARGE_IMAGE else INTERPRETER


def require_engine(engine: str | None) -> None:
    """Raise UnknownTargetError for an unknown engine; None means the default choice."""
    if engine is not None and engine not in ENGINES:
        raise UnknownTargetError(f"unknown engine {engine!r}; expected one of: {', '.join(ENGINES)}")


def run_graph(graph: Graph, engine: str | None = None) -> Executable:
    """Return a graph at the default level in an engine, or in the one chosen for it.

    A requested engine is prepared at once, to report its errors; so is the interpreter. Another chosen engine
    is prepared at the first call, so that saving or inspecting the model does not wait for it. Raises
    UnknownTargetError, and MissingPackageError if the engine's package is not installed.
    """
    require_engine(engine)
    require_activations(graph)
    chosen = engine or choose_engine(graph)
    if engine or chosen == INTERPRETER:
        run: Run = make_executable(graph, chosen).run
    else:
        run = _LateRun(lambda: make_executable(graph, chosen).run)
    return Executable(
        signature=graph.signature,
        run=run,
        graph=graph,
        engine=chosen,
        remake=lambda: (run_graph, (graph, engine)),
    )


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
