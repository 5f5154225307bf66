"""Records which nodes share a layer that is applied several times, or its weights.

    %a = dense(%x) {kernel=…, bias=none, activation=relu} : f32[?,4] shares layer a
    %b = dense(%y) {kernel=…, bias=none, activation=relu} : f32[?,4] shares layer a

Nodes that share have equal ops, which `verify` checks. Sharing does not change results: in a target with
layers, such as Keras, nodes that share become one layer, so that training keeps them equal.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from sensenet.ir.op import Op, require
from sensenet.records import frozen


class Part(enum.Enum):
    """The part that nodes share."""

    LAYER = "layer"
    """The whole layer: the nodes are one layer."""

    WEIGHTS = "weights"
    """The weights: the nodes are separate layers that start with the same weights, or one layer by option.

    An example is a document with several images per row: it has one image network, but h5 files have one for
    each image.
    """


@frozen
class Shares:
    """A node's sharing, with all nodes of the same part and name."""

    part: Part
    name: str

    def __str__(self) -> str:
        return f"shares {self.part.value} {self.name}"


class Applied(Protocol):
    """A node, as far as sharing needs it."""

    @property
    def op(self) -> Op: ...
    @property
    def name(self) -> str: ...
    @property
    def shares(self) -> Shares | None: ...


N = TypeVar("N", bound=Applied)


def require_shareable(op: Op, first: Applied | None) -> None:
    """Raise VerifyError unless the op has weights, and equals that of the first node that shares the same."""
    require(op.trainable, f"{op.mnemonic()} has no weights that nodes could share")
    if first is not None:
        same = op is first.op or op == first.op
        require(same, f"it shares with %{first.name}, which has a different op; expected equal ops")


def name_shared_layers(nodes: Iterable[N]) -> dict[N, Shares]:
    """Return the sharing of nodes that have the same trainable op object, but no sharing yet.

    They join the sharing of the others, or become a layer with the name of the first node.
    """
    holders: dict[int, list[N]] = defaultdict(list)
    for node in nodes:
        if node.op.trainable:
            holders[id(node.op)].append(node)
    repeated = [group for group in holders.values() if len(group) > 1]
    taken = {node.shares for group in holders.values() for node in group} if repeated else set()
    found: dict[N, Shares] = {}
    for group in repeated:
        known = next((node.shares for node in group if node.shares), None)
        shares = known or _new_layer(group[0].name, taken)
        taken.add(shares)
        found.update((node, shares) for node in group if node.shares is None)
    return found


def _new_layer(name: str, taken: set[Shares | None]) -> Shares:
    """Return a layer of that name, with a number added if the name is taken."""
    shares, number = Shares(Part.LAYER, name), 1
    while shares in taken:
        number += 1
        shares = Shares(Part.LAYER, f"{name}_{number}")
    return shares


def still_shared(ops: Mapping[N, Op]) -> dict[N, Shares]:
    """Return the sharing of nodes once they have these ops: with those nodes whose ops are still equal."""
    classes: dict[Shares, list[list[N]]] = defaultdict(list)
    for node, op in ops.items():
        if node.shares is not None:
            alike = next((known for known in classes[node.shares] if ops[known[0]] == op), None)
            classes[node.shares].append([node]) if alike is None else alike.append(node)
    return {
        node: before if len(found) == 1 else Shares(before.part, equal[0].name)
        for before, found in classes.items()
        for equal in found
        if len(equal) > 1
        for node in equal
    }
