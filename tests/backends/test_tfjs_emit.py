"""The functions that are converted for TensorFlow.js, run in TensorFlow, which needs no converter."""

from __future__ import annotations

import numpy as np
import pytest
from support.lowered import ABSOLUTE, ACTIVATIONS, CONVOLUTION, RELATIVE, activations_in_context, has_inputs
from support.op_cases import ALL_CASES, case_name

from sensenet.backends import get_target
from sensenet.backends.tensorflow import make_function
from sensenet.backends.tfjs.emit import EMIT
from sensenet.compiler.pipelines import lowering_passes
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph
from sensenet.ir.ops.convolution import Convolution2D
from sensenet.ir.ops.dense import Activation
from sensenet.passes.infrastructure.manager import run_passes

pytestmark = pytest.mark.tensorflow

tf = pytest.importorskip("tensorflow")


def lower(graph: Graph) -> Graph:
    return run_passes(graph, lowering_passes(get_target("tfjs")))[0]


@pytest.mark.parametrize("case", [*filter(has_inputs, ALL_CASES)], ids=case_name)
def test_every_op_agrees_with_the_interpreter(case):
    got = make_function(tf, lower(case.graph()), table=EMIT)(*map(tf.constant, case.inputs))
    for name, want in evaluate(case.graph(), case.feed).items():
        np.testing.assert_allclose(got[name], want, rtol=RELATIVE, atol=ABSOLUTE)


def test_activations_agree_wherever_they_stand():
    graph, feed = activations_in_context(CONVOLUTION, (6, 7, 3))
    got = make_function(tf, lower(graph), table=EMIT)(tf.constant(feed["x"]))
    for name, want in evaluate(graph, feed).items():
        np.testing.assert_allclose(got[name], want, rtol=RELATIVE, atol=ABSOLUTE, err_msg=name)
    assert any(name.startswith("gelu") for name in got)
    assert ActivationFunction.GELU in ACTIVATIONS


def test_gelu_is_an_op_of_its_own():
    graph, _ = activations_in_context(CONVOLUTION, (6, 7, 3))
    lowered = lower(graph)
    layers = [node.op for node in lowered.nodes if isinstance(node.op, Convolution2D)]
    assert ActivationFunction.GELU not in {layer.activation for layer in layers}
    assert Activation(function=ActivationFunction.GELU) in {
        node.op for node in lowered.nodes if isinstance(node.op, Activation)
    }
