"""The interpreter: runs a graph in NumPy, and so defines what the graph means.

A `Program` is a graph prepared to run: a flat list of steps over numbered slots, in which each intermediate
array is released after its last use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from sensenet.errors import InputError, SensenetError
from sensenet.ir.graph import Graph, Value
from sensenet.ir.op import Op
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.types import Array, TensorType
from sensenet.records import frozen

Kernels = Mapping[type[Op], Callable[[Any], Callable[..., Any]]]
"""Functions from an op to a faster replacement of its `evaluate`, by op class."""

NO_KERNELS: Kernels = MappingProxyType({})

Feed = Mapping[str, Array]
"""Arrays by the names of a graph's inputs, or outputs."""


@frozen(kw_only=True)
class Step:
    """One node: apply `evaluate` to the slots `inputs`, store the results, and clear the slots in `drop`.

    The latter have the values that nothing reads after this node.
    """

    evaluate: Callable[..., Any]
    inputs: tuple[int, ...]
    results: tuple[int, ...]
    drop: tuple[int, ...]


@frozen(kw_only=True)
class Program:
    """A graph that is ready to run, made by `prepare`. Threads may share it, because calls share no state."""

    inputs: tuple[tuple[str, TensorType, int], ...]
    outputs: tuple[tuple[str, int], ...]
    steps: tuple[Step, ...]
    constants: tuple[Array | None, ...]

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the named outputs for named inputs; an output may share memory with an input or a constant.

        Raises InputError for an input that is missing or of another type than declared, and if unknown sizes,
        such as the number of rows, do not match.
        """
        slots: list[Any] = list(self.constants)
        for name, declared, slot in self.inputs:
            slots[slot] = _contiguous(checked_input(inputs, name, declared))
        try:
            with np.errstate(all="ignore"):
                self._run(slots)
        except SensenetError:
            raise
        except (ValueError, IndexError) as error:
            raise shape_error({name: inputs[name] for name, _, _ in self.inputs}, error) from error
        return {name: slots[slot] for name, slot in self.outputs}

    def _run(self, slots: list[Any]) -> None:
        for step in self.steps:
            results = step.evaluate(*[slots[slot] for slot in step.inputs])
            if len(step.results) == 1:
                slots[step.results[0]] = _contiguous(results)
            else:
                for slot, result in zip(step.results, results, strict=True):
                    slots[slot] = _contiguous(result)
            for slot in step.drop:
                slots[slot] = None


def _contiguous(array: Array) -> Array:
    """Return the array in C order: NumPy's order of summing, and so its rounding, depends on the layout.

    With one layout for all values, a node's result does not depend on how its inputs were computed.
    """
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def checked_input(inputs: Mapping[str, Array], name: str, declared: TensorType) -> Array:
    """Return the input of that name; raises InputError if it is missing or not of the declared type."""
    if name not in inputs:
        raise InputError(f"the input {name!r} is missing; given: {', '.join(inputs) or 'none'}")
    array = inputs[name]
    if not isinstance(array, np.ndarray):
        raise InputError(
            f"the input {name!r} is of type {type(array).__name__}, expected an array {declared}"
        )
    if not declared.accepts(array):
        raise InputError(f"the input {name!r} is {array.dtype}{list(array.shape)}, expected {declared}")
    return array


def shape_error(inputs: Mapping[str, Array], error: Exception) -> InputError:
    """Return the error for inputs of the declared types whose shapes an op refuses."""
    shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())
    return InputError(f"the shapes of the inputs do not match: {shapes} ({error})")


def prepare(graph: Graph, kernels: Kernels = NO_KERNELS) -> Program:
    """Return the graph as a program; `kernels` has faster functions for some ops, with the same results."""
    slot_of: dict[Value, int] = {}
    constants: list[Array | None] = []
    for node in graph.nodes:
        for value in node.values:
            slot_of[value] = len(constants)
            constants.append(node.op.value.array if isinstance(node.op, Constant) else None)
    last_reader = {value: node for node in graph.nodes for value in node.inputs}
    kept = {value for value in slot_of if isinstance(value.op, Constant)} | set(graph.outputs.values())
    steps = tuple(
        Step(
            evaluate=kernels[type(node.op)](node.op) if type(node.op) in kernels else node.op.evaluate,
            inputs=tuple(slot_of[value] for value in node.inputs),
            results=tuple(slot_of[value] for value in node.values),
            drop=tuple(
                slot_of[value]
                for value in dict.fromkeys((*node.inputs, *node.values))
                if value not in kept and last_reader.get(value, node) is node
            ),
        )
        for node in graph.nodes
        if not isinstance(node.op, Input | Constant)
    )
    return Program(
        inputs=tuple((node.name, node.types[0], slot_of[node.value]) for node in graph.inputs),
        outputs=tuple((name, slot_of[value]) for name, value in graph.outputs.items()),
        steps=steps,
        constants=tuple(constants),
    )


def evaluate(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the graph's named outputs for named inputs, in NumPy float32."""
    return prepare(graph)(inputs)
