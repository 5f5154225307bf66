"""simplify-lowered: simplify a lowered graph, within the ops of its target.

    %1 = dense(%0) {kernel=…, bias=none, activation=linear} : f32[?,4]
    %2 = constant() {value=f32[4]{…}} : f32[4]
    %3 = add(%1, %2) {} : f32[?,4]
    %4 = activation(%3) {function=relu} : f32[?,4]
becomes, for a target whose dense layers can have relu,
    %4 = dense(%0) {kernel=…, bias=f32[4]{…}, activation=relu} : f32[?,4]

Ops of constants are computed, equal nodes and reshapes of reshapes merged, identities removed. A product with
a constant matrix becomes a dense layer, one with a row of ones a sum; a layer absorbs the bias added to its
results, and an activation that the target's layers can have. Runs for targets with tensor ops, after
legalize, at every level.

Valid because each rule is: those of fold-constants, eliminate-common-subexpressions, remove-identities,
simplify-rearrangements and fuse-activations; and a layer is defined as a matrix product and a sum. Must not
fire if the target does not take the result, nor for a layer that something else reads.
"""

from __future__ import annotations

import numpy as np
from attrs import evolve

from sensenet.ir.graph import Graph, Node, Value, apply
from sensenet.ir.legality import Legal, is_legal
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.core import Constant
from sensenet.ir.ops.dense import Dense, MatMul
from sensenet.ir.ops.reduction import ReduceSum
from sensenet.ir.types import Tensor
from sensenet.passes.analysis.linear_layers import LINEAR_LAYERS, is_linear
from sensenet.passes.analysis.shapes import compose_shapes, compose_transpositions
from sensenet.passes.eliminate_common_subexpressions import eliminate_common_subexpressions
from sensenet.passes.fold_constants import fold_constant
from sensenet.passes.fuse_activations import fuse_activation
from sensenet.passes.infrastructure.rules import Pass, Rule, Uses, apply_rules
from sensenet.passes.remove_identities import remove_identity


def sum_with_ones(node: Node, _: Uses) -> Value | None:
    """Return the sum of rows for a product of a row of ones and matrices."""
    if not isinstance(node.op, MatMul):
        return None
    left, right = node.inputs
    if not isinstance(left.op, Constant) or left.type.rank > right.type.rank:
        return None
    ones = left.op.value.array
    if ones.size != ones.shape[-1] or not np.all(ones == 1):
        return None
    axis = right.type.rank - 2
    return apply(ReduceSum(axes=(axis,), keep_dimensions=True), right, name=node.name).value


def multiply_by_layer(node: Node, _: Uses) -> Value | None:
    """Return a dense layer for a product with a constant matrix."""
    if not isinstance(node.op, MatMul):
        return None
    left, right = node.inputs
    if not isinstance(right.op, Constant) or right.type.rank != 2 or not right.op.value.finite:
        return None
    return apply(Dense(kernel=right.op.value), left, name=node.name).value


def fuse_bias(node: Node, uses: Uses) -> Value | None:
    """Return the layer with a bias, if one number per channel is added to its results."""
    if not isinstance(node.op, Add) or len(node.inputs) != 2:
        return None
    for y, added in (node.inputs, node.inputs[::-1]):
        if not is_linear(y.op) or y.op.bias is not None or not isinstance(added.op, Constant):
            continue
        bias, units = added.op.value, y.type.shape[-1]
        fits = bias.shape[-1:] == (units,) and bias.array.size == units and len(bias.shape) <= y.type.rank
        if fits and bias.finite and uses.only(y):
            layer = evolve(y.op, bias=Tensor(bias.array.reshape(-1)))
            return apply(layer, *y.node.inputs, name=node.name).value
    return None


def drop_zero_bias(node: Node, _: Uses) -> Value | None:
    """Return the layer without a bias of zeros."""
    if not isinstance(node.op, LINEAR_LAYERS) or node.op.bias is None or node.op.bias.array.any():
        return None
    return apply(evolve(node.op, bias=None), *node.inputs, name=node.name).value


def fuse_if_legal(legal: Legal) -> Rule:
    """Return the rule that makes an activation part of a layer, if the target takes that."""

    def fuse_activation_if_legal(node: Node, uses: Uses) -> Value | None:
        fused = fuse_activation(node, uses)
        return fused if isinstance(fused, Value) and is_legal(fused.node, legal) else None

    return fuse_activation_if_legal


def simplify_lowered(legal: Legal) -> Pass:
    """Return the pass for a target that takes these nodes."""
    shaping = (
        fold_constant,
        remove_identity,
        compose_shapes,
        compose_transpositions,
        sum_with_ones,
        multiply_by_layer,
    )
    fusing = (fuse_bias, fuse_if_legal(legal), drop_zero_bias)

    def run(graph: Graph) -> Graph:
        shaped = eliminate_common_subexpressions(apply_rules(graph, shaping))
        return apply_rules(shaped, fusing)

    return Pass(name="simplify-lowered", run=run)
