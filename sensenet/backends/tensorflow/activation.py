"""The activation functions that TensorFlow has as one op.

Others are lowered to formulas of ops (see `passes/lowering/activations`). Known faults of the runtimes'
kernels remain: the sigmoid of XNNPACK, which LiteRT uses, is NaN beyond ±4e26, and its e^x is infinite from
88.4 on instead of 88.7; the softmax of TensorFlow returns 0 next to a NaN, while NumPy and LiteRT return NaN
for the whole row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sensenet.ir.activation import ActivationFunction

FUNCTIONS: Mapping[ActivationFunction, Callable[[Any, Any], Any]] = {
    ActivationFunction.LINEAR: lambda tf, x: x,
    ActivationFunction.RELU: lambda tf, x: tf.nn.relu(x),
    ActivationFunction.RELU6: lambda tf, x: tf.nn.relu6(x),
    ActivationFunction.TANH: lambda tf, x: tf.tanh(x),
    ActivationFunction.SIGMOID: lambda tf, x: tf.sigmoid(x),
    ActivationFunction.SOFTMAX: lambda tf, x: tf.nn.softmax(x),
    ActivationFunction.LOG_SOFTMAX: lambda tf, x: tf.nn.log_softmax(x),
    ActivationFunction.ELU: lambda tf, x: tf.nn.elu(x),
    ActivationFunction.GELU: lambda tf, x: tf.nn.gelu(x, approximate=False),
}
"""Without leaky_relu: TensorFlow's own gets slope 0.2 if it is fused with a convolution and an addition."""


def activate(tf: Any, function: ActivationFunction, x: Any) -> Any:
    """Return the function of a float32 tensor."""
    return FUNCTIONS[function](tf, x)
