"""The engines: which target's runtime answers the calls of a model.

An engine has the name of its target. Without one, `choose_engine` chooses by the graph:

| model | engine | why |
|---|---|---|
| of columns, or of images with few multiplications | numpy | starts at once, without other packages |
| of images, from 100 million on, with LiteRT or TensorFlow | tflite | takes at most a third of the time |
| the same where neither is installed | numpy | all that there is |

Engines differ in rounding alone. docs/benchmarks.md has the measurements, "Which engine".
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
from sensenet.ir.cost import graph_multiply_adds
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array
from sensenet.runtime.memory import require_activations

INTERPRETER = "numpy"
LARGE_ENGINE = "tflite"
RUNTIMES = ("ai_edge_litert", "tensorflow")
"""The packages that run the files of LARGE_ENGINE, and make them; either is enough."""

LARGE_IMAGE = 100_000_000
"""Multiply-adds of one image from which on LARGE_ENGINE pays.

Below, NumPy answers within some milliseconds, as long as reading a photograph takes.
"""

ENGINES = Targets(lambda target: target.runs)
"""Every target whose files run, by its name: all but the weights alone."""

Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]


def choose_engine(graph: Graph) -> str:
    """The engine that answers soonest, of those that are installed."""
    if graph.signature.image is None or not any(map(importlib.util.find_spec, RUNTIMES)):
        return INTERPRETER
    return LARGE_ENGINE if graph_multiply_adds(graph) >= LARGE_IMAGE else INTERPRETER


def require_engine(engine: str | None) -> None:
    """Raise UnknownTargetError for a name that is no engine's; None stands for a choice."""
    if engine is not None and engine not in ENGINES:
        raise UnknownTargetError(f"there is no engine {engine!r}; there are: {', '.join(ENGINES)}")


def run_graph(graph: Graph, engine: str | None = None) -> Executable:
    """A graph at the default level in an engine, or in the one that is chosen for it.

    What was asked for is made at once, so that its faults show; so is the interpreter. Another engine that
    was chosen is made at the first call: whoever saves the model only, or asks it about its columns, need
    not wait for it. Raises UnknownTargetError, and MissingPackageError where the engine's package is
    not installed.
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
    """`run_graph` for a graph that the frontend made, with the weights of the document."""
    return attrs.evolve(
        run_graph(graph, engine), as_imported=True, remake=lambda: (run_imported, (graph, engine))
    )


class _LateRun:
    """A function that is made when it is first called; threads may share it."""

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
