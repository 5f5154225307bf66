"""Recorded documents: level 1 answers exactly as level 0, level 2 within its tolerance, lowered or not."""

from __future__ import annotations

import numpy as np
import pytest
from check import BASIC, assert_equal, assert_near
from conformance import assert_close, recorded_cases

from sensenet.errors import SensenetError
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.ir.ops.basic import Subtract
from sensenet.ir.ops.dense import BatchNormalization, Dense, Dropout
from sensenet.ir.ops.tabular import Destandardize, Forest, Standardize
from sensenet.ir.signature import NUMERIC_INPUT, PREDICTIONS, CategoricalColumn
from sensenet.passes import PIPELINES, legalize
from sensenet.passes.manager import run_passes


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
    assert Dropout not in after.ops
    forests = [node.op for node in after.nodes if isinstance(node.op, Forest)]
    assert len(forests) == len({op.outputs for op in forests}), "one forest op for each width"
    check_folded(after)


def check_folded(graph):
    """Nothing that could be folded into a layer stands before one that alone reads it."""
    for node in graph.nodes:
        below = node.inputs[0].node if node.inputs else None
        if isinstance(node.op, Dense) and graph.uses[node.inputs[0]] == 1:
            assert not isinstance(below.op, Standardize | BatchNormalization)
        if isinstance(node.op, BatchNormalization | Destandardize) and graph.uses[node.inputs[0]] == 1:
            assert not isinstance(below.op, Dense) or below.op.activation.value != "linear"


@pytest.mark.parametrize("case", recorded_cases("tabular", names="prep_numeric_float32"))
def test_large_means_stay_one_exact_subtraction(case):
    graph, _, _ = read(case)
    after, _ = run_passes(graph, PIPELINES[2])
    assert [type(node.op) for node in after.nodes if node.inputs] == [Subtract, Dense]
