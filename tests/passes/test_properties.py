"""Every pass and every pipeline keeps the answers of random graphs."""

from __future__ import annotations

import pytest
from hypothesis import given
from support.check_pass import BASIC, PASSES, assert_same_answers, check_pass
from support.graphs import graphs_with_inputs, like_tables

from sensenet.ir.legality import require_legal
from sensenet.passes import PIPELINES
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.lowering.legalize import legalize


@given(drawn=graphs_with_inputs(like_tables))
def test_every_pass_keeps_the_answers(drawn):
    graph, inputs = drawn
    for current in PASSES.values():
        check_pass(graph, current, inputs)


@pytest.mark.parametrize("level", PIPELINES)
@given(drawn=graphs_with_inputs(like_tables))
def test_every_level_keeps_the_answers(level, drawn):
    graph, inputs = drawn
    after, _ = run_passes(graph, PIPELINES[level])
    assert_same_answers(graph, after, exact=level < 2, inputs=inputs)
    lowered, _ = run_passes(after, (legalize(BASIC),))
    require_legal(lowered, BASIC, "the lowering")
    assert_same_answers(after, lowered, exact=False, inputs=inputs)
