"""What is run of a file: what is between the inputs and outputs of the graph.

A model encodes rows itself, the same way for all targets, so the rest of a file with an input for each field
is not needed. What a stranger's file has there is dropped, and never run; so are the types that it declares
of results.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sensenet.backends.onnx.names import INPUTS_KEY, METADATA_KEY, PROBABILITIES
from sensenet.backends.onnx.nodes import bodies_of, read_by
from sensenet.signature import DETECTOR_OUTPUTS, NUMERIC_INPUT, PIXEL_INPUT, PREDICTIONS

GRAPH_INPUTS = frozenset({NUMERIC_INPUT, PIXEL_INPUT})

OUTPUTS = {name: name for name in (PREDICTIONS, *DETECTOR_OUTPUTS)} | {PROBABILITIES: PREDICTIONS}
"""The outputs of a file that are the graph's, and what the graph calls them."""


def has_fields(model: Any) -> bool:
    """Return whether a file has an input for each field."""
    return any(each.key == INPUTS_KEY for each in model.metadata_props)


def keep_tensors(model: Any) -> Any:
    """Return the ModelProto of the tensors form, without declared types of results.

    It is the same object, changed, if there are no fields.
    """
    if not has_fields(model):
        _forget_types(model.graph)
        return model
    graph, kept = model.graph, type(model)(ir_version=model.ir_version, producer_name=model.producer_name)
    kept.opset_import.extend(each for each in model.opset_import if not each.domain)
    kept.metadata_props.extend(each for each in model.metadata_props if each.key == METADATA_KEY)
    kept.graph.name = graph.name
    kept.graph.input.extend(each for each in graph.value_info if each.name in GRAPH_INPUTS)
    kept.graph.output.extend(each for each in graph.output if each.name in OUTPUTS)
    for declared in kept.graph.output:
        declared.name = OUTPUTS[declared.name]
    nodes, needed = _nodes_of([each.name for each in kept.graph.output], graph)
    kept.graph.node.extend(nodes)
    kept.graph.initializer.extend(each for each in graph.initializer if each.name in needed)
    _forget_types(kept.graph)
    return kept


def _forget_types(graph: Any) -> None:
    del graph.value_info[:]
    for inner in bodies_of(graph.node):
        _forget_types(inner)


def _nodes_of(outputs: Iterable[str], graph: Any) -> tuple[list[Any], set[str]]:
    """Return the nodes between the graph's inputs and outputs, in order, and all names that they read."""
    nodes, needed = [], set(outputs)
    for node in reversed(graph.node):
        if needed.intersection(node.output) and GRAPH_INPUTS.isdisjoint(node.output):
            nodes.append(node)
            needed.update(read_by(node))
    return nodes[::-1], needed
