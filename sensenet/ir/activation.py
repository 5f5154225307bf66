"""The activation functions: their names, as BigML documents and the text form spell them, and their meaning.

All take and give float32 arrays of any shape; softmax and log_softmax work along the last axis. The
constants of selu and the slope of leaky_relu are those of the published package (SPEC §4).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable

import numpy as np

from sensenet.ir.types import Array

LEAKY_RELU_SLOPE = 0.1
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


class ActivationFunction(enum.Enum):
    """An activation function; `value` is its name."""

    LINEAR = "linear"
    RELU = "relu"
    RELU6 = "relu6"
    LEAKY_RELU = "leaky_relu"
    MISH = "mish"
    TANH = "tanh"
    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"
    LOG_SOFTMAX = "log_softmax"
    SOFTPLUS = "softplus"
    SOFTSIGN = "softsign"
    ELU = "elu"
    SELU = "selu"
    GELU = "gelu"
    SWISH = "swish"
    EXPONENTIAL = "exponential"
    HARD_SIGMOID = "hard_sigmoid"

    def __call__(self, x: Array) -> Array:
        """The function's value in float32; overflow gives infinity, as in every target."""
        return _FUNCTIONS[self](x)

    @property
    def elementwise(self) -> bool:
        """Whether each result depends on one element alone (softmax's does not)."""
        return self not in (ActivationFunction.SOFTMAX, ActivationFunction.LOG_SOFTMAX)


ALIASES = {"identity": ActivationFunction.LINEAR, "silu": ActivationFunction.SWISH}
"""Other names that documents use."""


def activation_function(name: str | None) -> ActivationFunction | None:
    """The function that a document means by a name; absent and null mean linear. None if there is none."""
    if name is None:
        return ActivationFunction.LINEAR
    if name in ALIASES:
        return ALIASES[name]
    return next((function for function in ActivationFunction if function.value == name), None)


def _below_maximum(x: Array) -> Array:
    """x - max(x) along the last axis, so that no exponential overflows."""
    result: Array = x - np.maximum.reduce(x, axis=-1, keepdims=True, initial=-np.inf)
    return result


def _softmax(x: Array) -> Array:
    """exp(x - max) / sum(exp(x - max))."""
    exponentials = np.exp(_below_maximum(x))
    result: Array = exponentials / np.add.reduce(exponentials, axis=-1, keepdims=True)
    return result


def _log_softmax(x: Array) -> Array:
    shifted = _below_maximum(x)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def _sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x); where e^-x overflows the result is 0, as it should be."""
    one = np.float32(1)
    result: Array = one / (one + np.exp(-x))
    return result


def _softplus(x: Array) -> Array:
    """log(1 + e^x), stable at both ends."""
    result: Array = np.maximum(x, np.float32(0)) + np.log1p(np.exp(-np.abs(x)))
    return result


def _exponential_below_zero(x: Array) -> Array:
    """e^x - 1 where x < 0 and 0 elsewhere (NaN stays NaN)."""
    result: Array = np.expm1(np.minimum(x, np.float32(0)))
    return result


def _elu(x: Array) -> Array:
    result: Array = np.maximum(x, np.float32(0)) + _exponential_below_zero(x)
    return result


def _selu(x: Array) -> Array:
    positive = np.maximum(x, np.float32(0))
    result: Array = np.float32(SELU_SCALE) * (positive + np.float32(SELU_ALPHA) * _exponential_below_zero(x))
    return result


def _erf(x: Array) -> Array:
    """The error function in float64, element by element through the C library's erf."""
    values: Array = np.frompyfunc(math.erf, 1, 1)(x.astype(np.float64))
    return np.asarray(values, np.float64)


def _gelu(x: Array) -> Array:
    """x/2 · (1 + erf(x/√2)): the exact form, not the tanh approximation."""
    result: Array = (x * 0.5 * (1.0 + _erf(x / math.sqrt(2.0)))).astype(np.float32)
    return result


_FUNCTIONS: dict[ActivationFunction, Callable[[Array], Array]] = {
    ActivationFunction.LINEAR: lambda x: x,
    ActivationFunction.RELU: lambda x: np.maximum(x, np.float32(0)),
    ActivationFunction.RELU6: lambda x: np.minimum(np.maximum(x, np.float32(0)), np.float32(6)),
    ActivationFunction.LEAKY_RELU: lambda x: np.maximum(x, x * np.float32(LEAKY_RELU_SLOPE)),
    ActivationFunction.MISH: lambda x: x * np.tanh(_softplus(x)),
    ActivationFunction.TANH: np.tanh,
    ActivationFunction.SIGMOID: _sigmoid,
    ActivationFunction.SOFTMAX: _softmax,
    ActivationFunction.LOG_SOFTMAX: _log_softmax,
    ActivationFunction.SOFTPLUS: _softplus,
    ActivationFunction.SOFTSIGN: lambda x: x / (np.abs(x) + np.float32(1)),
    ActivationFunction.ELU: _elu,
    ActivationFunction.SELU: _selu,
    ActivationFunction.GELU: _gelu,
    ActivationFunction.SWISH: lambda x: x * _sigmoid(x),
    ActivationFunction.EXPONENTIAL: np.exp,
    ActivationFunction.HARD_SIGMOID: lambda x: np.clip(
        x * np.float32(0.2) + np.float32(0.5), np.float32(0), np.float32(1)
    ),
}
