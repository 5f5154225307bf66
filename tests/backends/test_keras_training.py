"""What Keras does in training: the kinds of dropout, and gradients of activations."""

from __future__ import annotations

import numpy as np
import pytest
from support.keras_2 import only_under_keras_3, run_under_keras_2
from support.lowered import graph_of_op, run

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.ops.dense import Activation, Dropout, DropoutKind
from sensenet.ir.types import f32

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow


@pytest.fixture(autouse=True)
def seeds():
    tf.keras.utils.set_random_seed(0)


def dropped(kind, x, rate):
    executable = run(
        graph_of_op(Dropout(kind=kind, rate=rate, block_size=1), f32(None, *x.shape[1:])), "keras"
    )
    return np.asarray(executable.model(x, training=True))


def test_dropout_to_zero_scales_the_rest():
    y = dropped(DropoutKind.ZERO, np.ones((100, 100), np.float32), 0.2)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1.25)}
    assert (y == 0).mean() == pytest.approx(0.2, abs=0.02)


def test_alpha_dropout_keeps_mean_and_variance():
    """What is dropped becomes the least value of selu; then all is scaled and shifted."""
    y = dropped(DropoutKind.ALPHA, np.random.default_rng(0).normal(size=(400, 400)).astype("f4"), 0.2)
    value, count = np.unique(y, return_counts=True)
    assert count.max() / y.size == pytest.approx(0.2, abs=0.01)
    least = -1.0507009873554805 * 1.6732632423543772
    scale = (0.8 * (1 + 0.2 * least**2)) ** -0.5
    assert value[count.argmax()] == pytest.approx(scale * least - scale * 0.2 * least, abs=1e-3)
    assert (y.mean(), y.std()) == pytest.approx((0, 1), abs=0.02)


TOLERANCE = 5e-3
"""Of a gradient beside the largest one, or 1."""


@pytest.mark.parametrize("function", ActivationFunction)
def test_activations_have_the_gradients_of_the_interpreter(function):
    graph = graph_of_op(Activation(function=function), f32(None, 3))
    model = run(graph, "keras").model
    random = np.random.default_rng(0)
    x, weights = random.normal(0, 2, (50, 3)).astype("f4"), random.normal(size=3).astype("f4")
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        total = tf.reduce_sum(model(given, training=True) * weights)
    found = tape.gradient(total, given).numpy()
    step = np.float32(1e-2)
    for column in range(3):
        moved = step * np.eye(3, dtype=np.float32)[column]
        low, here, high = (
            evaluate(graph, {"x0": near})["y0"] @ weights for near in (x - moved, x, x + moved)
        )
        slope = (high - low) / (2 * step)
        scale = np.abs(slope).max(initial=1)
        bend = np.abs((high - here) - (here - low)) / step / scale
        straight = bend < 2 * TOLERANCE  # else a kink may be near, and the slope half a bend off
        assert straight.mean() > 0.5
        np.testing.assert_allclose(
            (found[:, column] / scale)[straight], (slope / scale)[straight], atol=TOLERANCE
        )


@pytest.mark.parametrize("function", ActivationFunction)
def test_gradients_of_activations_are_finite(function):
    model = run(graph_of_op(Activation(function=function), f32(None, 2)), "keras").model
    largest = 80.0 if function is ActivationFunction.EXPONENTIAL else 1e4
    x = tf.constant([[0.0, largest], [-largest, 0.0], [-40.0, 40.0], [0.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(model(x, training=True)[:, 0])
    assert np.isfinite(tape.gradient(total, x)).all()


@pytest.mark.slow
@only_under_keras_3
def test_all_of_this_under_keras_2():
    run_under_keras_2(__file__)
