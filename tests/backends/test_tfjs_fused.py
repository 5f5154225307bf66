"""Fused ops of graph models are taken apart before TensorFlow runs them."""

from __future__ import annotations

import numpy as np
import pytest

from sensenet.backends.tfjs.fused import ACTIVATIONS, INPUTS, split_fused
from sensenet.backends.tfjs.names import BIAS
from sensenet.errors import ArtifactError

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

REFERENCES = {
    "Elu": tf.nn.elu,
    "Relu": tf.nn.relu,
    "Relu6": tf.nn.relu6,
}

RANDOM = np.random.default_rng(7)
MATRIX, PIXELS = (RANDOM.normal(size=size).astype(np.float32) for size in ((5, 3), (2, 7, 6, 3)))
STRIDES = [1, 2, 2, 1]

LAYERS = {
    "_FusedMatMul": (MATRIX, (3, 4), {}, lambda x, kernel: x @ kernel),
    "_FusedConv2D": (
        PIXELS,
        (3, 2, 3, 4),
        {"strides": STRIDES, "padding": b"SAME"},
        lambda x, kernel: tf.nn.conv2d(x, kernel, STRIDES, "SAME"),
    ),
    "FusedDepthwiseConv2dNative": (
        PIXELS,
        (3, 2, 3, 1),
        {"strides": STRIDES, "padding": b"VALID"},
        lambda x, kernel: tf.nn.depthwise_conv2d(x, kernel, STRIDES, "VALID"),
    ),
}


def fused(op, arrays, parts, **attributes):
    """A graph of one fused op named `answer`, of constants."""
    graph_def = tf.compat.v1.GraphDef()
    for name, array in arrays.items():
        node = graph_def.node.add(name=name, op="Const")
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))
        node.attr["dtype"].type = tf.float32.as_datatype_enum
    node = graph_def.node.add(name="answer", op=op, input=[*arrays, "^x"])
    node.attr["T"].type = tf.float32.as_datatype_enum
    node.attr["num_args"].i = len(arrays) - 2
    node.attr["fused_ops"].list.s.extend(part.encode() for part in parts)
    for name, value in attributes.items():
        match value:
            case bytes():
                node.attr[name].s = value
            case list():
                node.attr[name].list.i.extend(value)
    return graph_def


def test_every_activation_has_a_reference():
    assert REFERENCES.keys() == ACTIVATIONS


@pytest.mark.parametrize("op", LAYERS)
@pytest.mark.parametrize("activation", [None, *sorted(REFERENCES)])
@pytest.mark.parametrize("first", INPUTS)
def test_the_parts_answer_as_the_fused_op(op, activation, first):
    x, shape, attributes, layer = LAYERS[op]
    kernel = RANDOM.normal(size=shape).astype(np.float32)
    want = layer(x, kernel)
    arrays = {"x": x, "kernel": kernel}
    if first == BIAS:
        arrays["bias"] = RANDOM.normal(size=want.shape[-1]).astype(np.float32)
        want += arrays["bias"]
    want = REFERENCES.get(activation, tf.identity)(want)
    parts = [first, activation] if activation else [first]
    graph_def = fused(op, arrays, parts, **attributes)
    split_fused(graph_def)
    assert not any("used" in node.op for node in graph_def.node)
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        np.testing.assert_allclose(session.run("answer:0"), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "parts", [[], ["Relu"], ["BiasAdd", "Foe"], ["BiasAdd", "BiasAdd"], ["BiasAdd"] * 3, ["NoOp"]]
)
def test_other_parts_are_refused(parts):
    arrays = {"x": MATRIX, "kernel": np.ones((3, 4)), "bias": np.ones(4)}
    with pytest.raises(ArtifactError, match="the node 'answer' is not an op, a bias and an activation"):
        split_fused(fused("_FusedMatMul", arrays, parts))


@pytest.mark.parametrize(
    ("first", "count"),
    [(first, count) for first in INPUTS for count in (1, 2, 3, 4) if count != INPUTS[first]],
)
def test_another_number_of_inputs_is_refused(first, count):
    arrays = dict.fromkeys(["x", "kernel", "bias", "more"][:count], MATRIX)
    with pytest.raises(ArtifactError, match="the node 'answer' is not an op, a bias and an activation"):
        split_fused(fused("_FusedMatMul", arrays, [first, "Relu"]))
