"""legalize: ops that a target does not have become ops that it has.

    %1 = destandardize(%0) {mean=f32[]{50.0}, stdev=f32[]{2.0}} : f32[?,1]
becomes, for a target without destandardize,
    %2 = constant() {value=f32[]{2.0}} : f32[]
    %3 = multiply(%0, %2) {} : f32[?,1]
    %4 = constant() {value=f32[]{50.0}} : f32[]
    %1 = add(%3, %4) {} : f32[?,1]

Valid because every rule of `LOWERINGS` is. What a rule gives is lowered further where it has to be. Forests
that have to be lowered read raw columns first (see `rewrite_thresholds`), at every level: where a row goes
must not depend on how a backend divides. A pass of its own for each target, run last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sensenet.errors import UnsupportedOpError
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops.basic import Average
from sensenet.ir.ops.dense import BatchedDense, BatchNormalization, Dropout
from sensenet.ir.ops.tabular import Destandardize, EmbeddingSum, Forest, OneHot, Standardize
from sensenet.passes import rewrite_thresholds
from sensenet.passes.forest_strategy import MANY_ROWS
from sensenet.passes.lower_arithmetic import (
    lower_average,
    lower_batch_normalization,
    lower_destandardize,
    lower_dropout,
    lower_one_hot,
    lower_standardize,
)
from sensenet.passes.lower_batched_dense import lower_batched_dense
from sensenet.passes.lower_embedding import lower_embedding_sum
from sensenet.passes.lower_forest import forest_rule
from sensenet.passes.rewrite import Declined, Pass, Rule, Uses, apply_rules

LOWERINGS: Mapping[type[Op], Rule] = {
    Standardize: lower_standardize,
    Destandardize: lower_destandardize,
    OneHot: lower_one_hot,
    EmbeddingSum: lower_embedding_sum,
    Forest: forest_rule(1, walks=False),
    BatchedDense: lower_batched_dense,
    BatchNormalization: lower_batch_normalization,
    Dropout: lower_dropout,
    Average: lower_average,
}
"""How each op that a target may lack is made of others. Ops that are not here, every target has."""


def legalize(legal: frozenset[type[Op]], rows: int = 1) -> Pass:
    """The pass that leaves only ops of these classes; forests are made for so many rows in a call.

    Where forests are legal, and calls have many rows, those are lowered all the same that are quicker so. It
    raises UnsupportedOpError, naming op and node, for an op that is neither legal nor lowered to others.
    """

    walks = Forest in legal
    lowerings = {**LOWERINGS, Forest: forest_rule(rows, walks)}
    keeps = legal if rows < MANY_ROWS else legal - {Forest}

    def lower(node: Node, uses: Uses) -> Value | Sequence[Value] | Declined | None:
        if type(node.op) in keeps:
            return None
        rule = lowerings.get(type(node.op))
        lowered = rule(node, uses) if rule is not None else None
        if (lowered is None or isinstance(lowered, Declined)) and type(node.op) not in legal:
            raise UnsupportedOpError(
                f"the target has no op {node.op.mnemonic()} (node {node.name!r}), "
                "and there is no rule that makes it of others"
            )
        return lowered

    def run(graph: Graph) -> Graph:
        raw = graph if Forest in keeps else rewrite_thresholds.PASS.run(graph)
        return apply_rules(raw, (lower,))

    return Pass(name="legalize", run=run)
