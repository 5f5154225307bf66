"""Reduces a graph to a small one that still shows a fault (delta debugging).

Each step proposes simpler graphs and continues with those that show the fault too, until no step finds any:

- only one output is kept, as early a value as possible;
- a node becomes an input, so that the nodes that only it needs are dropped; or one of its inputs replaces it;
- sizes become smaller, in all inputs, weights and shapes at once;
- weights become zeros, ones, or numbers of few digits;
- the signature, and inputs that nothing reads, are dropped.

Only well-formed graphs are tried. Each step makes the graph smaller in some measure, so the reduction ends;
it ends after MOST_TRIES in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from sensenet.ir.graph import Graph, Node, Value, apply, rebuild
from sensenet.ir.op import require
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.printer import tensors_of
from sensenet.ir.region import Region
from sensenet.ir.types import Array, DType, Tensor, TensorType
from sensenet.ir.verify import verify
from sensenet.passes.infrastructure.rules import FAULTS
from sensenet.signature import Signature

MOST_TRIES = 2000

CUT = "value"
"""The name of the only output after cutting."""

SIMPLER: tuple[Callable[[Array], Array], ...] = (
    np.zeros_like,
    np.ones_like,
    np.round,
    lambda array: np.round(array, 1),
    lambda array: np.round(array, 2),
)
"""The simplifications of weights, the simplest first."""

Shows = Callable[[Graph], bool]


def reduce_graph(graph: Graph, shows: Shows) -> Graph:
    """Return a reduced graph for which `shows` is true, as it is for the given graph."""
    tries = 0

    def holds(candidate: Graph) -> bool:
        nonlocal tries
        tries += 1
        return tries <= MOST_TRIES and shows(candidate)

    while True:
        smaller = graph
        for step in STEPS:
            smaller = step(smaller, holds)
        if smaller is graph:
            return graph
        graph = smaller


def _try(shows: Shows, make: Callable[..., Graph], *arguments: Any) -> Graph | None:
    """Return the graph that `make` returns, if it is well formed and shows the fault, else None."""
    try:
        candidate = make(*arguments)
        verify(candidate)
    except FAULTS:
        return None
    return candidate if shows(candidate) else None


def cut_outputs(graph: Graph, shows: Shows) -> Graph:
    """Return the graph with one output, the earliest value that bisection finds."""
    for name, value in graph.outputs.items() if len(graph.outputs) > 1 else ():
        alone = _try(shows, _with_output, graph, name, value)
        if alone is not None:
            graph = alone
            break
    values = [value for node in graph.nodes for value in node.values]
    hidden, shown = -1, max(values.index(value) for value in graph.outputs.values())
    while shown - hidden > 1:
        middle = (hidden + shown) // 2
        cut = _try(shows, _with_output, graph, CUT, values[middle])
        if cut is None:
            hidden = middle
        else:
            graph, shown = cut, middle
    return graph


def _with_output(graph: Graph, name: str, value: Value) -> Graph:
    return Graph.create(graph.inputs, {name: value}, graph.signature)


def cut_inputs(graph: Graph, shows: Shows) -> Graph:
    """Replace as many nodes as possible by inputs, from the output back."""
    for name in [node.name for node in reversed(graph.nodes)]:
        node = _find(graph, name)
        if node is not None and not isinstance(node.op, Input | Constant):
            graph = _try(shows, _with_input, graph, name) or graph
    return graph


def _with_input(graph: Graph, name: str) -> Graph:
    """Return the graph with inputs instead of a node's results."""

    def replace(node: Node) -> tuple[Value, ...]:
        if node.name != name:
            return node.values
        return tuple(apply(Input(type=value.type), name=name).value for value in node.values)

    rebuilt = rebuild(graph, replace)
    made = [node for node in rebuilt.nodes if isinstance(node.op, Input) and node not in rebuilt.inputs]
    return Graph.create([*rebuilt.inputs, *made], rebuilt.outputs, rebuilt.signature)


def bypass_nodes(graph: Graph, shows: Shows) -> Graph:
    """Replace as many nodes as possible by one of their inputs."""
    for name in [node.name for node in reversed(graph.nodes)]:
        node = _find(graph, name)
        for place in range(len(node.inputs) if node is not None else 0):
            bypassed = _try(shows, _without_node, graph, name, place)
            if bypassed is not None:
                graph = bypassed
                break
    return graph


def _without_node(graph: Graph, name: str, place: int) -> Graph:
    return rebuild(graph, lambda node: node.inputs[place : place + 1] if node.name == name else node.values)


def drop_inputs(graph: Graph, shows: Shows) -> Graph:
    """Return the graph without inputs that nothing reads."""
    read = [node for node in graph.inputs if node.value in graph.uses]
    if not read or len(read) == len(graph.inputs):
        return graph
    return _try(shows, Graph.create, read, graph.outputs, graph.signature) or graph


def drop_signature(graph: Graph, shows: Shows) -> Graph:
    """Return the graph with an empty signature."""
    if graph.signature == Signature():
        return graph
    return _try(shows, Graph.create, graph.inputs, graph.outputs, Signature()) or graph


def shrink_sizes(graph: Graph, shows: Shows) -> Graph:
    """Reduce sizes, each everywhere it occurs, keeping the first elements of weights."""
    sizes = {size for node in graph.nodes for each in node.types for size in each.shape if size and size > 1}
    for size in sorted(sizes, reverse=True):
        for smaller in sorted({1, 2, size // 2} & set(range(1, size))):
            shrunk = _try(shows, _resized, graph, size, smaller)
            if shrunk is not None:
                graph = shrunk
                break
    return graph


def _extent(graph: Graph) -> int:
    """Return the sum of all known sizes, which shrinking reduces."""
    return sum(size or 0 for node in graph.nodes for each in node.types for size in each.shape)


def _resized(graph: Graph, size: int, smaller: int) -> Graph:
    def resize_tensor(tensor: Tensor) -> Tensor:
        kept = tuple(slice(smaller if length == size else None) for length in tensor.shape)
        return Tensor(np.ascontiguousarray(tensor.array[kept]))

    def resize(attribute: Any) -> Any:
        match attribute:
            case Tensor():
                return resize_tensor(attribute)
            case TensorType():
                return attribute.with_shape(map(resize, attribute.shape))
            case tuple():
                return tuple(map(resize, attribute))
            case Region(graph=inner):
                return Region(_map_ops(inner, resize))
            case int() if attribute == size and not isinstance(attribute, bool):
                return smaller
            case _ if attrs.has(type(attribute)):
                return _map_attributes(attribute, resize)
        return attribute

    resized = _map_ops(graph, resize)
    require(_extent(resized) < _extent(graph), "the size depends on others")
    return resized


def _map_ops(graph: Graph, change: Callable[[Any], Any]) -> Graph:
    """Return the graph with the attributes of all its ops changed, including inputs."""
    made: dict[Node, Node] = {}
    for node in graph.nodes:
        inputs = [Value(made[value.node], value.index) for value in node.inputs]
        made[node] = apply(_map_attributes(node.op, change), *inputs, name=node.name, shares=node.shares)
    outputs = {name: Value(made[value.node], value.index) for name, value in graph.outputs.items()}
    return Graph.create([made[node] for node in graph.inputs], outputs, graph.signature)


def _map_attributes(owner: Any, change: Callable[[Any], Any]) -> Any:
    """Return an attrs object with its attributes changed."""
    names = [field.name for field in attrs.fields(type(owner)) if field.init]
    return attrs.evolve(owner, **{name: change(getattr(owner, name)) for name in names})


def simplify_weights(graph: Graph, shows: Shows) -> Graph:
    """Replace each weight by simpler numbers."""
    for name in [node.name for node in graph.nodes]:
        node = _find(graph, name)
        for tensor in [] if node is None else list(tensors_of(node.op)):
            if tensor.type.dtype is DType.FLOAT32:
                graph = _simplify(graph, name, tensor, shows)
    return graph


def _simplify(graph: Graph, name: str, tensor: Tensor, shows: Shows) -> Graph:
    for simpler in map(Tensor, (make(tensor.array) for make in SIMPLER)):
        if simpler == tensor:
            return graph
        simplified = _try(shows, _with_tensor, graph, name, tensor, simpler)
        if simplified is not None:
            return simplified
    return graph


def _with_tensor(graph: Graph, name: str, old: Tensor, new: Tensor) -> Graph:
    """Return the graph in which a node's op has one tensor instead of another."""

    def change(attribute: Any) -> Any:
        if isinstance(attribute, tuple):
            return tuple(map(change, attribute))
        if isinstance(attribute, Region):
            return Region(_map_ops(attribute.graph, change))
        return new if attribute is old else attribute

    def replace(node: Node) -> tuple[Value, ...]:
        if node.name != name:
            return node.values
        return apply(_map_attributes(node.op, change), *node.inputs, name=name).values

    return rebuild(graph, replace)


def _find(graph: Graph, name: str) -> Node | None:
    return next((node for node in graph.nodes if node.name == name), None)


STEPS: tuple[Callable[[Graph, Shows], Graph], ...] = (
    cut_outputs,
    cut_inputs,
    bypass_nodes,
    drop_signature,
    drop_inputs,
    shrink_sizes,
    simplify_weights,
)
"""The steps; those that remove most come first."""
