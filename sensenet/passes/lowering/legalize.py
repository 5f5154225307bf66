"""legalize: lower ops that a target does not have to ops that it has.

    %1 = destandardize(%0) {mean=f32[]{50.0}, stdev=f32[]{2.0}} : f32[?,1]
becomes, for a target without destandardize,
    %2 = constant() {value=f32[]{2.0}} : f32[]
    %3 = multiply(%0, %2) {} : f32[?,1]
    %4 = constant() {value=f32[]{50.0}} : f32[]
    %1 = add(%3, %4) {} : f32[?,1]

Valid because every rule of `LOWERINGS` is. Results of a rule are lowered further if necessary. Forests that
have to be lowered are first made to read raw columns (see `rewrite_thresholds`), at every level: the path of
a row must not depend on how a backend divides. Each target has its own such pass, which runs last.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from sensenet.errors import UnsupportedOpError
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.legality import Legal, is_legal
from sensenet.ir.op import Op
from sensenet.ir.ops.arithmetic import Add, Average
from sensenet.ir.ops.convolution import (
    Convolution2D,
    DepthwiseConvolution2D,
    SeparableConvolution2D,
    Upsample2D,
)
from sensenet.ir.ops.dense import Activation, BatchedDense, BatchNormalization, Dense, Dropout
from sensenet.ir.ops.detection import DecodeBoxes, ScaleBoxes, SuppressBoxes
from sensenet.ir.ops.image import Rescale
from sensenet.ir.ops.quantization import Dequantize, Quantize
from sensenet.ir.ops.rearrangement import Flatten, TakeAlong
from sensenet.ir.ops.shape import Resize2D, Take
from sensenet.ir.ops.tabular import Destandardize, EmbeddingSum, Forest, OneHot, Standardize
from sensenet.passes import rewrite_thresholds
from sensenet.passes.infrastructure.rules import Declined, Pass, Rule, Uses, apply_rules
from sensenet.passes.lowering.activations import lower_activation, split_activation
from sensenet.passes.lowering.arithmetic import (
    lower_average,
    lower_batch_normalization,
    lower_destandardize,
    lower_dropout,
    lower_one_hot,
    lower_standardize,
)
from sensenet.passes.lowering.batched_dense import lower_batched_dense
from sensenet.passes.lowering.boxes import lower_decode_boxes, lower_scale_boxes
from sensenet.passes.lowering.embedding import lower_embedding_sum
from sensenet.passes.lowering.forest.rule import forest_rule
from sensenet.passes.lowering.forest.strategy import MANY_ROWS
from sensenet.passes.lowering.images import (
    lower_rescale,
    lower_resize,
    lower_separable_convolution,
    lower_upsample,
)
from sensenet.passes.lowering.quantization import lower_dequantize, lower_quantize
from sensenet.passes.lowering.shapes import lower_add, lower_flatten, lower_take, lower_take_along
from sensenet.passes.lowering.suppression import lower_suppress_boxes

LOWERINGS: Mapping[type[Op], Rule] = {
    Standardize: lower_standardize,
    Destandardize: lower_destandardize,
    OneHot: lower_one_hot,
    EmbeddingSum: lower_embedding_sum,
    Forest: forest_rule(1, walks=False),
    Dense: split_activation,
    BatchedDense: lower_batched_dense,
    BatchNormalization: lower_batch_normalization,
    Activation: lower_activation,
    Dropout: lower_dropout,
    Convolution2D: split_activation,
    DepthwiseConvolution2D: split_activation,
    SeparableConvolution2D: lower_separable_convolution,
    Upsample2D: lower_upsample,
    Rescale: lower_rescale,
    Resize2D: lower_resize,
    DecodeBoxes: lower_decode_boxes,
    ScaleBoxes: lower_scale_boxes,
    SuppressBoxes: lower_suppress_boxes,
    Quantize: lower_quantize,
    Dequantize: lower_dequantize,
    Add: lower_add,
    Average: lower_average,
    Flatten: lower_flatten,
    TakeAlong: lower_take_along,
    Take: lower_take,
}
"""The lowering rule of each op that a target may lack. Every target has all other ops."""


def legalize(legal: Legal, rows: int = 1) -> Pass:
    """Return the pass that lowers a graph to nodes that a target takes, for about `rows` rows in a call.

    If forests are legal and calls have many rows, forests that are then faster are lowered anyway. The pass
    raises UnsupportedOpError, naming op and node, for an op that is neither legal nor has a rule.
    """

    walks = Forest in legal
    lowerings = {**LOWERINGS, Forest: forest_rule(rows, walks)}
    keeps_forests = walks and rows < MANY_ROWS

    def lower(node: Node, uses: Uses) -> Value | Sequence[Value] | Declined | None:
        legal_here = is_legal(node, legal)
        if legal_here and (keeps_forests or not isinstance(node.op, Forest)):
            return None
        rule = lowerings.get(type(node.op))
        lowered = rule(node, uses) if rule is not None else None
        if (lowered is None or isinstance(lowered, Declined)) and not legal_here:
            raise UnsupportedOpError(
                f"the target has no op {node.op.mnemonic()} (node {node.name!r}), "
                "and no rule lowers it to others; choose another target"
            )
        return lowered

    def run(graph: Graph) -> Graph:
        raw = graph if keeps_forests else rewrite_thresholds.PASS.run(graph)
        return apply_rules(raw, (lower,))

    rules = tuple(_if_illegal(rule, lower) for rule in dict.fromkeys(lowerings.values()))
    return Pass(name="legalize", run=run, rules=rules)


def _if_illegal(rule: Rule, lower: Rule) -> Rule:
    """Return the rule, under its own name, limited to the nodes to which `lower` applies it."""
    ops = {op for op, each in LOWERINGS.items() if each is rule} or {Forest}

    @functools.wraps(rule)
    def lower_if_illegal(node: Node, uses: Uses) -> Value | Sequence[Value] | Declined | None:
        return lower(node, uses) if type(node.op) in ops else None

    return lower_if_illegal
