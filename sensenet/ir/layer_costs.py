"""The layers of a graph and their costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sensenet.ir.cost import graph_multiply_adds, graph_parameters, multiply_adds, parameters
from sensenet.ir.graph import Graph
from sensenet.ir.ops.core import Input
from sensenet.ir.printer import tensors_of
from sensenet.ir.types import Tensor
from sensenet.records import frozen


@frozen(kw_only=True)
class LayerFacts:
    """A node: its op, the type of its first result, and its costs for one row or image.

    `parameters` counts float32 numbers; `size` is the bytes of all its tensors, which may be of other types.
    Of an operator in a file without its graph, `multiply_adds` is None, `parameters` counts its weights of
    any type, and `size` its constants that no earlier operator reads.
    """

    name: str
    op: str
    result: str
    parameters: int
    multiply_adds: int | None
    size: int


@frozen(kw_only=True)
class Costs:
    """The sums over a graph, in which tensors that layers share count once.

    `multiply_adds` is None if those of the layers are unknown.
    """

    nodes: int
    parameters: int
    multiply_adds: int | None
    size: int


def describe_layers(graph: Graph) -> tuple[LayerFacts, ...]:
    """Return the nodes of a graph in order, without its inputs."""
    return tuple(
        LayerFacts(
            name=node.name,
            op=node.op.mnemonic(),
            result=str(node.types[0]),
            parameters=parameters(node),
            multiply_adds=multiply_adds(node),
            size=_count_bytes(tensors_of(node.op)),
        )
        for node in graph.nodes
        if not isinstance(node.op, Input)
    )


def sum_costs(graph: Graph) -> Costs:
    """Return the costs of a graph."""
    tensors = {id(tensor): tensor for node in graph.nodes for tensor in tensors_of(node.op)}
    return Costs(
        nodes=len(graph.nodes),
        parameters=graph_parameters(graph),
        multiply_adds=graph_multiply_adds(graph),
        size=_count_bytes(tensors.values()),
    )


def sum_layers(layers: Sequence[LayerFacts]) -> Costs:
    """Return the costs of the operators of a file."""
    return Costs(
        nodes=len(layers),
        parameters=sum(each.parameters for each in layers),
        multiply_adds=None,
        size=sum(each.size for each in layers),
    )


def _count_bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.array.nbytes for tensor in tensors)
