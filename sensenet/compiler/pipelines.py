"""Brings graphs to what targets take: the passes of a level, then those that leave only the target's ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from sensenet.artifact import Executable, PassRecord, Report
from sensenet.backends import get_target
from sensenet.backends.target import Target
from sensenet.compiler.request import DEFAULT_LEVEL
from sensenet.errors import UnknownTargetError
from sensenet.ir.graph import Graph
from sensenet.ir.legality import require_legal
from sensenet.limits import memory_errors_reported
from sensenet.passes import PIPELINES
from sensenet.passes.infrastructure.manager import Observer, run_passes
from sensenet.passes.infrastructure.rules import Pass
from sensenet.passes.infrastructure.selection import select_passes


@frozen(kw_only=True)
class Pipeline:
    """The passes that a graph goes through for a target before it is lowered, and the level they are of."""

    target: Target[Any]
    level: int
    passes: tuple[Pass, ...]


@frozen(kw_only=True, eq=False)
class Rewritten:
    """A graph after some passes, and what each of them did."""

    graph: Graph
    records: tuple[PassRecord, ...] = ()


def choose_pipeline(target: Target[Any], level: int, names: Sequence[str] | None = None) -> Pipeline:
    """Return the passes of a level, or those of these names; a target with one level always has that.

    Raises UnknownTargetError for an unknown level, UnknownPassError for an unknown name.
    """
    if level not in PIPELINES:
        levels = ", ".join(map(str, PIPELINES))
        raise UnknownTargetError(f"unknown optimization level {level!r}; expected one of: {levels}")
    passes = select_passes(level, names)
    if target.level is not None:
        return Pipeline(target=target, level=target.level, passes=PIPELINES[target.level])
    return Pipeline(target=target, level=level, passes=passes)


def optimize_graph(
    graph: Graph, passes: Sequence[Pass], observe: Observer = lambda _stage, _graph: None
) -> Rewritten:
    """Run the passes of a level; raises PassError as `run_passes` does."""
    optimized, records = run_passes(graph, passes, observe)
    return Rewritten(graph=optimized, records=records)


def lower(
    optimized: Rewritten, target: Target[Any], observe: Observer = lambda _stage, _graph: None
) -> Rewritten:
    """Leave only nodes that the target takes; raises UnsupportedOpError for an op that stays."""
    from sensenet.compiler.lowering import lowering_passes

    graph = optimized.graph
    lowered, records = run_passes(graph, lowering_passes(target), observe, known=graph.nodes)
    require_legal(lowered, target.legal(), f"the target {target.name}")
    return Rewritten(graph=lowered, records=(*optimized.records, *records))


def make_executable(graph: Graph, name: str, level: int = DEFAULT_LEVEL) -> Executable:
    """Run a graph on a target: optimized and lowered, and without making files if the target can do so.

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
