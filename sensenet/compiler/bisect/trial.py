"""Tries passes, and a target, on graphs, and compares the answers with the interpreter's.

The tolerance is that of `sensenet.compiler.verify`. An exception is a fault too, different from that of
answers that differ.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.backends import get_target
from sensenet.compiler.driver import compile
from sensenet.compiler.verify.inputs import generated_inputs, given_inputs
from sensenet.compiler.verify.verification import Check, compare
from sensenet.errors import MissingPackageError
from sensenet.ir.evaluate import Feed, prepare
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.infrastructure.rules import Pass
from sensenet.records import frozen

DIFFERS = "differs"
"""The fault of answers beyond the tolerance."""


@frozen(kw_only=True)
class Outcome:
    """The result of a trial: the largest difference of an answer, and the fault, if any.

    `fault` identifies the fault: it is empty without a fault, DIFFERS, or the exception and its location.
    """

    difference: float = 0.0
    fault: str = ""
    message: str = ""


@frozen(kw_only=True)
class Trial:
    """How graphs are tried: in a target or (None) in the interpreter, on generated and on given rows."""

    target: str | None = None
    rows: Sequence[Any] = ()

    def checks(self, graph: Graph) -> list[Check]:
        """Return inputs for a graph, with the interpreter's answers.

        Raises InputError for rows that the graph does not take.
        """
        feeds = generated_inputs(graph)
        given = given_inputs(graph.signature, self.rows) if len(self.rows) else []
        feeds += [_completed(feed, feeds[0]) for feed in given]
        program = prepare(graph)
        return [Check(feed, program(feed)) for feed in feeds]

    def try_passes(
        self, graph: Graph, passes: Sequence[Pass], checks: Sequence[Check]
    ) -> tuple[Graph | None, Outcome]:
        """Return the graph after the passes, None if they fail, and how it answers.

        Passes that do not change the graph have no fault, even if the target fails on it.
        """
        try:
            after, _ = run_passes(graph, passes)
        except Exception as error:
            return None, _raised(error)
        untouched = bool(passes) and after is graph
        return after, Outcome() if untouched else self.try_graph(after, checks)

    def try_graph(self, graph: Graph, checks: Sequence[Check]) -> Outcome:
        """Return how a graph answers, in the target if there is one."""
        try:
            run = prepare(graph) if self.target is None else _compiled(graph, self.target)
            found = [run(check.inputs) for check in checks]
        except Exception as error:
            return _raised(error)
        gaps = [
            compare(name, outputs[name], expected, check.expected)
            for check, outputs in zip(checks, found, strict=True)
            for name, expected in check.expected.items()
        ]
        difference, excess = (max(column) for column in zip(*gaps, strict=True))
        if excess <= 0:
            return Outcome(difference=difference)
        return Outcome(
            difference=difference, fault=DIFFERS, message=f"answers differ by up to {difference:.3g}"
        )


def _compiled(graph: Graph, target: str) -> Any:
    """Return an executable of the artifact that a target makes from a graph."""
    return get_target(target).load(compile(graph, target, passes=())).run


def _completed(given: Feed, generated: Feed) -> Feed:
    """Return the generated arrays, replaced by the given ones, for the number of given rows."""
    rows = len(next(iter(given.values())))
    feed: Mapping[str, Array] = {
        name: given[name] if name in given else np.resize(array, (rows, *array.shape[1:]))
        for name, array in generated.items()
    }
    return feed


def _raised(error: Exception) -> Outcome:
    """Return the outcome of an error; raise the error if it is not about the graph."""
    if isinstance(error, MissingPackageError | MemoryError):
        raise error
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    where = traceback.extract_tb(cause.__traceback__)[-1].name
    message = " ".join(str(error).split())
    return Outcome(difference=np.inf, fault=f"{type(cause).__name__} in {where}", message=message)
