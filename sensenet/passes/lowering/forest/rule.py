"""The lowering of forests to basic ops: a strategy for each forest, and the concatenated answers.

    %1 = forest(%0) {…, sizes=(8, 8)} : f32[?,4]
becomes, for two forests of small trees,
    transpose → gather → less_equal → cast → multiply → reshape → mean → subtract → cast → lookup → …

A rule of the pass legalize. The strategies have one interface, `strategy(forest, x, name)`: tables (see
`tables`) do one comparison for each threshold, and hold all answers of a tree; leaf paths (see `leaf_paths`)
do work that grows with the square of the leaves, in a dozen ops; traversal (see `traversal`) does work that
grows with the depth, in seven ops per level. A target that walks trees itself keeps the forests for which
that is fastest. `strategy` chooses. Forests of similar size are lowered together.

Valid because all find the same leaf as `Forest.evaluate` does for every input, NaN and infinities included;
the mean is a sum of shares instead of a divided sum, and may differ by rounding. Must not fire for a leaf
value that is not finite, because sums skip a leaf by multiplying it by zero, nor for trees too large for
every strategy: both raise UnsupportedOpError.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sensenet.errors import UnsupportedOpError
from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.ops.rearrangement import Gather
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
    """Return the rule that lowers a node's forests to the ops that are fastest for `rows` rows.

    For a target that `walks` trees itself, it leaves the forests for which that is fastest.
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
    """Return the forests of an op, f32[b, G · C], each lowered with its strategy."""
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
    """Return the group of a forest: forests of a group are padded to one size; more groups mean more ops.

    Leaf paths and tables pad the numbers of leaves and trees: a tree has about as many thresholds as leaves.
    Traversal pads only the number of trees: its ops repeat for each level, so all depths go together.
    """
    match strategy:
        case Strategy.LEAF_PATHS | Strategy.TABLES | Strategy.JOINED_TABLES:
            return strategy, _bucket(size.leaves), _bucket(size.trees)
        case Strategy.TRAVERSAL:
            return strategy, 0, _bucket(size.trees)
        case Strategy.WALK:
            return strategy, 0, 0


def _bucket(count: int) -> int:
    """Return the first of 8, 64, 512, … that is not less."""
    bucket = 8
    while bucket < count:
        bucket *= 8
    return bucket
