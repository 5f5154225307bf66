"""What a file takes and answers: the tensors of the graph, or others that lead to them.

With `inputs="tensors"` these are the graph's own. With `inputs="fields"` (see `fields`), operators compute
the graph's inputs from those of the file, and answers from the graph's outputs.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import Factory

from sensenet.backends.onnx.operators import Declared, Operator, declare
from sensenet.ir.graph import Graph
from sensenet.records import frozen


@frozen(kw_only=True, eq=False)
class Interface:
    """The inputs and outputs of a file, by name, and what is between them and the graph's."""

    inputs: Mapping[str, Declared]
    outputs: Mapping[str, Declared]
    encoded: Mapping[str, Operator] = Factory(dict)
    """The inputs of the graph that are computed from the file's."""
    answers: Mapping[str, Operator] = Factory(dict)
    """The outputs of the file that are computed from the graph's."""
    metadata: Mapping[str, str] = Factory(dict)
    """What `metadata_props` says of it."""


def tensors_interface(graph: Graph) -> Interface:
    """Return the interface of the graph itself."""
    return Interface(
        inputs={node.name: declare(node.types[0]) for node in graph.inputs},
        outputs={name: declare(value.type) for name, value in graph.outputs.items()},
    )
