"""Lowering rule for the layers of networks that are computed together; the pass legalize uses it.

    %1 = batched_dense(%0) {kernel=#…:f32[2,20,8], …} : f32[2,?,8]
    %2 = batched_dense(%1) {kernel=#…:f32[2,8,3], …} : f32[2,?,3]
becomes
    %1_0 = dense(%0) {kernel=#…:f32[20,8], …} : f32[?,8]
    %1_1 = dense(%0) {kernel=#…:f32[20,8], …} : f32[?,8]
    %2_0 = dense(%1_0) {kernel=#…:f32[8,3], …} : f32[?,3]
    %2_1 = dense(%1_1) {kernel=#…:f32[8,3], …} : f32[?,3]
    %2 = concatenate(reshape(%2_0), reshape(%2_1)) {axis=0} : f32[2,?,3]

All targets based on TensorFlow use it. They could multiply stacked matrices, and for eight networks or more a
single row is then faster (in TensorFlow by a third to a half, in LiteRT by a tenth to a third); but 10,000
rows take up to 1.9 times as long in TensorFlow and 3.2 times in LiteRT (benchmarks/ensembles.py), and
TensorFlow Lite would not quantize such kernels.

Valid because these are the op's own products: the results are the same, bit for bit.
"""

from __future__ import annotations

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.dense import BatchedDense, Dense
from sensenet.ir.types import Tensor
from sensenet.passes.analysis.stacks import stack, unstack
from sensenet.passes.infrastructure.rules import Uses


def lower_batched_dense(node: Node, _: Uses) -> Value | None:
    """Return the stacked results of each network's layer on the network's input."""
    op = node.op
    if not isinstance(op, BatchedDense):
        return None
    (x,) = node.inputs
    shared = x.type.rank == 2
    sources = [x] * op.networks if shared else unstack(x)
    return stack(
        [
            apply(_layer(op, index), source, name=f"{node.name}_{index}").value
            for index, source in enumerate(sources)
        ],
        node.name,
    )


def _layer(op: BatchedDense, index: int) -> Dense:
    """Return the layer of one of the networks."""
    return Dense(
        kernel=Tensor(op.kernel.array[index]),
        bias=None if op.bias is None else Tensor(op.bias.array[index]),
        activation=op.activation,
    )
