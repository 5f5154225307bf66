"""fold-constant-columns: fold columns that are the same for every row into a layer's bias.

    %1 = forest(%0) {values=f32[2,1]{3.0, 5.0}, sizes=(2), …} : f32[?,1]
    %2 = one_hot(%codes) {depths=(2)} : f32[?,2]
    %3 = concatenate(%1, %0, %2) {axis=-1} : f32[?,4]
    %4 = dense(%3) {kernel=f32[4,1]{2.0, 1.0, 0.0, 0.0}, bias=none, …} : f32[?,1]
becomes, if both trees are single leaves,
    %4 = dense(%0) {kernel=f32[1,1]{1.0}, bias=f32[1]{8.0}, …} : f32[?,1]

Forests are constant if all their trees are single leaves. Columns that are finite for every row, one-hot
encodings and forests, count as constant if all their weights are zero. Nothing else in a document is
constant: a number whose stdev is 0 is encoded as x - mean, a column with one category as 0 or 1, a category
that no text can match is still a code to the graph, and results of constants are already folded.

Valid because [c, x] @ [C; K] + b = x @ K + (c @ C + b), up to rounding. Must not fire if anything but layers
reads the columns, which would then be joined twice; nor if a layer would have no input left, which determines
its number of rows; nor for other columns with zeros as weights: 0 · NaN is NaN, and must stay NaN. (So
forests count only if all their leaves are finite.)
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.ops.dense import Dense
from sensenet.ir.ops.tabular import Forest, OneHot
from sensenet.ir.types import Array
from sensenet.passes.analysis.columns import join, joins_columns, parts, starts, width
from sensenet.passes.analysis.sums import Sums
from sensenet.passes.analysis.weights import apply_changed
from sensenet.passes.eliminate_common_subexpressions import eliminate_common_subexpressions
from sensenet.passes.infrastructure.rules import Declined, Pass, Uses, apply_rules, rounds


def add_constants_to_bias(node: Node, uses: Uses) -> Value | Declined | None:
    """Return the layer on the columns that vary between rows."""
    if not isinstance(node.op, Dense):
        return None
    (x,) = node.inputs
    if not joins_columns(x) or not uses.only_by(x, lambda reader: isinstance(reader.op, Dense)):
        return None
    inputs = parts(x)
    kernels = np.split(node.op.kernel.array, starts(inputs)[1:])
    constants = [_constant_columns(*pair) for pair in zip(inputs, kernels, strict=True)]
    kept = [value for value, constant in zip(inputs, constants, strict=True) if constant is None]
    if not 0 < len(kept) < len(inputs):
        return None
    sizes = [len(kernel) for kernel in kernels]
    is_kept = np.repeat([constant is None for constant in constants], sizes)
    values = np.concatenate([constant for constant in constants if constant is not None])

    def fold(kernel: Sums, bias: Sums) -> tuple[Sums, Sums]:
        kept_rows, others = kernel.map(lambda rows: rows[is_kept]), kernel.map(lambda rows: rows[~is_kept])
        return kept_rows, bias + values @ others

    return apply_changed(node.op, fold, join(kept, f"{node.name}_inputs"), node.name)


def _constant_columns(part: Value, kernel: Array) -> Array | None:
    """Return float[n]: values to use for the columns in every row, in a layer with this kernel; or None."""
    if isinstance(part.op, Forest) and np.all(part.op.leaves[part.op.roots.array]):
        features = width(part.node.inputs[0]) or 0
        answer: Array = part.op.evaluate(np.zeros((1, features), np.float32))[0].astype(np.float64)
        return answer
    finite = isinstance(part.op, OneHot) or (isinstance(part.op, Forest) and part.op.values.finite)
    return np.zeros(len(kernel)) if finite and not np.any(kernel) else None


def fold_constant_columns(graph: Graph) -> Graph:
    """Return the graph with constant columns in biases; layers of the same columns read one concatenation."""
    folded = apply_rules(graph, (rounds(add_constants_to_bias),))
    return graph if folded is graph else eliminate_common_subexpressions(folded)


PASS = Pass(name="fold-constant-columns", run=fold_constant_columns)
