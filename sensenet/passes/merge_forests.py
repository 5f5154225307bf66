"""merge-forests: merge all forests that read the same rows into one op.

    %2 = forest(%0) {…, values=f32[9,2]{…}, sizes=(8,)} : f32[?,2]
    %3 = forest(%1) {…, values=f32[7,1]{…}, sizes=(8,)} : f32[?,1]
    %4 = concatenate(%2, %3, %1) {axis=-1} : f32[?,8]
becomes
    %5 = concatenate(%0, %1) {axis=-1} : f32[?,8]
    %6 = forest(%5) {…, values=f32[16,2]{…}, sizes=(8, 8)} : f32[?,4]
    %7 = slice(%6) {axis=-1, start=0, stop=3} : f32[?,3]
    %4 = concatenate(%7, %1) {axis=-1} : f32[?,8]

The merged op reads each input of its forests once, with the features renumbered; leaves of fewer values are
padded with zeros, which nothing selects. Readers of a forest select its columns, and neighbors in a
concatenation are selected at once. A model's many small forests then cost one op, or one lowering, instead of
ten or more each.

Valid because a forest's answer depends on its own trees and features alone, and the op keeps the forests
apart. Must not fire for forests of which one reads another, nor if the rows are not known to be the same: the
forests must read columns of one matrix, or belong to one concatenation. Nor if the number of features is
unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from sensenet.ir.graph import Graph, Node, Value, apply, rebuild
from sensenet.ir.ops.rearrangement import Gather
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Array, Tensor
from sensenet.passes.analysis.columns import join, joins_columns, parts, selected_positions, starts, width
from sensenet.passes.analysis.forest_families import find_family, selects_columns
from sensenet.passes.infrastructure.rules import Pass, Uses, apply_rules
from sensenet.passes.remove_identities import remove_identity
from sensenet.passes.simplify_rearrangements import compose_selections, select_from_part, slice_consecutive


def merge_forests(graph: Graph) -> Graph:
    """Return the graph with one forest op for each family."""
    while family := find_family(graph):
        merged = _merge([value.op for value in family if isinstance(value.op, Forest)], family)
        graph = rebuild(graph, lambda node, merged=merged: merged.get(node, node.values))  # type: ignore[misc]
    return apply_rules(graph, RULES)


def select_side_by_side(node: Node, _: Uses) -> Value | None:
    """Return the concatenation with neighboring columns of one forest op selected at once."""
    if not joins_columns(node.value):
        return None
    joined: list[Value] = []
    for forest, run in groupby(node.inputs, _selected_forest):
        values = list(run)
        if forest is not None and len(values) > 1:
            positions = np.concatenate([_positions(value) for value in values])
            values = [_select(forest, positions, f"{forest.node.name}_columns")]
        joined += values
    return None if len(joined) == len(node.inputs) else join(joined, node.name)


RULES = (select_side_by_side, remove_identity, compose_selections, select_from_part, slice_consecutive)


def _selected_forest(value: Value) -> Value | None:
    """Return the forest that a value is, or whose columns it selects."""
    source = value.node.inputs[0] if selects_columns(value) else value
    return source if isinstance(source.op, Forest) else None


def _positions(value: Value) -> Array:
    """Return the forest's columns that a value of `_selected_forest` consists of."""
    selected = selected_positions(value.op)
    return np.arange(width(value) or 0) if selected is None else selected


def _select(x: Value, positions: Array, name: str) -> Value:
    return apply(Gather(indices=Tensor.int32(positions)), x, name=name).value


def _merge(forests: Sequence[Forest], values: Sequence[Value]) -> dict[Node, tuple[Value]]:
    """Return the replacement of each forest's node: its columns of the merged op."""
    inputs = [parts(value.node.inputs[0]) for value in values]
    sources = tuple(dict.fromkeys(source for those in inputs for source in those))
    place = dict(zip(sources, starts(sources), strict=True))
    nodes = np.cumsum([0, *(len(forest.left.array) for forest in forests)])
    outputs = max(forest.outputs for forest in forests)

    def renumbered(forest: Forest, own: Sequence[Value]) -> Array:
        used = np.where(forest.leaves, 0, forest.feature.array)
        part = np.searchsorted(starts(own), used, side="right") - 1
        moved = np.array([place[source] for source in own])[part] + used - starts(own)[part]
        return np.where(forest.leaves, 0, moved)

    def links(name: str) -> Tensor:
        arrays = [getattr(forest, name).array + start for forest, start in zip(forests, nodes, strict=False)]
        return Tensor.int32(np.concatenate(arrays))

    def filled(forest: Forest) -> Array:
        return np.pad(forest.values.array, ((0, 0), (0, outputs - forest.outputs)))

    merged = Forest(
        feature=Tensor.int32(np.concatenate(list(map(renumbered, forests, inputs)))),
        threshold=Tensor.float32(np.concatenate([forest.threshold.array for forest in forests])),
        left=links("left"),
        right=links("right"),
        values=Tensor.float32(np.concatenate([filled(forest) for forest in forests])),
        roots=links("roots"),
        sizes=tuple(size for forest in forests for size in forest.sizes),
    )
    result = apply(merged, join(sources, "columns"), name="forests").value
    first = np.cumsum([0, *(len(forest.sizes) for forest in forests)])
    selected: dict[Node, tuple[Value]] = {}
    for forest, value, start in zip(forests, values, first, strict=False):
        numbers = start + np.arange(len(forest.sizes))
        columns = (numbers[:, None] * outputs + np.arange(forest.outputs)).ravel()
        selected[value.node] = (_select(result, columns, value.node.name),)
    return selected


PASS = Pass(name="merge-forests", run=merge_forests)
