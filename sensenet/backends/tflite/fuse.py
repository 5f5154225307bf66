"""Fewer operators for the same numbers: biases and activations become part of the operator before them."""

from __future__ import annotations

from collections import Counter

import numpy as np
from attrs import evolve

from sensenet.backends.tflite.elementwise import ACTIVATED
from sensenet.backends.tflite.operators import LAYERS, Operator, Subgraph, Value

ACTIVATIONS = frozenset({"RELU", "RELU6"})
"""The activations that other operators may end with."""

ACTIVATABLE = LAYERS | ACTIVATED | {"MAX_POOL_2D", "AVERAGE_POOL_2D"}


def fuse(graph: Subgraph) -> Subgraph:
    """The subgraph, and those of its loops, with fewer operators; nothing but what an output needs."""
    operators = _needed(graph)
    readers = Counter(value for each in operators for value in each.inputs)
    readers.update(graph.outputs)
    producers: dict[Value, Operator] = {}
    kept: dict[Operator, Operator] = {}
    for operator in operators:
        changed = evolve(operator, subgraphs=tuple(map(fuse, operator.subgraphs)))
        before = producers.get(operator.inputs[0]) if operator.inputs[0] is not None else None
        if before is not None and readers[operator.inputs[0]] == 1:
            joined = _with_activation(before, operator) or _with_bias(before, operator)
            if joined is not None:
                del kept[before]
                changed = joined
        kept[changed] = changed
        producers.update(dict.fromkeys(changed.outputs, changed))
    return evolve(graph, operators=[_with_zero_bias(each) for each in kept])


def _needed(graph: Subgraph) -> list[Operator]:
    needed = set(graph.outputs)
    operators = []
    for operator in reversed(graph.operators):
        if not needed.isdisjoint(operator.outputs):
            needed.update(value for value in operator.inputs if value is not None)
            operators.append(operator)
    return operators[::-1]


def _with_activation(before: Operator, operator: Operator) -> Operator | None:
    """The operator before an activation with that as its last step."""
    free = before.options.get("fusedActivationFunction") == "NONE"
    if operator.kind not in ACTIVATIONS or before.kind not in ACTIVATABLE or not free:
        return None
    options = {**before.options, "fusedActivationFunction": operator.kind}
    return evolve(before, outputs=operator.outputs, options=options)


def _with_bias(before: Operator, operator: Operator) -> Operator | None:
    """A layer that has no bias with what is added to its answers, where that is one number a channel.

    Zeros are not stored.
    """
    if operator.kind != "ADD" or before.kind not in LAYERS or before.inputs[2] is not None:
        return None
    added, answers = operator.inputs[1], before.outputs[0]
    if added is None or added.constant is None or before.options["fusedActivationFunction"] != "NONE":
        return None
    units = answers.shape[-1]
    if added.shape[-1:] != (units,) or added.constant.size != units or added.rank > answers.rank:
        return None
    flat = added if added.rank == 1 else Value(added.dtype, (units,), constant=added.constant.reshape(-1))
    bias = flat if added.constant.any() else None
    options = {**before.options, "fusedActivationFunction": operator.options["fusedActivationFunction"]}
    return evolve(before, inputs=(*before.inputs[:2], bias), outputs=operator.outputs, options=options)


def _with_zero_bias(operator: Operator) -> Operator:
    """A convolution always has a bias."""
    if operator.kind not in LAYERS or operator.kind == "FULLY_CONNECTED" or operator.inputs[2] is not None:
        return operator
    zeros = np.zeros(operator.outputs[0].shape[-1] or 0, np.float32)
    return evolve(operator, inputs=(*operator.inputs[:2], Value(zeros.dtype, zeros.shape, constant=zeros)))
