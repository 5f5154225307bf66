"""Finds a small graph that shows a culprit's fault."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import evolve

from sensenet.compiler.bisect.reduction import reduce_graph
from sensenet.compiler.bisect.search import Culprit, Show, find_rewrite
from sensenet.compiler.bisect.trial import Trial
from sensenet.compiler.verify.verification import Check
from sensenet.ir.graph import Graph
from sensenet.passes.infrastructure.rules import FAULTS, Pass, Rewrite
from sensenet.records import frozen


@frozen(kw_only=True)
class Smallest:
    """A graph that shows the same fault after `passes`, with the rewrite that causes it if there is one pass.

    `trial` is the trial that shows it: without the given rows, if generated inputs show the fault too.
    """

    trial: Trial
    graph: Graph
    passes: tuple[Pass, ...]
    message: str
    rewrite: Rewrite | None


def find_smallest(imported: Graph, culprit: Culprit, trial: Trial, show: Show = lambda _: None) -> Smallest:
    """Return a small graph that shows the culprit's fault.

    If possible, it is reduced from the graph before the culprit, and shows the fault after that pass alone.
    If errors add up over several passes, it is reduced from the imported graph, and shows the fault after
    those passes that are needed. If the target fails on the graph after a pass, no pass is needed.
    """
    trial, graph, passes = _choose_start(imported, culprit, trial)
    finite = _is_finite(trial.checks(graph))
    left = len(graph.nodes)

    def shows(candidate: Graph) -> bool:
        nonlocal left
        show(f"reducing {left} nodes")
        try:
            checks = trial.checks(candidate)
        except FAULTS:
            return False
        if finite and not _is_finite(checks):
            return False  # overflow in the graph itself is not a fault of a pass
        found = trial.try_passes(candidate, passes, checks)[1].fault == culprit.outcome.fault
        left = len(candidate.nodes) if found else left
        return found

    smallest = reduce_graph(graph, shows)
    checks = trial.checks(smallest)
    rewrite = find_rewrite(smallest, passes[0], trial, checks) if len(passes) == 1 else None
    message = trial.try_passes(smallest, passes, checks)[1].message
    return Smallest(trial=trial, graph=smallest, passes=passes, message=message, rewrite=rewrite)


def _choose_start(imported: Graph, culprit: Culprit, trial: Trial) -> tuple[Trial, Graph, tuple[Pass, ...]]:
    """Return the trial, the latest graph that shows the fault, and the passes after it.

    The trial has no given rows if generated inputs show the fault too.
    """
    starts: list[tuple[Graph, tuple[Pass, ...]]] = [(culprit.before, culprit.passes[-1:])]
    if culprit.after is not None:
        starts.insert(0, (culprit.after, ()))
    for graph, passes in starts:
        for tried in (evolve(trial, rows=()), trial):
            fault = tried.try_passes(graph, passes, tried.checks(graph))[1].fault
            if fault == culprit.outcome.fault:
                return tried, graph, passes
    return trial, imported, _choose_needed(imported, culprit, trial)


def _choose_needed(imported: Graph, culprit: Culprit, trial: Trial) -> tuple[Pass, ...]:
    """Return the passes up to the culprit that are needed to show the fault."""
    checks, passes = trial.checks(imported), culprit.passes
    for place in reversed(range(len(passes))):
        fewer = (*passes[:place], *passes[place + 1 :])
        if trial.try_passes(imported, fewer, checks)[1].fault == culprit.outcome.fault:
            passes = fewer
    return passes


def _is_finite(checks: Sequence[Check]) -> bool:
    return all(np.isfinite(array).all() for check in checks for array in check.expected.values())
