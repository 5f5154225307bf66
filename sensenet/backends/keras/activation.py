"""The activation functions that Keras has under our name, with our formula. Others are formulas, as ops."""

from __future__ import annotations

from sensenet.ir.activation import ActivationFunction

KERAS_ACTIVATIONS = frozenset(
    {
        ActivationFunction.LINEAR,
        ActivationFunction.RELU,
        ActivationFunction.TANH,
        ActivationFunction.SIGMOID,
        ActivationFunction.SOFTMAX,
        ActivationFunction.SOFTPLUS,
        ActivationFunction.SOFTSIGN,
        ActivationFunction.ELU,
        ActivationFunction.SELU,
        ActivationFunction.GELU,
        ActivationFunction.SWISH,
        ActivationFunction.EXPONENTIAL,
    }
)
"""Those of Keras 2 and 3.

Not hard_sigmoid (0.2·x + 0.5 in Keras 2, x/6 + 0.5 in Keras 3), leaky_relu (slope 0.2 in Keras 3), mish
(TensorFlow recognizes it, and fuses it with what is before it into ops that not every build has).
"""

KERAS_3_ACTIVATIONS = frozenset({ActivationFunction.RELU6, ActivationFunction.LOG_SOFTMAX})
"""Those of Keras 3 alone."""


def is_formula(function: ActivationFunction | None) -> bool:
    """Return whether Keras 3 has no such function."""
    return function is not None and function not in KERAS_ACTIVATIONS | KERAS_3_ACTIVATIONS
