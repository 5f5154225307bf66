"""batch-networks: the networks of an ensemble that have one shape are computed together.

    %1 = dense(%0) {kernel=#…:f32[20,32], …, activation=relu} : f32[?,32]
    %2 = dense(%1) {kernel=#…:f32[32,3], …, activation=softmax} : f32[?,3]
    %3 = dense(%0) {kernel=#…:f32[20,32], …, activation=relu} : f32[?,32]
    %4 = dense(%3) {kernel=#…:f32[32,3], …, activation=softmax} : f32[?,3]
    %5 = average(%2, %4) {} : f32[?,3]
becomes
    %1 = batched_dense(%0) {kernel=#…:f32[2,20,32], …, activation=relu} : f32[2,?,32]
    %2 = batched_dense(%1) {kernel=#…:f32[2,32,3], …, activation=softmax} : f32[2,?,3]
    %5 = mean(%2) {axis=0} : f32[?,3]

Networks have one shape if they read the same value and their layers, from there to the answer, have kernels
of the same shapes and the same activations. Other networks of the ensemble stay as they are, and their
answers are stacked with those of the batches.

Valid because each network keeps its own products; only the answers are summed in another order. It pays in
NumPy, which takes a step for each op: a row through three layers of 64 units takes 31 → 16 µs with 2
networks, 153 → 26 with 8, 227 → 22 with 16 (benchmarks/ensembles.py); 10,000 rows at once, which then fit no
cache, take up to 1.8 times as long. Other targets get each network's layers back (`lower_batched_dense`).

Must not fire if no two networks have one shape, if something else reads a layer, nor if block-diagonal
kernels of all layers are as fast and work on every target: fold-average and merge-parallel-dense then merge
the networks into plain layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.arithmetic import Average
from sensenet.ir.ops.dense import BatchedDense, Dense
from sensenet.ir.ops.reduction import Mean
from sensenet.ir.types import Tensor
from sensenet.passes.analysis.parallel_layers import LARGEST_BLOCK
from sensenet.passes.analysis.stacks import join_stacks, stack
from sensenet.passes.infrastructure.rules import Uses, rounding_pass
from sensenet.records import frozen


@frozen(kw_only=True)
class Network:
    """A network: its layers from its input to its answer, which nothing else reads."""

    answer: Value
    source: Value
    nodes: tuple[Node, ...]

    @property
    def layers(self) -> tuple[Dense, ...]:
        return tuple(node.op for node in self.nodes if isinstance(node.op, Dense))

    @property
    def shape(self) -> object:
        """Equal for networks that can be computed together."""
        return self.source, tuple((layer.kernel.shape, layer.activation) for layer in self.layers)


def batch_equal_networks(node: Node, uses: Uses) -> Value | None:
    """Return the mean of the networks' answers, with those of one shape computed together."""
    if not isinstance(node.op, Average) or node.types[0].rank != 2:
        return None
    groups: dict[object, list[Network]] = {}
    for value in node.inputs:
        network = _trace(value, uses)
        groups.setdefault(network.shape, []).append(network)
    if not any(
        _is_batch(group) and not _fits_side_by_side(group[0].layers, len(group)) for group in groups.values()
    ):
        return None
    name = f"{node.name}_networks"
    stacks = [
        _batch(group) if _is_batch(group) else stack([network.answer for network in group], name)
        for group in groups.values()
    ]
    return apply(Mean(axis=0), join_stacks(stacks, name), name=node.name).value


def _trace(answer: Value, uses: Uses) -> Network:
    """Return the dense layers that lead to an answer, each read by the next alone."""
    nodes: list[Node] = []
    value = answer
    while isinstance(value.op, Dense) and value.type.rank == 2 and uses.only(value):
        nodes.append(value.node)
        (value,) = value.node.inputs
    return Network(answer=answer, source=value, nodes=tuple(reversed(nodes)))


def _is_batch(group: Sequence[Network]) -> bool:
    """Return whether there is more than one network, and layers to compute together."""
    return len(group) > 1 and bool(group[0].layers)


def _fits_side_by_side(layers: Sequence[Dense], count: int) -> bool:
    """Return whether other passes merge `count` networks: their block-diagonal kernels are small.

    First layers share a product and linear last layers become one, whatever their size.
    """
    *hidden, last = layers
    if last.activation not in (ActivationFunction.LINEAR, ActivationFunction.SOFTMAX):
        return False
    blocks = layers[1:-1] if last.activation is ActivationFunction.LINEAR else layers[1:]
    return all(layer.activation.elementwise for layer in hidden) and all(
        count**2 * layer.kernel.array.size <= LARGEST_BLOCK for layer in blocks
    )


def _batch(group: Sequence[Network]) -> Value:
    """Return the answers of networks of one shape, stacked."""
    value = group[0].source
    layers = zip(*(network.layers for network in group), strict=True)
    for node, alike in zip(group[0].nodes, layers, strict=True):
        value = apply(_batch_layers(alike), value, name=node.name).value
    return value


def _batch_layers(layers: Sequence[Dense]) -> BatchedDense:
    """Return one op for a layer of each network."""
    biases = [layer.bias.array if layer.bias else np.zeros(layer.units, np.float32) for layer in layers]
    return BatchedDense(
        kernel=Tensor.owning(np.stack([layer.kernel.array for layer in layers])),
        bias=Tensor.owning(np.stack(biases)) if any(layer.bias for layer in layers) else None,
        activation=layers[0].activation,
    )


PASS = rounding_pass("batch-networks", batch_equal_networks)
