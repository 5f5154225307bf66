"""Runs a pipeline of passes: verifies between them, times them, and names the one that failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from sensenet.artifact import PassRecord
from sensenet.errors import PassError, UnsupportedOpError
from sensenet.ir.graph import Graph, Node
from sensenet.ir.verify import verify
from sensenet.passes.infrastructure.rules import FAULTS, Pass

Observer = Callable[[str, Graph], None]
"""Called with the name of a pass and the graph that it returned."""


def run_passes(
    graph: Graph,
    passes: Sequence[Pass],
    observe: Observer = lambda _name, _graph: None,
    known: Iterable[Node] = (),
) -> tuple[Graph, tuple[PassRecord, ...]]:
    """Return the graph after all passes, and a record of each.

    The graph is verified before the first and after every pass, without the nodes that are `known` to be well
    formed. Raises PassError, naming the pass and those that had run, if a pass fails, returns an invalid
    graph or changes the interface. An UnsupportedOpError is not wrapped: it is about the model and the
    target, not the pass.
    """
    verified = set(known)
    verify(graph, verified)
    verified.update(graph.nodes)
    records: list[PassRecord] = []
    for current in passes:
        start = time.perf_counter()
        before = graph
        try:
            graph = current.run(before)
            if graph is not before:
                verify(graph, verified)
                verified.update(graph.nodes)
                _check_interface(before, graph)
        except UnsupportedOpError:
            raise
        except FAULTS as error:
            after = ", ".join(record.name for record in records) or "none"
            raise PassError(f"the pass {current.name} failed: {error} (passes before it: {after})") from error
        records.append(
            PassRecord(
                name=current.name,
                seconds=time.perf_counter() - start,
                nodes_before=len(before.nodes),
                nodes_after=len(graph.nodes),
                changed=graph is not before,
            )
        )
        observe(current.name, graph)
    return graph, tuple(records)


def _check_interface(before: Graph, after: Graph) -> None:
    """Raise PassError if a pass changed inputs, outputs or signature, which belong to the caller."""
    same_inputs = [(n.name, n.types) for n in before.inputs] == [(n.name, n.types) for n in after.inputs]
    same_outputs = [(name, value.type) for name, value in before.outputs.items()] == [
        (name, value.type) for name, value in after.outputs.items()
    ]
    if not same_inputs or not same_outputs or before.signature != after.signature:
        raise PassError("it changed the graph's inputs, outputs or signature")
