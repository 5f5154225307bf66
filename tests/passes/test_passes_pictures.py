"""Every pass and every pipeline keeps the answers of random image networks."""

from __future__ import annotations

import pytest
from check import BASIC, PASSES, assert_near_for_pictures, assert_same_answers, check_pass
from hypothesis import assume, given
from pictures import picture_graphs

from sensenet.errors import InputError
from sensenet.ir.evaluate import evaluate
from sensenet.passes import PIPELINES, legalize
from sensenet.passes.manager import run_passes


def assume_large_enough(graph, inputs):
    """Leave out pictures, of unknown size, that are smaller than a window."""
    try:
        evaluate(graph, inputs)
    except InputError:
        assume(False)


@pytest.mark.parametrize("name", PASSES)
@given(drawn=picture_graphs())
def test_every_pass_keeps_the_answers(name, drawn):
    graph, inputs = drawn
    assume_large_enough(graph, inputs)
    check_pass(graph, PASSES[name], inputs, near=assert_near_for_pictures)


@pytest.mark.parametrize("level", PIPELINES)
@given(drawn=picture_graphs())
def test_every_level_keeps_the_answers(level, drawn):
    graph, inputs = drawn
    assume_large_enough(graph, inputs)
    after, _ = run_passes(graph, PIPELINES[level])
    near = assert_near_for_pictures
    assert_same_answers(graph, after, exact=level < 2, inputs=inputs, near=near)
    lowered, _ = run_passes(after, (legalize(BASIC),))
    assert lowered.ops <= BASIC
    assert_same_answers(after, lowered, exact=False, inputs=inputs, near=near)
