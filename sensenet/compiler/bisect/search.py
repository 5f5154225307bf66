"""Finds the first pass after which answers differ, and the rewrite that causes it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from attrs import evolve

from sensenet.backends import get_target
from sensenet.compiler.bisect.trial import Outcome, Trial
from sensenet.compiler.pipelines import lowering_passes
from sensenet.compiler.verify.verification import Check
from sensenet.ir.graph import Graph
from sensenet.passes.infrastructure.rules import FAULTS, Pass, Rewrite, apply_rules
from sensenet.records import frozen

Show = Callable[[str], None]
"""Shows a text about the current step."""


@frozen(kw_only=True)
class Culprit:
    """The stage after which answers differ.

    `stage` is the name of a pass, or of the target if its artifact of the imported graph differs already.
    `before` is the graph before the stage, and `after` the graph after it, None if it failed. `rewrite` is
    the first rewrite that causes the difference, if the pass is made of rules and did not fail in its first
    rewrite. `passes` are those that ran, up to and including this one; none if the stage is the target.
    """

    stage: str
    passes: tuple[Pass, ...]
    before: Graph
    after: Graph | None
    outcome: Outcome
    rewrite: Rewrite | None = None


def find_culprit(
    imported: Graph, pipeline: Sequence[Pass], trial: Trial, show: Show = lambda _: None
) -> Culprit | Outcome:
    """Return the first stage after which answers differ too much, or an outcome with the largest difference.

    Every prefix of the pipeline is tried, in the trial's target if it has one, and compared with the
    interpreter's answers on the imported graph.
    """
    checks = trial.checks(imported)
    if trial.target is not None:
        show(f"trying {trial.target}")
        outcome = trial.try_graph(imported, checks)
        if outcome.fault:
            return _blame_target(imported, trial.target, outcome, checks)
    else:
        outcome = Outcome()
    largest, graph = outcome.difference, imported
    for place, current in enumerate(pipeline, start=1):
        show(f"trying {current.name}")
        after, outcome = trial.try_passes(graph, [current], checks)
        if outcome.fault or after is None:
            rewrite = find_rewrite(graph, current, trial, checks)
            return Culprit(
                stage=current.name,
                passes=tuple(pipeline[:place]),
                before=graph,
                after=after,
                outcome=outcome,
                rewrite=rewrite,
            )
        largest, graph = max(largest, outcome.difference), after
    return Outcome(difference=largest)


def _blame_target(imported: Graph, target: str, outcome: Outcome, checks: Sequence[Check]) -> Culprit:
    """Return the target, or one of its own passes if the interpreter's answers on its graph differ too."""
    graph, alone = imported, Trial()
    for current in lowering_passes(get_target(target)):
        after, found = alone.try_passes(graph, [current], checks)
        if found.fault or after is None:
            return Culprit(
                stage=current.name,
                passes=(),
                before=imported,
                after=after,
                outcome=outcome,
                rewrite=find_rewrite(graph, current, alone, checks),
            )
        graph = after
    return Culprit(stage=target, passes=(), before=imported, after=imported, outcome=outcome)


def find_rewrite(graph: Graph, current: Pass, trial: Trial, checks: Sequence[Check]) -> Rewrite | None:
    """Return the rewrite that causes the fault of a pass: without it and later ones, answers are right.

    Returns None for a pass that is not made of rules, or that fails in a rewrite or after all rewrites.
    """
    if not current.rules:
        return None
    heard: list[Rewrite] = []
    with contextlib.suppress(*FAULTS):  # the rewrites before the fault were observed
        apply_rules(graph, current.rules, observe=heard.append)
    right, wrong = 0, len(heard) + 1
    while wrong - right > 1:
        middle = (right + wrong) // 2
        if trial.try_passes(graph, [stopped_after(current, middle)], checks)[1].fault:
            wrong = middle
        else:
            right = middle
    return heard[wrong - 1] if wrong <= len(heard) else None


def stopped_after(current: Pass, limit: int) -> Pass:
    """Return a pass of rules that stops after `limit` rewrites."""
    return evolve(current, run=lambda graph: apply_rules(graph, current.rules, limit=limit))
