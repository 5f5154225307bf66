"""legalize: what a target lacks is made of what it has, with the same answers to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from support.check_pass import BASIC, assert_equal
from support.op_cases import CASES, case_name

from sensenet.errors import UnsupportedOpError
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply
from sensenet.ir.legality import all_of, require_legal
from sensenet.ir.ops.arithmetic import Average, Subtract
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation, Dense
from sensenet.ir.ops.image import Rescale
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.ops.tabular import EmbeddingSum, Forest, OneHot, Standardize
from sensenet.ir.types import Tensor, f32
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.lowering.legalize import LOWERINGS, legalize
from sensenet.signature import Signature

TOLERANCES = {Forest: 1e-6, EmbeddingSum: 1e-6, Rescale: 1e-6, Activation: 1e-6}
"""What a lowering may differ by, beside the largest answer; others change no bit."""

LOWERED_CASES = [case for op in LOWERINGS for case in CASES[op]]


@pytest.mark.parametrize("case", LOWERED_CASES, ids=case_name)
def test_lowered_ops_answer_the_same(case):
    graph = case.graph()
    lowered, _ = run_passes(graph, (legalize(BASIC),))
    require_legal(lowered, BASIC, "the lowering")
    before, after = evaluate(graph, case.feed), evaluate(lowered, case.feed)
    tolerance = TOLERANCES.get(type(case.op))
    if tolerance is None:
        assert_equal(before, after)
    for name, want in before.items():
        assert after[name].dtype == want.dtype
        np.testing.assert_allclose(after[name], want, atol=1e-6, rtol=tolerance or 0)


def without(op_class):
    return {op: accepts for op, accepts in BASIC.items() if op is not op_class}


def test_legal_ops_stay():
    for cases in CASES.values():
        graph = cases[0].graph()
        assert legalize(all_of(*OP_CLASSES)).run(graph) is graph


def layer_graph() -> Graph:
    x = apply(Input(type=f32(None, 2)), name="x")
    y = apply(Dense(kernel=Tensor.float32(np.ones((2, 1)))), x.value, name="layer_3")
    return Graph.create([x], {"y": y.value}, Signature())


def test_an_op_that_is_neither_legal_nor_lowered_is_named_with_its_node():
    with pytest.raises(UnsupportedOpError, match=r"no op dense \(node 'layer_3'\)"):
        run_passes(layer_graph(), (legalize(without(Dense)),))


def test_what_a_lowering_needs_is_asked_for_too():
    x = apply(Input(type=f32(None, 2)), name="x")
    op = Standardize(mean=Tensor.float32([1.0, 2.0]), stdev=Tensor.float32([1.0, 2.0]))
    graph = Graph.create([x], {"y": apply(op, x.value, name="numbers").value}, Signature())
    with pytest.raises(UnsupportedOpError, match=r"no op subtract \(node 'numbers_centered'\)"):
        run_passes(graph, (legalize(without(Subtract)),))


def test_only_what_a_target_lacks_is_lowered():
    x = apply(Input(type=f32(None, 1)), name="x")
    hot = apply(OneHot(depths=(3,)), x.value, name="hot")
    mean = apply(Average(), hot.value, hot.value, name="mean")
    graph = Graph.create([x], {"y": mean.value}, Signature())
    lowered, _ = run_passes(graph, (legalize({**BASIC, OneHot: True}),))
    assert OneHot in lowered.ops
    assert Average not in lowered.ops
