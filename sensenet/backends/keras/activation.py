"""The activation functions that Keras has with the same name and formula. Others become formulas of ops."""

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
"""The functions of both Keras 2 and 3.

Not hard_sigmoid (0.2·x + 0.5 in Keras 2, x/6 + 0.5 in Keras 3), leaky_relu (slope 0.2 in Keras 3) and mish
(TensorFlow fuses it with preceding ops into ops that some builds lack).
"""

KERAS_3_ACTIVATIONS = frozenset({ActivationFunction.RELU6, ActivationFunction.LOG_SOFTMAX})
"""The functions that only Keras 3 has."""


def is_formula(function: ActivationFunction | None) -> bool:
    """Return whether a function becomes a formula because Keras 3 lacks it; false for None."""
    return function is not None and function not in KERAS_ACTIVATIONS | KERAS_3_ACTIVATIONS
