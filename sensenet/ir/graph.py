"""Nodes, values and the immutable graph.

A node is an op applied to values; a value is one result of a node. Nodes never change and compare by
identity, so a rewrite builds new nodes and a new graph, and "changed" means "a different object". A graph has
inputs and outputs; its nodes are those that the outputs depend on, and all others are dead. Traversals are
iterative, because a network may be deeper than Python's recursion limit.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from sensenet.errors import VerifyError
from sensenet.forks import cached_property
from sensenet.ir.op import Op
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.sharing import Shares, name_shared_layers
from sensenet.ir.types import Tensor, TensorType, matches
from sensenet.notebook_views import make_view
from sensenet.records import frozen
from sensenet.signature import Signature

LARGEST_SIZE = 2**63 - 1
"""The largest size of an axis: NumPy supports no larger one."""


@frozen(eq=False, repr=False)
class Node:
    """An op, its inputs and the types of its results; created by `apply`, which infers the types."""

    op: Op
    inputs: tuple[Value, ...]
    types: tuple[TensorType, ...]
    name: str
    shares: Shares | None = None
    """The layer or weights that it shares with other nodes, if any."""
    values: tuple[Value, ...] = attrs.field(init=False)
    """The results, in order."""

    def __attrs_post_init__(self) -> None:
        values = tuple(Value(self, index) for index in range(len(self.types)))
        object.__setattr__(self, "values", values)

    @property
    def value(self) -> Value:
        """The node's only result, or its first."""
        return self.values[0]

    def __repr__(self) -> str:
        return f"<{self.name}: {self.op.mnemonic()}>"


@frozen(repr=False)
class Value:
    """One result of a node; values are equal if their nodes are identical and their indices equal."""

    node: Node
    index: int = 0

    @property
    def type(self) -> TensorType:
        return self.node.types[self.index]

    @property
    def op(self) -> Op:
        """The op that produces this value."""
        return self.node.op

    def __repr__(self) -> str:
        return f"<{self.node.name}:{self.index} {self.type}>"


def infer_types(op: Op, inputs: Sequence[Value]) -> tuple[TensorType, ...]:
    """Return the types of an op's results for these inputs; raises VerifyError if the op rejects them."""
    least, most = _arity(type(op).infer)
    if not least <= len(inputs) <= most:
        expected = str(least) if least == most else f"{least} or more"
        raise VerifyError(f"{op.mnemonic()} takes {expected} inputs, not {len(inputs)}")
    inferred = op.infer(*(value.type for value in inputs))
    types = inferred if isinstance(inferred, tuple) else (inferred,)
    for result in types:
        for size in result.shape:
            if size is not None and not 0 <= size <= LARGEST_SIZE:
                raise VerifyError(f"its result would be {str(result)[:80]}")
    return types


@functools.cache
def _arity(infer: Callable[..., object]) -> tuple[int, float]:
    """Return the least and most inputs of an op: the number of parameters of its class's `infer`."""
    kinds = [parameter.kind for parameter in inspect.signature(infer).parameters.values()][1:]
    variadic = inspect.Parameter.VAR_POSITIONAL in kinds
    positional = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return positional, math.inf if variadic else positional


def apply(op: Op, *inputs: Value, name: str = "", shares: Shares | None = None) -> Node:
    """Return a node that applies an op to values; its types are inferred.

    `Graph.create` may change `name` to make names unique. `shares` is what the node shares with other nodes.
    Raises VerifyError, naming the node, if the op does not accept inputs of these types.
    """
    name = name or op.mnemonic()
    try:
        return Node(op, tuple(inputs), infer_types(op, inputs), name, shares)
    except VerifyError as error:
        raise VerifyError(f"node {name!r} ({op.mnemonic()}): {error}") from error


def constant(tensor: Tensor, name: str = "") -> Value:
    """Return a value that is the same for every call."""
    return apply(Constant(value=tensor), name=name).value


@frozen(eq=False, slots=False, repr=False)
class Graph:
    """A program from named inputs to named outputs, with a signature that describes them.

    `inputs` are nodes of the op Input, in calling order, even if nothing reads them; `outputs` maps names to
    values, in order. Created by `create`.
    """

    inputs: tuple[Node, ...]
    outputs: Mapping[str, Value]
    signature: Signature

    def _repr_html_(self) -> str:
        """Return how notebooks show the graph."""
        html: str = make_view("show_graph", self)
        return html

    def _repr_svg_(self) -> str | None:
        """Return a drawing of the graph, if it is small."""
        svg: str | None = make_view("draw_small", self)
        return svg

    @classmethod
    def create(cls, inputs: Iterable[Node], outputs: Mapping[str, Value], signature: Signature) -> Graph:
        """Return a graph with unique node names: a second `dense` becomes `dense_2`, or the next free number.

        Nodes with the same trainable op object share a layer, which gets the name of the first.
        """
        graph = cls(tuple(inputs), dict(outputs), signature)
        graph = _with_changes(graph, {node: {"name": name} for node, name in _new_names(graph.nodes).items()})
        shared = name_shared_layers(graph.nodes)
        return _with_changes(graph, {node: {"shares": shares} for node, shares in shared.items()})

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The inputs, then every node that an output depends on, each after its own inputs."""
        return tuple(_topological_order(self.inputs, [value.node for value in self.outputs.values()]))

    @cached_property
    def uses(self) -> Mapping[Value, int]:
        """The number of times that each value is read, by nodes and by the graph's outputs."""
        count = Counter(value for node in self.nodes for value in node.inputs)
        count.update(self.outputs.values())
        return count

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the graph as a flat list, because pickle cannot recurse through long chains of nodes."""
        position = {node: index for index, node in enumerate(self.nodes)}

        def refer(values: Iterable[Value]) -> tuple[Reference, ...]:
            return tuple((position[value.node], value.index) for value in values)

        nodes = [(node.op, refer(node.inputs), node.types, node.name, node.shares) for node in self.nodes]
        outputs = tuple(zip(self.outputs, refer(self.outputs.values()), strict=True))
        return _from_flat, (nodes, len(self.inputs), outputs, self.signature)

    @property
    def ops(self) -> frozenset[type[Op]]:
        """The classes of the ops in the graph."""
        return frozenset(type(node.op) for node in self.nodes)

    def node(self, name: str) -> Node:
        """Return the node of that name; raises KeyError for an unknown name."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes: {', '.join(self.outputs)}>"


Reference = tuple[int, int]
"""A value in a flat list: the position of its node, and its index among the node's results."""


def _from_flat(
    flat: Sequence[tuple[Any, ...]],
    input_count: int,
    outputs: Sequence[tuple[str, Reference]],
    signature: Signature,
) -> Graph:
    """Return the graph of a flat list that `Graph.__reduce__` made."""
    nodes: list[Node] = []
    for op, inputs, types, name, shares in flat:
        nodes.append(Node(op, tuple(nodes[at].values[index] for at, index in inputs), types, name, shares))
    values = {name: nodes[at].values[index] for name, (at, index) in outputs}
    return Graph(tuple(nodes[:input_count]), values, signature)


def _topological_order(inputs: Iterable[Node], roots: Iterable[Node]) -> list[Node]:
    """Return the nodes in depth-first post-order, inputs first. Frozen nodes cannot form a cycle."""
    order = list(inputs)
    done = set(order)
    for root in roots:
        stack = [(root, iter(root.inputs))]
        if root in done:
            continue
        done.add(root)
        while stack:
            node, operands = stack[-1]
            for value in operands:
                if value.node not in done:
                    done.add(value.node)
                    stack.append((value.node, iter(value.node.inputs)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


Replace = Callable[[Node], Sequence[Value]]


def rebuild(
    graph: Graph, replace: Replace, replaced: Callable[[Value, Value], None] = lambda _old, _new: None
) -> Graph:
    """Return the graph with each node's results replaced by `replace(node)`, from inputs to outputs.

    `replace` is called with a node whose inputs are already replaced, and returns the values that replace its
    results: `node.values` to keep it. It is not called for graph inputs. `replaced(old, new)` is called for
    every value of the graph that is replaced, both if only its node's inputs changed, before `replace` is
    called, and by the result of `replace`. Returns the same graph object if nothing changed. Raises
    VerifyError if a replacement has another type.
    """
    results: dict[Value, Value] = {}

    def note(old: Node, values: Sequence[Value]) -> None:
        if values is old.values:
            return
        for old_value, new_value in zip(old.values, values, strict=True):
            if old_value != new_value:
                _require_replaceable(old_value, new_value)
                replaced(old_value, new_value)

    for node in graph.nodes:
        if isinstance(node.op, Input):
            continue
        current = node
        if results:
            inputs = tuple(results.get(value, value) for value in node.inputs)
            if inputs != node.inputs:
                current = apply(node.op, *inputs, name=node.name, shares=node.shares)
                note(node, current.values)
        new_values = replace(current)
        if new_values is node.values:
            continue
        note(current, new_values)
        for old, new in zip(node.values, new_values, strict=True):
            if old != new:
                results[old] = new
    if not results:
        return graph
    outputs = {name: results.get(value, value) for name, value in graph.outputs.items()}
    return Graph.create(graph.inputs, outputs, graph.signature)


def _require_replaceable(old: Value, new: Value) -> None:
    """Raise VerifyError unless a replacement has the same dtype and a compatible shape."""
    if old.type.dtype is not new.type.dtype or not matches(old.type.shape, new.type.shape):
        raise VerifyError(f"{old.type} ({old.node.name!r}) was replaced by {new.type} ({new.node.name!r})")


def _new_names(nodes: Collection[Node]) -> dict[Node, str]:
    """Return new, unused names for the second and later nodes of a name."""
    taken = {node.name for node in nodes}
    counts: Counter[str] = Counter()
    new_names: dict[Node, str] = {}
    for node in nodes:
        counts[node.name] += 1
        if counts[node.name] == 1:
            continue
        while (name := f"{node.name}_{counts[node.name]}") in taken:
            counts[node.name] += 1
        taken.add(name)
        new_names[node] = name
    return new_names


def _with_changes(graph: Graph, changes: Mapping[Node, Mapping[str, Any]]) -> Graph:
    """Return the graph with changed names or sharing of nodes; the same object if nothing changes."""
    if not changes:
        return graph
    changed: dict[Node, Node] = {}
    for node in graph.nodes:
        inputs = tuple(Value(changed.get(value.node, value.node), value.index) for value in node.inputs)
        if node in changes or inputs != node.inputs:
            changed[node] = attrs.evolve(node, inputs=inputs, **changes.get(node, {}))
    return Graph(
        tuple(changed.get(node, node) for node in graph.inputs),
        {name: Value(changed.get(v.node, v.node), v.index) for name, v in graph.outputs.items()},
        graph.signature,
    )


def same_graph(first: Graph, second: Graph) -> bool:
    """Return whether two graphs are equal in structure, ops, weights, names, sharing and signature."""
    if len(first.nodes) != len(second.nodes) or len(first.outputs) != len(second.outputs):
        return False
    return (
        first.signature == second.signature
        and len(first.inputs) == len(second.inputs)
        and all(a == b for a, b in zip(_described(first), _described(second), strict=True))
    )


def _described(graph: Graph) -> Iterator[tuple[object, ...]]:
    """Yield a description of each node, then of each output; values are given by their node's position."""
    position = {node: index for index, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        inputs = tuple((position[value.node], value.index) for value in node.inputs)
        yield node.name, node.shares, node.types, inputs, node.op
    for name, value in graph.outputs.items():
        yield name, position[value.node], value.index
