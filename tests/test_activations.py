"""What an activation function needs; CONTRIBUTING.md, “To add an activation”, has these steps."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support.activation_references import SCALARS, activate
from support.document_layers import BOUNDED, STEEP, UNBOUNDED
from support.document_reference import FUNCTIONS
from support.documents import dense, network
from support.golden import GOLDENS
from support.lowered import ABSOLUTE, RELATIVE, every_activation
from support.op_cases import CASES, floats

from sensenet.backends import get_target
from sensenet.backends.keras.activation import KERAS_3_ACTIVATIONS, KERAS_ACTIVATIONS, is_formula
from sensenet.backends.keras.stock import OPERATIONS, OPERATIONS_OF_FUNCTIONS
from sensenet.backends.onnx.layer_operators import ACTIVATIONS as ONNX_OPERATORS
from sensenet.backends.tensorflow.activation import FUNCTIONS as TENSORFLOW_FUNCTIONS
from sensenet.backends.tflite.layer_operators import ACTIVATIONS as TFLITE_OPERATORS
from sensenet.compiler.pipelines import lowering_passes
from sensenet.errors import UnsupportedOpError
from sensenet.frontend.network import import_graph
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation
from sensenet.ir.types import f32
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.lowering.activations import FORMULAS
from sensenet.signature import Signature

DECLARATION = "sensenet/ir/activation.py"
FORMULA = "FORMULAS of sensenet/passes/lowering/activations.py"

NOT_DRAWN = {"log_softmax"}
"""Has no bound below, which random documents keep account of."""

every_function = pytest.mark.parametrize("function", ActivationFunction, ids=lambda each: each.value)


def graph_of(function: ActivationFunction) -> Graph:
    x = apply(Input(type=f32(None, 5)), name="x")
    return Graph.create([x], {"y": apply(Activation(function=function), x.value).value}, Signature())


def test_names_are_unique():
    names = [name for function in ActivationFunction for name in (function.value, *function.aliases)]
    assert len(set(names)) == len(names), f"a name is there twice in {DECLARATION}"


@every_function
def test_documents_name_it(function):
    for name in (function.value, *function.aliases):
        document = network([dense(5, 3), dense(3, 2, name)])
        assert import_graph(document).node("layer_1").op.activation is function


@every_function
def test_every_function_has_a_reference(function):
    x = floats(40, 5, scale=4.0)
    assert function in SCALARS or not function.elementwise, (
        f"activation, step 3: give {function.value} a formula: "
        "SCALARS of tests/support/activation_references.py"
    )
    np.testing.assert_allclose(function(x), activate(function, x), rtol=1e-6, atol=2e-7)
    assert function(x).dtype == np.float32


@every_function
def test_every_function_has_a_case(function):
    assert any(case.op.function is function for case in CASES[Activation]), (
        f"add {function.value} to the cases of Activation in tests/support/op_cases.py"
    )


@every_function
@pytest.mark.parametrize("target", ["tflite", "savedmodel", "tfjs", "smbundle", "onnx", "keras"])
def test_every_function_is_lowered_or_emitted(function, target):
    """The lowered graph answers the same."""
    graph, feed = graph_of(function), {"x": floats(40, 5, scale=4.0)}
    try:
        lowered, _ = run_passes(graph, lowering_passes(get_target(target)))
    except UnsupportedOpError:
        pytest.fail(f"activation, step 2: {target} has no {function.value}: give it a formula in {FORMULA}")
    want, got = evaluate(graph, feed)["y"], evaluate(lowered, feed)["y"]
    np.testing.assert_allclose(got, want, rtol=2e-6, atol=2e-7)


def test_every_formula_has_golden_cases():
    texts = "".join(golden.before for golden in GOLDENS if golden.pass_name == "legalize")
    for function in FORMULAS:
        if function not in TFLITE_OPERATORS:
            assert f"={function.value}}}" in texts, (
                f"activation, step 5: add {function.value} to the case "
                "fires_activations of tests/passes/legalize.ir"
            )


def test_every_function_is_in_random_documents():
    drawn = {name for name in (*BOUNDED, *UNBOUNDED, *STEEP) if name is not None}
    named = {name for function in ActivationFunction for name in (function.value, *function.aliases)}
    missing = named - drawn - NOT_DRAWN
    assert not missing, (
        f"activation, step 6: draw {missing}: BOUNDED or UNBOUNDED of tests/support/document_layers.py"
    )
    missing = named - FUNCTIONS.keys() - NOT_DRAWN
    assert not missing, (
        f"activation, step 6: give {missing} a formula: FUNCTIONS of tests/support/document_reference.py"
    )


def test_what_targets_lack_is_a_formula():
    for target, known in [
        ("TensorFlow", TENSORFLOW_FUNCTIONS.keys()),
        ("TensorFlow Lite", {*TFLITE_OPERATORS, ActivationFunction.LINEAR}),
        ("ONNX", {*ONNX_OPERATORS, ActivationFunction.LINEAR}),
        ("Keras", KERAS_ACTIVATIONS | KERAS_3_ACTIVATIONS),
    ]:
        missing = [each.value for each in ActivationFunction if each not in known and each not in FORMULAS]
        assert not missing, f"activation, step 2: {target} has no {missing}: formulas in {FORMULA}"


def test_what_keras_3_has_alone_is_an_operation():
    missing = {each.value for each in KERAS_3_ACTIVATIONS - OPERATIONS_OF_FUNCTIONS.keys()}
    assert not missing, (
        f"give {missing} an operation in OPERATIONS_OF_FUNCTIONS of sensenet/backends/keras/stock.py"
    )
    unlisted = {each.value for each in OPERATIONS_OF_FUNCTIONS.keys() - KERAS_3_ACTIVATIONS}
    assert not unlisted, (
        f"list {unlisted} in KERAS_3_ACTIVATIONS of sensenet/backends/keras/activation.py, which says that "
        "Keras 2 lacks them, or give them no operation"
    )
    names = {make(None).name for make in OPERATIONS_OF_FUNCTIONS.values()}
    assert names <= OPERATIONS.keys(), (
        f"list {names - OPERATIONS.keys()} in OPERATIONS of sensenet/backends/keras/stock.py"
    )


def test_the_page_lists_the_functions_that_keras_lacks():
    page = (Path(__file__).parents[1] / "docs/targets.md").read_text("utf-8")
    (item,) = re.findall(r"layers whose activation is ([^;]*);", page)
    wanted = {function.value for function in ActivationFunction if is_formula(function)}
    assert set(re.findall(r"`(\w+)`", item)) == wanted, (
        f"activation, step 7: list {sorted(wanted)} in docs/targets.md, section keras: "
        "“layers whose activation is …”"
    )


@pytest.mark.tensorflow
def test_tensorflow_answers_as_the_interpreter():
    """All functions, as TensorFlow emits what they are lowered to."""
    tf = pytest.importorskip("tensorflow")
    from sensenet.backends.tensorflow import make_function

    graph, feed = every_activation((8,)), {"x": floats(40, 8, scale=4.0)}
    lowered, _ = run_passes(graph, lowering_passes(get_target("savedmodel")))
    got = make_function(tf, lowered)(tf.constant(feed["x"]))
    for name, want in evaluate(graph, feed).items():
        np.testing.assert_allclose(got[name], want, rtol=RELATIVE, atol=ABSOLUTE, err_msg=name)
