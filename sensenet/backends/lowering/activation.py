"""The activation functions in TensorFlow ops that TFLite's builtins and TensorFlow.js have.

TFLite has no softplus, selu, mish, expm1 or log1p, so those are spelled out here. The formulas are those of
`sensenet.ir.activation`, in forms in which nothing overflows. Faults of the kernels below stay: the sigmoid
of XNNPACK, which LiteRT runs on, is NaN beyond ±4e26, and its e^x is infinite from 88.4 on instead of 88.7;
the softmax of TensorFlow gives 0 beside a NaN, where NumPy and LiteRT give NaN for the whole row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sensenet.ir.activation import LEAKY_RELU_SLOPE, SELU_ALPHA, SELU_SCALE, ActivationFunction

ALMOST_ONE = 20.0
"""From here on tanh(softplus(x)) is 1 in float32."""


def activate(tf: Any, function: ActivationFunction, x: Any) -> Any:
    """The function's value on a float32 tensor."""
    return _FUNCTIONS[function](tf, x)


def _leaky_relu(tf: Any, x: Any) -> Any:
    """max(x, 0.1·x), which the recorder of the target tflite takes for TFLite's leaky_relu.

    Not TensorFlow's own leaky_relu: fused with a convolution and an addition before it, it gets slope 0.2.
    """
    return tf.maximum(x * LEAKY_RELU_SLOPE, x)


def _mish(tf: Any, x: Any) -> Any:
    """x · tanh(softplus x) = x · w / (w + 2), where w = n·(n + 2) and n = e^x."""
    n = tf.exp(tf.minimum(x, ALMOST_ONE))
    w = n * (n + 2.0)
    return x * (w / (w + 2.0))


def _softplus(tf: Any, x: Any) -> Any:
    return tf.nn.relu(x) + tf.math.log(1.0 + tf.exp(-tf.abs(x)))


def _selu(tf: Any, x: Any) -> Any:
    negative = tf.nn.elu(-tf.nn.relu(-x))
    return SELU_SCALE * (tf.nn.relu(x) + SELU_ALPHA * negative)


def _exponential(tf: Any, x: Any) -> Any:
    """e^x; NaN goes around it because XNNPACK's e^NaN is 0."""
    return tf.where(tf.math.is_nan(x), x, tf.exp(x))


def _hard_sigmoid(tf: Any, x: Any) -> Any:
    """clip(0.2·x + 0.5, 0, 1) through relu6, which keeps NaN where TFLite's minimum may lose it."""
    return tf.nn.relu6(x * 1.2 + 3.0) * (1.0 / 6.0)


_FUNCTIONS: Mapping[ActivationFunction, Callable[[Any, Any], Any]] = {
    ActivationFunction.LINEAR: lambda tf, x: x,
    ActivationFunction.RELU: lambda tf, x: tf.nn.relu(x),
    ActivationFunction.RELU6: lambda tf, x: tf.nn.relu6(x),
    ActivationFunction.LEAKY_RELU: _leaky_relu,
    ActivationFunction.MISH: _mish,
    ActivationFunction.TANH: lambda tf, x: tf.tanh(x),
    ActivationFunction.SIGMOID: lambda tf, x: tf.sigmoid(x),
    ActivationFunction.SOFTMAX: lambda tf, x: tf.nn.softmax(x),
    ActivationFunction.LOG_SOFTMAX: lambda tf, x: tf.nn.log_softmax(x),
    ActivationFunction.SOFTPLUS: _softplus,
    ActivationFunction.SOFTSIGN: lambda tf, x: x / (1.0 + tf.abs(x)),
    ActivationFunction.ELU: lambda tf, x: tf.nn.elu(x),
    ActivationFunction.SELU: _selu,
    ActivationFunction.GELU: lambda tf, x: tf.nn.gelu(x, approximate=False),
    ActivationFunction.SWISH: lambda tf, x: x * tf.sigmoid(x),
    ActivationFunction.EXPONENTIAL: _exponential,
    ActivationFunction.HARD_SIGMOID: _hard_sigmoid,
}
