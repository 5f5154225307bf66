"""Runs the passes of a level on a graph, then the passes that lower it to the ops of a target."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from sensenet.artifact import Executable, PassRecord, Report
from sensenet.backends import get_target
from sensenet.backends.target import Target
from sensenet.errors import UnknownTargetError
from sensenet.ir.graph import Graph
from sensenet.ir.legality import require_legal
from sensenet.limits import memory_errors_reported
from sensenet.passes import DEFAULT_LEVEL, PIPELINES
from sensenet.passes.infrastructure.manager import Observer, run_passes
from sensenet.passes.infrastructure.rules import Pass
from sensenet.passes.infrastructure.selection import select_passes
from sensenet.records import frozen


@frozen(kw_only=True)
class Pipeline:
    """The passes to run on a graph for a target before lowering it, and their level."""

    target: Target[Any]
    level: int
    passes: tuple[Pass, ...]


@frozen(kw_only=True, eq=False)
class Rewritten:
    """A graph after some passes, with a record of each."""

    graph: Graph
    records: tuple[PassRecord, ...] = ()


def choose_pipeline(target: Target[Any], level: int, names: Sequence[str] | None = None) -> Pipeline:
    """Return the passes of a level, or those of these names; a target with only one level ignores both.

    Raises UnknownTargetError for an unknown level, UnknownPassError for an unknown name.
    """
    if not isinstance(level, Integral) or level not in PIPELINES:
        levels = ", ".join(map(str, PIPELINES))
        raise UnknownTargetError(f"unknown optimization level {level!r}; expected one of: {levels}")
    passes = select_passes(level, names)
    if target.level is not None:
        return Pipeline(target=target, level=target.level, passes=PIPELINES[target.level])
    return Pipeline(target=target, level=level, passes=passes)


def optimize_graph(
    graph: Graph, passes: Sequence[Pass], observe: Observer = lambda _stage, _graph: None
) -> Rewritten:
    """Return the graph after these passes; raises PassError as `run_passes` does."""
    optimized, records = run_passes(graph, passes, observe)
    return Rewritten(graph=optimized, records=records)


def lowering_passes(target: Target[Any]) -> tuple[Pass, ...]:
    """Return the passes that lower a graph for a target: legalize, and simplify-lowered if it simplifies."""
    from sensenet.passes.lowering.legalize import legalize  # not needed for a first row
    from sensenet.passes.lowering.simplify_lowered import simplify_lowered

    legal = target.legal()
    lowering = legalize(legal, target.rows)
    return (lowering, simplify_lowered(legal)) if target.simplifies else (lowering,)


def lower(
    optimized: Rewritten, target: Target[Any], observe: Observer = lambda _stage, _graph: None
) -> Rewritten:
    """Return the graph lowered to the ops of a target; raises UnsupportedOpError if another op remains."""
    graph = optimized.graph
    lowered, records = run_passes(graph, lowering_passes(target), observe, known=graph.nodes)
    require_legal(lowered, target.legal(), f"the target {target.name}")
    return Rewritten(graph=lowered, records=(*optimized.records, *records))


def make_executable(graph: Graph, name: str, level: int = DEFAULT_LEVEL) -> Executable:
    """Return an executable of a graph on a target, optimized and lowered; without files if possible.

    Raises UnknownTargetError, and MissingPackageError if the target's package is not installed.
    """
    pipeline = choose_pipeline(get_target(name), level)
    target = pipeline.target
    with memory_errors_reported():
        optimized = optimize_graph(graph, pipeline.passes)
        if target.execute is not None:
            return target.execute(optimized.graph)
        ready = lower(optimized, target)
        report = Report(target=name, level=pipeline.level, passes=ready.records)
        return target.load(target.build(ready.graph, report, target.read_options({})))
