"""look-up-categories: look up the weights of categories in a table instead of multiplying by 0 and 1.

    %1 = gather(%numeric_inputs) {axis=-1, indices=i32[2]{1, 3}} : f32[?,2]
    %2 = one_hot(%1) {depths=(40, 200)} : f32[?,240]
    %3 = concatenate(%0, %2) {axis=-1} : f32[?,243]
    %4 = dense(%3) {kernel=#…:f32[243,64], bias=…, activation=relu} : f32[?,64]
becomes
    %5 = dense(%0) {kernel=#…:f32[3,64], bias=…, activation=linear} : f32[?,64]
    %6 = embedding_sum(%1) {table=#…:f32[240,64], depths=(40, 200)} : f32[?,64]
    %7 = add(%5, %6) {} : f32[?,64]
    %4 = activation(%7) {function=relu} : f32[?,64]

The table is the rows of the kernel that belong to the categories. Columns of few categories stay one-hot
encoded, next to the others.

Valid because one_hot(codes) @ table is the sum of the rows that the codes name, up to the order in which the
layer's products are summed; a code without a category names no row in both forms.

Pays if columns have many categories: a product takes a step for each category, a lookup one for each column.
So it fires for columns of at least `SMALLEST_DEPTH` categories that have at least `SMALLEST_TABLE` together.
Of 20 columns of 32 for 64 units, 1,000 rows take 5.8 → 0.4 ms in NumPy, 5.8 → 1.0 in Keras, 2.5 → 0.6 in
LiteRT (benchmarks/one_hot.py); of 20 columns of 500 for 256 units, 125 → 2, 109 → 10 and 93 → 10, and one row
411 → 23, 535 → 347 and 198 → 3 µs. At the limits, one row costs up to 7 µs more in NumPy and 40 in Keras.

Must not fire if anything but layers reads the one-hot encoding, or a concatenation of it: it would be
computed anyway. Nor for weights that are not finite: 0 · ∞ is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import evolve

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Node, Value, apply, constant
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.dense import Activation, BatchedDense, Dense
from sensenet.ir.ops.rearrangement import Gather, Reshape, Transpose
from sensenet.ir.ops.tabular import EmbeddingSum, OneHot
from sensenet.ir.types import Array, Tensor
from sensenet.passes.analysis.columns import join, parts, reaches_only, starts, width
from sensenet.passes.eliminate_common_subexpressions import eliminate_common_subexpressions
from sensenet.passes.infrastructure.rules import Pass, Uses, apply_rules, rounds
from sensenet.passes.remove_identities import remove_identity
from sensenet.passes.simplify_rearrangements import compose_selections, slice_consecutive

SMALLEST_DEPTH = 32
"""The smallest number of categories of a column that make a lookup pay."""

SMALLEST_TABLE = 256
"""The smallest number of categories of all such columns together that pay for the ops around the lookup."""

Layer = Dense | BatchedDense


def look_up_categories(smallest_depth: int, smallest_table: int) -> Pass:
    """Return the pass for columns of `smallest_depth` categories or more, with `smallest_table` in all."""

    def look_up(node: Node, uses: Uses) -> Value | None:
        """Return the sum of the layer on the other columns and of table rows."""
        if not isinstance(node.op, Layer) or node.inputs[0].type.rank != 2 or not node.op.kernel.finite:
            return None
        kept: list[tuple[Value, Array]] = []
        sums: list[Value] = []
        inputs = parts(node.inputs[0])
        for part, start in zip(inputs, starts(inputs), strict=True):
            rows = start + np.arange(width(part) or 0)
            large = _large(part, smallest_depth, smallest_table)
            if (
                not isinstance(part.op, OneHot)
                or not np.any(large)
                or not reaches_only(part, uses, _is_layer)
            ):
                kept.append((part, rows))
                continue
            in_table = large[part.op.groups]
            sums.append(_sum_rows(node.op, rows[in_table], *_choose(part, large), node.name))
            if not np.all(large):
                codes, depths = _choose(part, ~large)
                kept.append((apply(OneHot(depths=depths), codes, name="one_hot").value, rows[~in_table]))
        return _add(node, kept, sums) if sums else None

    def run(graph: Graph) -> Graph:
        changed = apply_rules(
            graph, (rounds(look_up), remove_identity, compose_selections, slice_consecutive)
        )
        return graph if changed is graph else eliminate_common_subexpressions(changed)

    return Pass(name="look-up-categories", run=run)


def _large(part: Value, smallest_depth: int, smallest_table: int) -> Array:
    """Return bool[k]: the columns of a one-hot encoding that pay for a lookup; bool[0] for other values."""
    depths = np.asarray(part.op.depths if isinstance(part.op, OneHot) else (), np.int64)
    large = np.greater_equal(depths, smallest_depth)
    return large if depths[large].sum() >= smallest_table else np.zeros_like(large)


def _is_layer(node: Node) -> bool:
    return isinstance(node.op, Layer)


def _choose(encoded: Value, chosen: Array) -> tuple[Value, tuple[int, ...]]:
    """Return the chosen codes of a one-hot encoding, and their numbers of categories."""
    assert isinstance(encoded.op, OneHot)
    (codes,) = encoded.node.inputs
    columns = np.flatnonzero(chosen)
    depths = tuple(encoded.op.depths[column] for column in columns)
    if len(depths) < len(encoded.op.depths):
        codes = apply(Gather(indices=Tensor.int32(columns)), codes, name="categories").value
    return codes, depths


def _sum_rows(layer: Layer, rows: Array, codes: Value, depths: tuple[int, ...], name: str) -> Value:
    """Return the contribution of these rows of the kernel: f32[b, units], or f32[n, b, units] of n
    networks."""
    kernel = layer.kernel.array[..., rows, :]
    table = kernel if isinstance(layer, Dense) else kernel.transpose(1, 0, 2).reshape(len(rows), -1)
    op = EmbeddingSum(table=Tensor(table), depths=depths)
    looked_up = apply(op, codes, name=f"{name}_categories").value
    if isinstance(layer, Dense):
        return looked_up
    shape = (None, layer.networks, layer.units)
    by_network = apply(Reshape(shape=shape), looked_up, name=f"{name}_by_network").value
    return apply(Transpose(permutation=(1, 0, 2)), by_network, name=f"{name}_stacked").value


def _add(node: Node, kept: Sequence[tuple[Value, Array]], sums: Sequence[Value]) -> Value:
    """Return the sums plus the layer's result on its other columns or its bias, with its activation."""
    layer, name = node.op, node.name
    assert isinstance(layer, Layer)
    terms = list(sums)
    if kept:
        kernel = Tensor(layer.kernel.array[..., np.concatenate([rows for _, rows in kept]), :])
        columns = join([value for value, _ in kept], f"{name}_inputs")
        linear = evolve(layer, kernel=kernel, activation=ActivationFunction.LINEAR)
        terms.insert(0, apply(linear, columns, name=f"{name}_columns").value)
    elif layer.bias is not None:
        bias = layer.bias.array if isinstance(layer, Dense) else layer.bias.array[:, None]
        terms.append(constant(Tensor(bias), f"{name}_bias"))
    total = apply(Add(), *terms, name=f"{name}_sum").value if len(terms) > 1 else terms[0]
    if layer.activation is ActivationFunction.LINEAR:
        return apply(total.op, *total.node.inputs, name=name).value
    return apply(Activation(function=layer.activation), total, name=name).value


PASS = look_up_categories(SMALLEST_DEPTH, SMALLEST_TABLE)
