"""Checks that a loop of a .tflite file ends: it must count its steps up to a constant.

The condition is a comparison of a counter with a constant, or that and others joined by LOGICAL_AND. The
counter is a number that the loop carries, begins at a constant, and gets 1 more in the body. LiteRT has no
bound of its own, and nothing stops it once it runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sensenet.backends.tflite.reading import Record
from sensenet.backends.tflite.shapes import Known
from sensenet.records import frozen


@frozen(eq=False)
class Subgraph:
    """A subgraph that has been checked, and what is known of its tensors."""

    graph: Record
    codes: Sequence[str]
    known: Mapping[int, Known]

    @property
    def results(self) -> list[Known]:
        return [self.known[int(index)] for index in self.graph["outputs"]]

    def producers(self) -> dict[int, Record]:
        """Return the operator of each output tensor."""
        return {int(index): each for each in self.graph["operators"] for index in each["outputs"]}

    def kind(self, operator: Record) -> str:
        return self.codes[operator["opcode"]]


def most_steps(condition: Subgraph, body: Subgraph, start: Sequence[Known]) -> int | None:
    """Return how often a loop runs at most; None unless it counts its steps up to a constant."""
    carried = [int(index) for index in condition.graph["inputs"]]
    limits = [
        limit - first
        for counter, limit in _comparisons(condition)
        if counter in carried
        and (first := _number(start[carried.index(counter)])) is not None
        and first >= 0
        and _is_counted(body, carried.index(counter))
    ]
    return min(limits, default=None)


def _comparisons(condition: Subgraph) -> Iterator[tuple[int, int]]:
    """Yield the tensors that must be below a constant for the loop to go on, and that constant."""
    producers, seen = condition.producers(), set()
    waiting = [int(index) for index in condition.graph["outputs"]]
    while waiting:
        index = waiting.pop()
        operator = producers.get(index)
        if operator is None or index in seen:
            continue
        seen.add(index)
        kind, operands = condition.kind(operator), [int(each) for each in operator["inputs"]]
        if kind == "LOGICAL_AND":
            waiting += operands
        elif kind in ("LESS", "GREATER"):
            counter, limit = operands if kind == "LESS" else operands[::-1]
            number = _number(condition.known[limit])
            if number is not None:
                yield counter, number


def _is_counted(body: Subgraph, place: int) -> bool:
    """Return whether the body increments its input at a position."""
    counter = int(body.graph["inputs"][place])
    operator = body.producers().get(int(body.graph["outputs"][place]))
    if operator is None or body.kind(operator) != "ADD" or math.prod(body.known[counter].shape) != 1:
        return False
    options: Any = operator["options"]("AddOptions")
    others = [int(index) for index in operator["inputs"]]
    if options["activation"] or counter not in others:
        return False
    others.remove(counter)
    return _number(body.known[others[0]]) == 1


def _number(tensor: Known) -> int | None:
    """Return the content of a constant of one whole number."""
    if not tensor.constant or tensor.type != "I" or tensor.value is None or tensor.value.size != 1:
        return None
    return int(tensor.value.ravel()[0])
