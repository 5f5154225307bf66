"""What nodes have in common: one layer that is applied several times, or its weights.

    %a = dense(%x) {kernel=…, bias=none, activation=relu} : f32[?,4] shares layer a
    %b = dense(%y) {kernel=…, bias=none, activation=relu} : f32[?,4] shares layer a

Nodes that share hold equal ops, which `verify` checks. Sharing changes no answer: it says what becomes one
layer of a target that has layers, as Keras has, and so what training keeps equal.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from attrs import frozen

from sensenet.ir.op import Op, require


class Part(enum.Enum):
    """What nodes share."""

    LAYER = "layer"
    """They are one layer."""

    WEIGHTS = "weights"
    """They are layers of their own that begin with the same weights, or one layer if a caller wants that.

    So does a document with several images in a row: it has one image network, and h5 files have one for each.
    """


@frozen
class Shares:
    """What a node shares, and with which others: those of the same part and name."""

    part: Part
    name: str

    def __str__(self) -> str:
        return f"shares {self.part.value} {self.name}"


class Applied(Protocol):
    """A node."""

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
        require(same, f"it shares with %{first.name}, whose op is another; nodes that share have equal ops")


def name_shared_layers(nodes: Iterable[N]) -> dict[N, Shares]:
    """Return what nodes share that hold the very op of others, and do not say so yet.

    They join the others, or are a layer of the name of the first. That is for ops that can be trained alone.
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
    """Return a layer of that name, or of the name with a number if others are called so."""
    shares, number = Shares(Part.LAYER, name), 1
    while shares in taken:
        number += 1
        shares = Shares(Part.LAYER, f"{name}_{number}")
    return shares


def still_shared(ops: Mapping[N, Op]) -> dict[N, Shares]:
    """Return what nodes share once they hold these ops: as before, with those that hold an equal one."""
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
