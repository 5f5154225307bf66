"""The lowering of forests to basic ops: a strategy for each forest, and the answers put together.

    %1 = forest(%0) {…, sizes=(8, 8)} : f32[?,4]
becomes, for two forests of small trees,
    transpose → gather → less_equal → cast → multiply → reshape → mean → subtract → cast → lookup → …

A rule of the pass legalize. The strategies stand behind one interface, `strategy(forest, x, name)`: tables
(see `tables`) do one comparison for each threshold, and hold every answer that a tree has; leaf paths
(see `leaf_paths`) do work that grows with the square of the leaves, in a dozen ops; traversal (see
`traversal`) does work that grows with the depth, in seven ops a level. A target that walks trees
itself has forests left for which that is the quickest. `strategy` chooses. Forests of like size are
lowered together.

Valid because all find the same leaf as `Forest.evaluate` does for every input, NaN and infinities included;
the mean is a sum of shares instead of a divided sum, and may differ by rounding.
Must not fire for a leaf value that is not finite, which sums that skip a leaf by multiplying it by zero would
spread, nor for trees that no strategy can hold: both are an UnsupportedOpError.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sensenet.errors import UnsupportedOpError
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.basic import Gather
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Tensor
from sensenet.passes.analysis.columns import join
from sensenet.passes.infrastructure.rules import Rule, Uses
from sensenet.passes.lowering.forest.leaf_paths import lower_leaf_paths
from sensenet.passes.lowering.forest.strategy import Size, Strategy, choose_strategies, forest_sizes
from sensenet.passes.lowering.forest.tables import lower_joined_tables, lower_tables
from sensenet.passes.lowering.forest.traversal import lower_traversal
from sensenet.passes.lowering.forest.trees import pick_forests

STRATEGIES: Mapping[Strategy, Callable[[Forest, Value, str], Value]] = {
    Strategy.LEAF_PATHS: lower_leaf_paths,
    Strategy.TRAVERSAL: lower_traversal,
    Strategy.TABLES: lower_tables,
    Strategy.JOINED_TABLES: lower_joined_tables,
    Strategy.WALK: lambda forest, x, name: apply(forest, x, name=name).value,
}


def forest_rule(rows: int, walks: bool) -> Rule:
    """The rule that makes a node's forests of basic ops, those that are quickest for so many rows.

    For a target that `walks` trees itself, it leaves the forests for which that is the quickest.
    """

    def lower_forest(node: Node, _: Uses) -> Value | None:
        if not isinstance(node.op, Forest):
            return None
        strategies = choose_strategies(node.op, node.name, rows, walks)
        if set(strategies) == {Strategy.WALK}:
            return None
        return lower_with(strategies, node.op, node.inputs[0], node.name)

    return lower_forest


def lower_with(strategies: Sequence[Strategy], forest: Forest, x: Value, name: str) -> Value:
    """The forests of an op, f32[b, G · C], each lowered with the strategy given for it."""
    if not forest.values.finite:
        raise UnsupportedOpError(f"a leaf of the forest {name!r} holds a value that is NaN or infinite")
    alike: dict[tuple[Strategy, int, int], list[int]] = defaultdict(list)
    for number, (strategy, size) in enumerate(zip(strategies, forest_sizes(forest), strict=True)):
        alike[_group(strategy, size)].append(number)
    answers = []
    for count, ((strategy, _, _), numbers) in enumerate(alike.items(), start=1):
        group_name = name if len(alike) == 1 else f"{name}_group_{count}"
        answers.append(STRATEGIES[strategy](pick_forests(forest, numbers), x, group_name))
    order = np.array([number for numbers in alike.values() for number in numbers])
    joined = join(answers, f"{name}_groups")
    if np.array_equal(order, np.arange(len(order))):
        return joined
    columns = np.argsort(order)[:, None] * forest.outputs + np.arange(forest.outputs)
    return apply(Gather(indices=Tensor.int32(columns.ravel())), joined, name=f"{name}_in_order").value


def _group(strategy: Strategy, size: Size) -> tuple[Strategy, int, int]:
    """Forests of one group are padded to one size; more groups mean more ops.

    Leaf paths pad the number of leaves and trees, tables too: a tree has as many thresholds as it has leaves,
    about. Traversal pads that of trees alone: its ops come once for each level, so all depths go together.
    """
    match strategy:
        case Strategy.LEAF_PATHS | Strategy.TABLES | Strategy.JOINED_TABLES:
            return strategy, _bucket(size.leaves), _bucket(size.trees)
        case Strategy.TRAVERSAL:
            return strategy, 0, _bucket(size.trees)
        case Strategy.WALK:
            return strategy, 0, 0


def _bucket(count: int) -> int:
    """8, 64, 512, …: the first that is not less."""
    bucket = 8
    while bucket < count:
        bucket *= 8
    return bucket
