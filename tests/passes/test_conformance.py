"""Recorded documents: level 1 answers exactly as level 0, level 2 within its tolerance, lowered or not.

And what level 2 leaves of them: no dropout, one forest op, and nothing that could fold into a layer.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.check_pass import BASIC, assert_equal, assert_near
from support.conformance import assert_close, recorded_cases

from sensenet.errors import SensenetError
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.ir.ops.arithmetic import Subtract
from sensenet.ir.ops.dense import BatchNormalization, Dense, Dropout
from sensenet.ir.ops.rearrangement import Flatten
from sensenet.ir.ops.tabular import Destandardize, Forest, Standardize
from sensenet.passes import PIPELINES
from sensenet.passes.analysis.columns import joins_columns
from sensenet.passes.analysis.linear_layers import LINEAR_LAYERS, is_linear
from sensenet.passes.fold_batch_normalization import LARGEST_SHIFT_BEFORE
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.lowering.legalize import legalize
from sensenet.signature import NUMERIC_INPUT, PREDICTIONS, CategoricalColumn

GROUPS = ("tabular", "real", "image", "detector", "extractor", "h5", "smbundle")
"""Of the recorded cases, those with a document in them."""


def read(case):
    """The graph, its inputs and the record of a case; skips documents that are refused."""
    record = case.read()
    try:
        graph = import_graph(record["model"], record["settings"])
    except SensenetError as error:
        pytest.skip(f"refused: {error}")
    rows = [[number(column, row) for column in graph.signature.columns] for row in record["inputs"]]
    return graph, {NUMERIC_INPUT: np.array(rows, np.float32)}, record


def number(column, row):
    cell = row[column.index]
    if isinstance(column, CategoricalColumn):
        return column.values.index(str(cell)) if str(cell) in column.values else -1
    return column.missing if cell is None else float(cell)


@pytest.mark.parametrize("case", recorded_cases("tabular", "real", skip=["trained_images"]))
def test_levels(case):
    graph, inputs, record = read(case)
    want = evaluate(graph, inputs)
    for level, passes in PIPELINES.items():
        after, _ = run_passes(graph, passes)
        got = evaluate(after, inputs)
        (assert_equal if level < 2 else assert_near)(want, got)
        lowered, _ = run_passes(after, (legalize(BASIC),))
        assert_close(evaluate(lowered, inputs)[PREDICTIONS], record["outputs"], record["tolerance"])
        again, _ = run_passes(after, passes)
        assert len(again.nodes) == len(after.nodes)


@pytest.mark.parametrize("case", recorded_cases(*GROUPS))
def test_nothing_is_left_that_could_fold(case):
    """What -O2 leaves, it leaves for a reason: one of those that the assertions name."""
    record = case.read()
    try:
        graph = import_graph(record["model"], record.get("settings"))
    except SensenetError as error:
        pytest.skip(f"refused: {error}")
    after, _ = run_passes(graph, PIPELINES[2])
    assert Dropout not in after.ops
    assert sum(isinstance(node.op, Forest) for node in after.nodes) <= 1
    for node in after.nodes:
        if isinstance(node.op, BatchNormalization | Destandardize):
            check_layer_below(after, node)
        if isinstance(node.op, BatchNormalization | Standardize):
            check_layers_above(after, node)


def check_layer_below(graph, node):
    """A layer below has an activation of its own, or other readers, which need what it answers now."""
    (x,) = node.inputs
    assert not is_linear(x.op) or graph.uses[x] > 1, f"{node.name} could go into {x.node.name}"


def check_layers_above(graph, node):
    """Where a layer reads the node, something else reads it that is no layer, or its means are large.

    What a layer reads may stand beside other columns, or be flattened.
    """
    numbers = {node.value}
    for each in graph.nodes:
        if numbers & set(each.inputs) and (joins_columns(each.value) or isinstance(each.op, Flatten)):
            numbers.add(each.value)
    readers = [n for n in graph.nodes if numbers & set(n.inputs) and n.value not in numbers]
    layers = [n for n in readers if isinstance(n.op, LINEAR_LAYERS)]
    others = len(readers) - len(layers) + len(numbers & set(graph.outputs.values()))
    could = [n.name for n in layers if isinstance(node.op, Standardize) or has_mild_means(node.op, n)]
    assert not could or others, f"{node.name} could go into {could}"


def has_mild_means(normalization, layer):
    """Whether |mean · scale| over all that the layer reads is no longer than -O2 folds."""
    shifts = np.abs(normalization.mean.float64 * normalization.scale_and_shift()[0])
    repeats = layer.inputs[0].type.shape[-1] / len(shifts)
    return np.linalg.norm(shifts) * np.sqrt(repeats) <= LARGEST_SHIFT_BEFORE


@pytest.mark.parametrize("case", recorded_cases("tabular", names="prep_numeric_float32"))
def test_large_means_stay_one_exact_subtraction(case):
    graph, _, _ = read(case)
    after, _ = run_passes(graph, PIPELINES[2])
    assert [type(node.op) for node in after.nodes if node.inputs] == [Subtract, Dense]
