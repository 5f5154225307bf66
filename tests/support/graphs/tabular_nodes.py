"""How nodes on rows join a random graph: of columns, trees, dense layers and constants."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from sensenet.ir.graph import Node, apply
from sensenet.ir.op import Op
from sensenet.ir.ops import core, dense, tabular
from sensenet.ir.types import Tensor
from support.forests import Tree, make_forest, random_tree
from support.graphs.growing import is_stack
from support.graphs.pool import Builder, Pool, on_rows
from support.seeds import SEEDS, seeded


def build_constant(pool: Pool) -> Node:
    """f32[1,n], which stands beside rows in arithmetic but is no row itself."""
    return apply(core.Constant(value=pool.weight(1, pool.count(1, 3))))


def make_standardize(pool: Pool, n: int) -> Op:
    stdev = np.abs(seeded(pool.draw(SEEDS), n)) + 0.25
    return tabular.Standardize(mean=pool.weight(n, scale=4.0), stdev=Tensor.float32(stdev))


def make_destandardize(pool: Pool, _: int) -> Op:
    return tabular.Destandardize(mean=pool.weight(), stdev=pool.weight())


def make_one_hot(pool: Pool, n: int) -> Op:
    return tabular.OneHot(depths=tuple(pool.count(0, 3) for _ in range(n)))


def make_embedding_sum(pool: Pool, n: int) -> Op:
    depths = tuple(pool.count(1, 3) for _ in range(n))
    return tabular.EmbeddingSum(table=pool.weight(sum(depths), pool.count(1, 3)), depths=depths)


def draw_forest(pool: Pool, n: int) -> Op:
    """Ragged trees; thresholds are halves, so that ties occur."""
    rng = np.random.default_rng(pool.draw(SEEDS))
    outputs = pool.count(1, 2)

    def draw_tree() -> Tree:
        return random_tree(rng, pool.count(1, 4), n, outputs, lambda: rng.integers(-4, 5) / 2)

    return make_forest(*([draw_tree() for _ in range(pool.count(1, 3))] for _ in range(pool.count(1, 2))))


def make_dense(pool: Pool, n: int) -> Op:
    units = pool.count(1, 5)
    bias = pool.weight(units) if pool.count(0, 1) else None
    kernel = pool.weight(n, units, scale=1.5 / np.sqrt(n))
    return dense.Dense(kernel=kernel, bias=bias, activation=pool.activation())


def make_batched_dense(pool: Pool, n: int) -> Op:
    networks, units = pool.count(1, 3), pool.count(1, 3)
    bias = pool.weight(networks, units) if pool.count(0, 1) else None
    kernel = pool.weight(networks, n, units, scale=1.5 / np.sqrt(n))
    return dense.BatchedDense(kernel=kernel, bias=bias, activation=pool.activation())


def build_batched_dense(pool: Pool) -> Node:
    """On rows, or on what another gives."""
    x = pool.pick(is_stack) if pool.count(0, 1) else None
    if x is None:
        return on_rows(make_batched_dense)(pool)
    networks, _, n = x.type.shape
    kernel = pool.weight(networks, n, pool.count(1, 3), scale=1.5 / np.sqrt(n))
    return apply(dense.BatchedDense(kernel=kernel, activation=pool.activation()), x)


def make_normalization(pool: Pool, n: int) -> Op:
    variance = np.abs(seeded(pool.draw(SEEDS), n)) + 0.25
    gamma, beta, mean = (pool.weight(n) for _ in range(3))
    return dense.BatchNormalization(gamma=gamma, beta=beta, mean=mean, variance=Tensor.float32(variance))


def make_dropout(pool: Pool, _: object) -> Op:
    return dense.Dropout(kind=pool.draw(st.sampled_from(dense.DropoutKind)), rate=0.5)


TABULAR_NODES: dict[type[Op], Builder] = {
    core.Constant: build_constant,
    tabular.Standardize: on_rows(make_standardize),
    tabular.Destandardize: on_rows(make_destandardize),
    tabular.OneHot: on_rows(make_one_hot),
    tabular.EmbeddingSum: on_rows(make_embedding_sum),
    tabular.Forest: on_rows(draw_forest),
    dense.Dense: on_rows(make_dense),
    dense.BatchedDense: build_batched_dense,
    dense.BatchNormalization: on_rows(make_normalization),
    dense.Activation: on_rows(lambda pool, _: dense.Activation(function=pool.activation())),
    dense.Dropout: on_rows(make_dropout),
}
