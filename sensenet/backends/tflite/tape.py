"""Recording operators: each once in its subgraph, with constants shared and outer values brought in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import Factory, define

from sensenet.backends.tflite.operators import Operator, Subgraph, Value
from sensenet.ir.types import Array, Shape

LARGE = 1 << 16
"""Bytes from which on a constant is neither copied nor compared with others by content."""


@define(eq=False)
class Recording:
    """A subgraph that is being recorded, and what is known of it."""

    graph: Subgraph = Factory(Subgraph)
    producers: dict[Value, Operator] = Factory(dict)
    recorded: dict[object, tuple[Value, ...]] = Factory(dict)
    captured: dict[Value, Value] = Factory(dict)
    """Values of the subgraph around it that are read here, and the inputs that stand for them."""


class Tape:
    """The subgraphs that are being recorded, the innermost last."""

    def __init__(self) -> None:
        self.scope = ""
        self._recordings = [Recording()]
        self._constants: dict[object, Value] = {}

    @property
    def main(self) -> Subgraph:
        return self._recordings[0].graph

    def constant(self, content: npt.ArrayLike, dtype: npt.DTypeLike = None) -> Value:
        """A constant. Small ones of equal content are the same value, large ones in the same memory."""
        array = np.asarray(content, dtype)
        place = place_of(array)
        key = (array.dtype, array.shape, place or array.tobytes())
        if key not in self._constants:
            kept = array.copy() if place is None else array
            self._constants[key] = Value(array.dtype, array.shape, constant=kept)
        return self._constants[key]

    def input(self, dtype: np.dtype[Any], shape: Shape, name: str) -> Value:
        """Another input of the subgraph that is being recorded."""
        value = Value(dtype, shape, name)
        self._recordings[-1].graph.inputs.append(value)
        self._recordings[-1].producers[value] = Operator("INPUT", (), (value,))
        return value

    def record(
        self,
        kind: str,
        inputs: Sequence[Value | None],
        outputs: Sequence[Value],
        options: Mapping[str, Any],
        subgraphs: tuple[Subgraph, ...] = (),
    ) -> tuple[Value, ...]:
        """The results of an operator: `outputs`, or those of an equal operator that is there already."""
        recording = self._recordings[-1]
        local = tuple(None if value is None else self._bring(value) for value in inputs)
        key = (kind, local, tuple(sorted(options.items())), subgraphs)
        if key not in recording.recorded:
            operator = Operator(kind, local, tuple(outputs), options, subgraphs)
            recording.graph.operators.append(operator)
            recording.producers.update(dict.fromkeys(outputs, operator))
            recording.recorded[key] = operator.outputs
        return recording.recorded[key]

    def producer(self, value: Value) -> Operator | None:
        """The operator of the innermost subgraph that gives a value, if one does."""
        return self._recordings[-1].producers.get(value)

    def give(self, values: Sequence[Value]) -> None:
        """Make values the outputs of the subgraph that is being recorded."""
        self._recordings[-1].graph.outputs += [self._bring(value) for value in values]

    @contextmanager
    def subgraph(self) -> Iterator[Recording]:
        """While it lasts, operators are recorded in a subgraph of their own."""
        self._recordings.append(Recording())
        try:
            yield self._recordings[-1]
        finally:
            self._recordings.pop()

    def _bring(self, value: Value) -> Value:
        """The value as the innermost subgraph reads it: one from around it through an input."""
        recording = self._recordings[-1]
        if value.constant is not None or value in recording.producers:
            return value
        if value not in recording.captured:
            recording.captured[value] = Value(value.dtype, value.shape, value.name, sizes=value.sizes)
        return recording.captured[value]


def place_of(array: Array) -> tuple[object, ...] | None:
    """Where a large array is in memory, and in what order; None for a small one."""
    if array.nbytes < LARGE:
        return None
    return array.__array_interface__["data"][0], array.shape, array.strides
