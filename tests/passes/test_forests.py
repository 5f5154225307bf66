"""Forests in basic ops: every strategy against plain recursion, limits, and what is lowered together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from support.check_pass import BASIC, assert_near
from support.forests import FEATURES, answers, chain, forests, graph_of, make_forest, random_tree, rows

from sensenet.errors import UnsupportedOpError
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply
from sensenet.ir.legality import require_legal
from sensenet.ir.ops.arithmetic import LessEqual
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import MatMul
from sensenet.ir.ops.rearrangement import Gather, Transpose
from sensenet.ir.ops.tabular import Forest, Standardize
from sensenet.ir.types import Tensor, f32
from sensenet.ir.verify import verify
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.lowering.forest.leaf_paths import LARGEST_BLOCK
from sensenet.passes.lowering.forest.rule import lower_with
from sensenet.passes.lowering.forest.strategy import (
    MANY_ROWS,
    MOST_LEVELS,
    Size,
    Strategy,
    choose_strategies,
    costs,
    forest_sizes,
)
from sensenet.passes.lowering.forest.trees import pick_forests
from sensenet.passes.lowering.legalize import legalize
from sensenet.signature import Signature

TABLES = (Strategy.TABLES, Strategy.JOINED_TABLES)
STRATEGIES = (Strategy.LEAF_PATHS, Strategy.TRAVERSAL, *TABLES)
ROWS = np.random.default_rng(5).normal(size=(50, FEATURES)).astype(np.float32)
ROWS[::7, 1] = np.nan
ROWS[3, 0], ROWS[4, 2] = np.inf, -np.inf


def lowered(forest: Forest, *strategies: Strategy, width: int = FEATURES) -> Graph:
    """The forest in basic ops; the last strategy stands for all that follow."""
    every = [strategies[min(number, len(strategies) - 1)] for number in range(len(forest.sizes))]
    graph = graph_of(forest, lambda op, x: lower_with(every, op, x, "y"), width)
    verify(graph)
    require_legal(graph, BASIC, "the lowering")
    return graph


def check(forest: Forest, *strategies: Strategy, width: int = FEATURES, x=ROWS) -> Graph:
    """The forest in basic ops, which answers as the op does."""
    graph = lowered(forest, *strategies, width=width)
    assert_near(evaluate(graph_of(forest, width=width), {"x": x}), evaluate(graph, {"x": x}))
    return graph


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(drawn=forests(), x=rows())
def test_every_strategy_agrees_with_recursion(strategy, drawn, x):
    graph = lowered(make_forest(*drawn), strategy)
    np.testing.assert_allclose(evaluate(graph, {"x": x})["y"], answers(drawn, x), atol=1e-6, rtol=1e-6)


@given(drawn=forests(), x=rows())
def test_the_chosen_strategies_agree_with_recursion(drawn, x):
    graph, _ = run_passes(graph_of(make_forest(*drawn)), (legalize(BASIC),))
    np.testing.assert_allclose(evaluate(graph, {"x": x})["y"], answers(drawn, x), atol=1e-6, rtol=1e-6)


@given(drawn=forests(), x=rows())
def test_the_op_agrees_with_recursion_after_trees_are_picked(drawn, x):
    chosen = list(reversed(range(len(drawn))))
    picked = pick_forests(make_forest(*drawn), chosen)
    want = answers([drawn[number] for number in chosen], x)
    got = evaluate(graph_of(picked), {"x": x})["y"]
    np.testing.assert_allclose(got, want, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_any_number_of_rows(strategy, count):
    rng = np.random.default_rng(1)
    forest = make_forest([random_tree(rng, 5, FEATURES, 2)], [random_tree(rng, 3, FEATURES, 2)] * 2)
    check(forest, strategy, x=ROWS[:count])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("leaves", [1, 2, 3, 8, 9, 42, 70])
@pytest.mark.parametrize("trees", [1, 8, 9])
def test_sizes(strategy, leaves, trees):
    rng = np.random.default_rng(leaves * 10 + trees)
    forest = make_forest([random_tree(rng, leaves, FEATURES, 2) for _ in range(trees)])
    if strategy in TABLES and leaves > 9:
        with pytest.raises(UnsupportedOpError, match=r"'y' has trees too large for tables"):
            lowered(forest, strategy)
    else:
        check(forest, strategy)


@pytest.mark.parametrize(
    ("strategy", "largest", "tables"),
    [
        (Strategy.TABLES, 2**12, 2 * 6),
        (Strategy.JOINED_TABLES, 2**12, 2 * 1),
        (Strategy.JOINED_TABLES, 1000, 2 * 2),
        (Strategy.JOINED_TABLES, 0, 2 * 6),
    ],
)
def test_trees_share_tables_while_these_are_small(monkeypatch, strategy, largest, tables):
    """Forests of six trees with six leaves each, and of four with two, a single leaf among them."""
    rng = np.random.default_rng(9)
    few = [*([random_tree(rng, 2, FEATURES, 2)] * 3), [1, 2]]
    forest = make_forest([random_tree(rng, 6, FEATURES, 2) for _ in range(6)], few)
    monkeypatch.setattr("sensenet.passes.lowering.forest.tables.LARGEST_TABLE", largest)
    graph = check(forest, strategy)
    places = next(node for node in graph.nodes if node.name == "y_last_cells").op.value.array.ravel()
    cells = np.diff(places, prepend=-0.5)
    assert len(cells) == tables
    assert graph.node("y_shares").op.table.array.shape == (cells.sum(), 2)
    assert strategy is Strategy.TABLES or not largest or cells.max() * 2 <= largest


@pytest.mark.parametrize(("features", "chosen"), [(3, Strategy.TABLES), (10, Strategy.LEAF_PATHS)])
def test_tables_are_small_where_the_file_counts(features, chosen):
    """Ten splits on three features make some hundred cells, on ten features about a thousand."""
    rng = np.random.default_rng(13)
    forest = make_forest(*([random_tree(rng, 11, features, 2) for _ in range(8)] for _ in range(4)))
    assert set(choose_strategies(forest, "y")) == {chosen}
    assert set(choose_strategies(forest, "y", MANY_ROWS)) == {Strategy.JOINED_TABLES}


def test_tables_that_are_too_large_together_are_refused(monkeypatch):
    forest = make_forest([random_tree(np.random.default_rng(11), 6, FEATURES, 2) for _ in range(4)])
    monkeypatch.setattr("sensenet.passes.lowering.forest.tables.LARGEST_TABLES", 16)
    with pytest.raises(UnsupportedOpError, match=r"'y' has trees too large for tables"):
        lowered(forest, Strategy.TABLES)
    monkeypatch.setattr("sensenet.passes.lowering.forest.strategy.LARGEST_TABLES", 16)
    assert choose_strategies(forest, "y") == [Strategy.LEAF_PATHS]


@pytest.mark.parametrize(
    ("trees", "leaves", "rows", "walks", "chosen"),
    [
        (1, 8, 1, False, Strategy.LEAF_PATHS),
        (8, 8, 1, False, Strategy.TABLES),
        (8, 8, MANY_ROWS, False, Strategy.JOINED_TABLES),
        (8, 8, MANY_ROWS, True, Strategy.JOINED_TABLES),
        (8, 8, 1, True, Strategy.WALK),
        (8, 70, 1, False, Strategy.LEAF_PATHS),
        (8, 70, MANY_ROWS, False, Strategy.TRAVERSAL),
        (8, 70, MANY_ROWS, True, Strategy.WALK),
        (8, 70, 1, True, Strategy.WALK),
    ],
)
def test_the_rule_goes_by_rows_and_target_too(trees, leaves, rows, walks, chosen):
    rng = np.random.default_rng(10)
    forest = make_forest(*([random_tree(rng, leaves, FEATURES, 2) for _ in range(trees)] for _ in range(4)))
    assert set(choose_strategies(forest, "forest", rows, walks)) == {chosen}
    graph, _ = run_passes(graph_of(forest), (legalize({**BASIC, Forest: True} if walks else BASIC, rows),))
    assert (Forest in graph.ops) is (chosen is Strategy.WALK)
    assert_near(evaluate(graph_of(forest), {"x": ROWS}), evaluate(graph, {"x": ROWS}))


def test_forests_that_are_left_and_others_keep_their_order():
    rng = np.random.default_rng(12)
    forest = make_forest(*([random_tree(rng, leaves, FEATURES, 2)] * 4 for leaves in (70, 3, 80)))
    graph, _ = run_passes(graph_of(forest), (legalize({**BASIC, Forest: True}, MANY_ROWS),))
    (left,) = [node.op for node in graph.nodes if isinstance(node.op, Forest)]
    assert left.sizes == (4, 4)
    assert_near(evaluate(graph_of(forest), {"x": ROWS}), evaluate(graph, {"x": ROWS}))


def test_trees_share_a_path_matrix_only_while_it_is_small():
    rng = np.random.default_rng(2)
    for leaves, shared in ((5, True), (42, False)):
        assert (8 * 8 * leaves * (leaves - 1) <= LARGEST_BLOCK) is shared
        forest = make_forest([random_tree(rng, leaves, FEATURES, 1) for _ in range(8)])
        graph = check(forest, Strategy.LEAF_PATHS)
        blocks = graph.node("y_paths").types[0].shape[0]
        assert blocks == (1 if shared else 8)


def test_mixed_strategies_keep_the_order_of_the_forests():
    rng = np.random.default_rng(3)
    sizes = (30, 2, 30, 2, 2)
    forest = make_forest(*([random_tree(rng, leaves, FEATURES, 3)] for leaves in sizes))
    small, large = Strategy.LEAF_PATHS, Strategy.TRAVERSAL
    graph = check(forest, large, small, large, small, small)
    assert sum(isinstance(node.op, Gather) for node in graph.nodes) == 3  # two groups, and their order


def test_many_small_forests_take_one_group_of_ops():
    rng = np.random.default_rng(4)
    trees = [random_tree(rng, leaves, FEATURES, 2) for leaves in (1, 2, 3, 4, 5)]
    forest = make_forest(*([trees[number % 5]] * (1 + number % 8) for number in range(60)))
    graph, _ = run_passes(graph_of(forest), (legalize(BASIC),))
    assert len([node for node in graph.nodes if node.name.startswith("y")]) == 17
    assert_near(evaluate(graph_of(forest), {"x": ROWS}), evaluate(graph, {"x": ROWS}))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_trees_may_share_their_roots(strategy):
    tree = random_tree(np.random.default_rng(6), 6, FEATURES, 1)
    forest = make_forest([tree])
    shared = Forest(
        feature=forest.feature,
        threshold=forest.threshold,
        left=forest.left,
        right=forest.right,
        values=forest.values,
        roots=Tensor.int32([0, 0, int(forest.left.array[0])]),
        sizes=(1, 2),
    )
    check(shared, strategy)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_missing_feature_disturbs_no_other_split(strategy):
    forest = make_forest([(0, 0.0, (1, 0.0, [1.0], [2.0]), (2, 0.0, [3.0], [4.0]))])
    x = np.array([[np.nan, 1, -1], [-1, np.nan, 1], [-1, -1, np.inf]], np.float32)
    got = evaluate(lowered(forest, strategy), {"x": x})["y"]
    np.testing.assert_array_equal(got, [[3.0], [2.0], [1.0]])


def test_no_comparison_is_negated():
    """A converter may turn `not (x <= t)` into `x > t`, which differs for NaN: only x <= t may occur."""
    forest = make_forest([random_tree(np.random.default_rng(7), 9, FEATURES, 1)])
    for strategy in STRATEGIES:
        graph = lowered(forest, strategy)
        compared = [node for node in graph.nodes if isinstance(node.op, LessEqual)]
        features = {node.inputs[0].op for node in compared}
        assert compared
        assert not any(isinstance(op, MatMul | Transpose) for op in features)


def test_means_of_large_values_are_as_accurate_as_a_sum_and_a_division():
    rng = np.random.default_rng(8)
    forest = make_forest([random_tree(rng, 4, FEATURES, 1) for _ in range(100)])
    large = Tensor.float32(forest.values.float64 * 1e6 + 1e7)
    parts = {name: getattr(forest, name) for name in ("feature", "threshold", "left", "right", "roots")}
    forest = Forest(**parts, values=large, sizes=forest.sizes)
    exact = large.float64[forest.find_leaves(ROWS, forest.roots.array)].mean(axis=1)
    for strategy in STRATEGIES:
        got = evaluate(lowered(forest, strategy), {"x": ROWS})["y"]
        np.testing.assert_allclose(got, exact, rtol=1e-6)


def test_forests_read_raw_columns_when_they_are_lowered():
    """Backends divide by constants as they like, so no threshold may stand behind a division."""
    x = apply(Input(type=f32(None, 1)), name="x")
    scaling = Standardize(mean=Tensor.float32([0.3]), stdev=Tensor.float32([0.9]))
    standardized = apply(scaling, x.value, name="standardized")
    forest = make_forest([(0, 0.44444442, [1.0], [2.0])])
    y = apply(forest, standardized.value, name="y").value
    graph = Graph.create([x], {"y": y, "z": standardized.value}, Signature())
    after, _ = run_passes(graph, (legalize(BASIC),))
    values = np.nextafter(np.float32(0.7), np.float32([[0], [1]]))
    values = np.concatenate([values, np.float32([[0.7], [np.nan]])])
    np.testing.assert_array_equal(evaluate(after, {"x": values})["y"], evaluate(graph, {"x": values})["y"])
    assert after.node("y_features").inputs[0] == after.inputs[0].value


@pytest.mark.parametrize("levels", [MOST_LEVELS, 300])
def test_deep_and_thin_trees(levels):
    forest = chain(levels)
    graph, _ = run_passes(graph_of(forest), (legalize(BASIC),))
    assert_near(evaluate(graph_of(forest), {"x": ROWS}), evaluate(graph, {"x": ROWS}))


def test_traversal_of_the_deepest_trees_that_it_takes():
    check(chain(MOST_LEVELS), Strategy.TRAVERSAL)


def test_trees_beyond_all_limits_are_refused_at_once():
    """Nobody counts their 100,000 levels to the end."""
    graph = graph_of(chain(100_000))
    with pytest.raises(
        UnsupportedOpError, match=r"forest y\[0\] has 1 trees of 20\d\d levels or more.*numpy"
    ):
        run_passes(graph, (legalize(BASIC),))


def test_leaves_that_are_not_finite_are_refused():
    forest = make_forest([(0, 0.0, [1.0], [np.inf])])
    with pytest.raises(UnsupportedOpError, match=r"leaf of the forest 'y'"):
        run_passes(graph_of(forest), (legalize(BASIC),))


def test_sizes_of_forests():
    forest = make_forest([(0, 0.0, [1.0], (1, 0.0, [1.0], [2.0])), [5.0]], [[3.0]])
    assert forest_sizes(forest) == [Size(trees=2, leaves=3, depth=2), Size(trees=1, leaves=1, depth=0)]


@pytest.mark.parametrize(
    ("trees", "leaves", "depth", "strategy"),
    [
        (1, 1, 0, Strategy.LEAF_PATHS),
        (8, 5, 3, Strategy.LEAF_PATHS),
        (8, 42, 16, Strategy.LEAF_PATHS),
        (8, 256, 10, Strategy.TRAVERSAL),
        (100, 128, 10, Strategy.TRAVERSAL),
        (1, 1000, 999, Strategy.LEAF_PATHS),
        (8, 3000, 200, Strategy.TRAVERSAL),
        (8, 3000, 300, None),
    ],
)
def test_the_rule_goes_by_leaves_depth_and_count(trees, leaves, depth, strategy):
    found = costs(Size(trees=trees, leaves=leaves, depth=depth), rows=1, walks=False)
    assert min(found, key=found.get, default=None) is strategy
