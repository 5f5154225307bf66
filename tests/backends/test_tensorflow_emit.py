"""Graphs as they are emitted in TensorFlow, for the targets that are built with it: each op by itself."""

from __future__ import annotations

import numpy as np
import pytest
from support.lowered import (
    ABSOLUTE,
    CONVOLUTION,
    DENSE,
    RELATIVE,
    activations_in_context,
    has_inputs,
)
from support.op_cases import ALL_CASES, case_name

from sensenet.backends import get_target
from sensenet.backends.tensorflow import make_function
from sensenet.compiler.pipelines import lowering_passes
from sensenet.ir.evaluate import evaluate
from sensenet.passes.infrastructure.manager import run_passes

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")


def assert_agrees(graph, feed):
    lowered, _ = run_passes(graph, lowering_passes(get_target("savedmodel")))
    got = make_function(tf, lowered)(*map(tf.constant, feed.values()))
    for name, want in evaluate(graph, feed).items():
        np.testing.assert_allclose(got[name], want, rtol=RELATIVE, atol=ABSOLUTE, err_msg=name)


@pytest.mark.parametrize("case", [*filter(has_inputs, ALL_CASES)], ids=case_name)
def test_every_op_agrees_with_the_interpreter(case):
    assert_agrees(case.graph(), case.feed)


@pytest.mark.parametrize(("layer", "shape"), [(CONVOLUTION, (6, 7, 3)), (DENSE, (3,))])
def test_activations_agree_wherever_they_stand(layer, shape):
    assert_agrees(*activations_in_context(layer, shape))
