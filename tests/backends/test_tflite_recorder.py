"""The ops that are recorded for the target tflite: answers of LiteRT beside NumPy's, and what they become."""

from __future__ import annotations

import numpy as np
import pytest
from lowered import build, graph_of
from op_cases import floats, ints, weights

from sensenet.backends.lowering.basic import divide
from sensenet.backends.tflite import flatbuffer
from sensenet.backends.tflite.convert import build_tree, record
from sensenet.backends.tflite.flatbuffer import pack
from sensenet.backends.tflite.fuse import fuse
from sensenet.backends.tflite.recorder import Recorder
from sensenet.backends.tflite.tensors import Tensor
from sensenet.errors import ArtifactError
from sensenet.ir.graph import apply
from sensenet.ir.ops import basic, dense
from sensenet.ir.types import Tensor as Constant
from sensenet.ir.types import f32

litert = pytest.importorskip("ai_edge_litert.interpreter")

X = floats(2, 3, 4)
ROWS = floats(5, 3)


def record_function(function, *arrays, known=False):
    """What a function does with inputs of the arrays' shapes, or of these ranks, where not `known`."""
    ops = Recorder()
    inputs = [
        ops.tape.input(array.dtype, array.shape if known else (None,) * array.ndim, f"x{number}")
        for number, array in enumerate(arrays)
    ]
    result = function(ops, *(Tensor(ops, value) for value in inputs))
    given = result if isinstance(result, tuple) else (result,)
    ops.tape.give([ops.constant(each).value for each in given])
    return ops.tape.main


def run(graph, *arrays):
    """The answers of LiteRT."""
    interpreter = litert.Interpreter(model_content=bytes(pack(build_tree(graph))))
    for detail, array in zip(interpreter.get_input_details(), arrays, strict=True):
        interpreter.resize_tensor_input(detail["index"], array.shape)
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), arrays, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def kinds(graph):
    return [operator.kind for operator in fuse(graph).operators]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda tf, x: x[0], X[0]),
        (lambda tf, x: x[-1], X[-1]),
        (lambda tf, x: x[..., 1], X[..., 1]),
        (lambda tf, x: x[:, 1:3], X[:, 1:3]),
        (lambda tf, x: x[..., :-1], X[..., :-1]),
        (lambda tf, x: x[:, -2:, 1], X[:, -2:, 1]),
        (lambda tf, x: x[None, ..., None], X[None, ..., None]),
        (lambda tf, x: x[0, :, None], X[0, :, None]),
        (lambda tf, x: x[:, None, 1], X[:, None, 1]),
        (lambda tf, x: tf.shape(x), ints(X.shape)),
        (lambda tf, x: tf.shape(x)[1], ints(3)),
        (lambda tf, x: tf.shape(x)[1:] * 2, ints([6, 8])),
        (lambda tf, x: tf.reshape(x, [tf.shape(x)[0], -1]), X.reshape(2, -1)),
        (lambda tf, x: tf.reshape(tf.reshape(x, [-1]), [4, -1]), X.reshape(4, -1)),
        (lambda tf, x: tf.transpose(x, (2, 0, 1)), X.transpose(2, 0, 1)),
        (lambda tf, x: tf.gather(x, ints([2, 0]), axis=-2), X[:, [2, 0]]),
        (lambda tf, x: tf.gather(x, ints([[1], [2]]), axis=1, batch_dims=1), X[[0, 1], [1, 2]][:, None]),
        (lambda tf, x: tf.concat([x, 1.5 + x], axis=-1), np.concatenate([X, X + 1.5], -1)),
        (lambda tf, x: tf.stack([x[0], -x[1]], axis=-1), np.stack([X[0], -X[1]], -1)),
        (lambda tf, x: tf.pad(x, ((0, 0), (1, 2), (0, 1))), np.pad(X, ((0, 0), (1, 2), (0, 1)))),
        (lambda tf, x: tf.range(tf.shape(x)[2]), ints(range(4))),
        (lambda tf, x: tf.zeros([tf.shape(x)[0], 3], tf.int32), np.zeros((2, 3), np.int32)),
        (lambda tf, x: tf.reduce_max(x, axis=(0, -1)), X.max((0, 2))),
        (lambda tf, x: tf.reduce_min(x), X.min()),
        (lambda tf, x: tf.argmax(x, axis=-1, output_type=tf.int32), X.argmax(-1).astype(np.int32)),
        (
            lambda tf, x: tf.where(x > 0.0, x, [[1.0, 2.0, 3.0, 4.0]]),
            np.where(X > 0, X, X * 0 + [1, 2, 3, 4]),
        ),
        (lambda tf, x: 1.0 / (2.0 - x), 1 / (2 - X)),
        (lambda tf, x: tf.cast(tf.equal(x, x), tf.float32), np.ones_like(X)),
        (lambda tf, x: np.float32([1, 2, 3, 4]) * x, X * np.float32([1, 2, 3, 4])),
        (lambda tf, x: tf.matmul(x, tf.transpose(x, [0, 2, 1])), X @ X.transpose(0, 2, 1)),
        (lambda tf, x: tf.matmul(x[0], tf.transpose(x[1], [1, 0])), X[0] @ X[1].T),
    ],
)
def test_ops_answer_as_numpy_does(function, expected, known):
    (found,) = run(record_function(function, X, known=known), X)
    assert (found.shape, found.dtype.kind) == (expected.shape, expected.dtype.kind)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda tf, c: -c + 1.0, 1 - X),
        (lambda tf, c: tf.floor(tf.abs(c)), np.floor(abs(X))),
        (lambda tf, c: tf.round(c / 3.0), np.rint(X / np.float32(3))),
        (lambda tf, c: c[..., None, 1], X[..., None, 1]),
        (lambda tf, c: tf.reshape(c, [6, -1]), X.reshape(6, -1)),
        (lambda tf, c: tf.concat([c, c], axis=0), np.concatenate([X, X])),
        (lambda tf, c: tf.stack([c, c]), np.stack([X, X])),
        (lambda tf, c: tf.reduce_max(c, axis=1), X.max(1)),
        (lambda tf, c: tf.range(3) * 2, ints([0, 2, 4])),
        (lambda tf, c: tf.zeros([2, 3], tf.float32), np.zeros((2, 3), np.float32)),
        (lambda tf, c: tf.cast(tf.shape(c)[1:3], tf.float32), np.float32([3, 4])),
        (lambda tf, c: tf.minimum(c, 0.5), np.minimum(X, np.float32(0.5))),
    ],
)
def test_what_is_known_is_computed_at_once(function, expected):
    graph = record_function(lambda tf: function(tf, tf.constant(X)))
    assert graph.operators == []
    (value,) = graph.outputs
    assert value.dtype == expected.dtype
    np.testing.assert_array_equal(value.constant, expected)


def test_a_hidden_constant_costs_nothing():
    graph = record_function(lambda tf, x: divide(tf, x, np.float32(3.0)), ROWS)
    assert kinds(graph) == ["DIV"]
    np.testing.assert_array_equal(run(graph, ROWS)[0], ROWS / np.float32(3.0))


def test_a_product_with_a_row_of_ones_is_a_sum():
    graph = record_function(lambda tf, x: tf.matmul(tf.constant(np.ones((1, 1, 3), np.float32)), x), X)
    assert kinds(graph) == ["SUM"]
    np.testing.assert_allclose(run(graph, X)[0], X.sum(1, keepdims=True), rtol=1e-6)


def test_a_product_with_one_is_the_other_factor():
    assert kinds(record_function(lambda tf, x: tf.exp(x * 1.0), ROWS)) == ["EXP"]


def test_equal_operators_are_recorded_once():
    graph = record_function(lambda tf, x: (tf.exp(x) + 1.0) * (tf.exp(x) + 1.0), ROWS)
    assert kinds(graph) == ["EXP", "ADD", "MUL"]


def test_what_no_output_needs_is_left_out():
    def function(tf, x):
        tf.exp(x)
        return x + 1.0

    assert kinds(record_function(function, ROWS)) == ["ADD"]


KERNEL, BIAS = floats(3, 4), floats(4)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda tf, y: y + BIAS, ["FULLY_CONNECTED"]),
        (lambda tf, y: tf.relu(y + BIAS[None]), ["FULLY_CONNECTED"]),
        (lambda tf, y: tf.relu6(y), ["FULLY_CONNECTED"]),
        (lambda tf, y: tf.relu(y + y), ["FULLY_CONNECTED", "ADD"]),
        (lambda tf, y: tf.relu(y) + BIAS, ["FULLY_CONNECTED", "ADD"]),
        (lambda tf, y: y + 1.0, ["FULLY_CONNECTED", "ADD"]),
        (lambda tf, y: y + BIAS[None, None], ["FULLY_CONNECTED", "ADD"]),
        (lambda tf, y: (y, y + BIAS), ["FULLY_CONNECTED", "ADD"]),
        (lambda tf, y: (tf.relu(y), tf.exp(y)), ["FULLY_CONNECTED", "RELU", "EXP"]),
        (lambda tf, y: tf.tanh(y + BIAS), ["FULLY_CONNECTED", "TANH"]),
    ],
)
def test_biases_and_activations_join_the_operator_before(function, expected):
    graph = record_function(lambda tf, x: function(tf, tf.matmul(x, tf.constant(KERNEL))), ROWS)
    assert kinds(graph) == expected


def test_joined_operators_answer_the_same():
    def function(tf, x):
        y = tf.matmul(x, tf.constant(KERNEL))
        return tf.relu(y + BIAS), tf.relu(y + BIAS[None, None])

    flat, wide = run(record_function(function, ROWS), ROWS)
    assert wide.shape == (1, *flat.shape)
    np.testing.assert_allclose(flat, np.maximum(ROWS @ KERNEL + BIAS, 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(wide[0], flat)


def test_a_bias_of_zeros_is_not_stored():
    zeros = np.zeros(4, np.float32)
    graph = record_function(lambda tf, x: tf.matmul(x, tf.constant(KERNEL)) + zeros, ROWS)
    (operator,) = fuse(graph).operators
    assert operator.inputs[2] is None
    np.testing.assert_allclose(run(graph, ROWS)[0], ROWS @ KERNEL, rtol=1e-5, atol=1e-6)


def test_a_convolution_without_bias_gets_zeros():
    kernel, pictures = floats(2, 2, 3, 5), floats(1, 4, 4, 3)
    graph = record_function(lambda tf, x: tf.conv2d(x, tf.constant(kernel), 1, "VALID"), pictures, known=True)
    (operator,) = fuse(graph).operators
    np.testing.assert_array_equal(operator.inputs[2].constant, np.zeros(5, np.float32))
    assert operator.inputs[1].shape == (5, 2, 2, 3)


def test_loops_read_what_is_around_them():
    """A row is doubled until all of it is above a limit that the call gives."""

    def function(tf, x, limit):
        factor = 2.0 * tf.reduce_max(limit) / tf.reduce_max(limit)

        def proceed(total, count):
            return tf.reduce_any(total < limit)

        def step(total, count):
            return total * factor, count + 1

        return tf.while_loop(proceed, step, (x, tf.constant(0)))

    x, limit = np.float32([[1, 2]]), np.float32([30])
    doubled, count = run(record_function(function, x, limit), x, limit)
    assert (doubled.tolist(), int(count)) == ([[32, 64]], 5)


def test_constants_of_equal_content_are_one_buffer():
    graph = graph_of(
        {"x": f32(None, 3)},
        lambda x: {
            name: apply(dense.Dense(kernel=weights(3, 4), bias=Constant.float32([scale] * 4)), x).value
            for name, scale in (("a", 1), ("b", 2))
        },
    )
    tree = build_tree(record(graph))
    assert sorted(buffer.data.nbytes for buffer in tree.buffers if buffer.data is not None) == [16, 16, 48]


def test_names_of_tensors_are_unique():
    graph = graph_of({"x": f32(None, 3)}, lambda x: {"y": apply(basic.Average(), x, x, x).value})
    names = [tensor.name for tensor in build_tree(record(graph)).subgraphs[0].tensors]
    assert len(set(names)) == len(names)
    assert {"x", "average"} <= set(names)


def test_a_model_that_is_too_large_is_refused(monkeypatch):
    graph = graph_of(
        {"x": f32(None, 30)}, lambda x: {"y": apply(dense.Dense(kernel=weights(30, 40)), x).value}
    )
    monkeypatch.setattr(flatbuffer, "LARGEST_MODEL", 5000)
    with pytest.raises(ArtifactError, match=r"a \.tflite file holds less than 2.*quantize='float16'"):
        build(graph, "tflite")
