"""The activation functions: their names in BigML documents and in the text form, and their formulas.

All map float32 arrays of any shape to float32 arrays of the same shape; softmax and log_softmax apply to the
last axis. The constants of selu and the slope of leaky_relu are those of the published package (SPEC §4).
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


def _below_maximum(x: Array) -> Array:
    """Return x - max(x) along the last axis, so that no exponential overflows."""
    result: Array = x - np.maximum.reduce(x, axis=-1, keepdims=True, initial=-np.inf)
    return result


def _softmax(x: Array) -> Array:
    """Return exp(x - max) / sum(exp(x - max))."""
    exponentials = np.exp(_below_maximum(x))
    result: Array = exponentials / np.add.reduce(exponentials, axis=-1, keepdims=True)
    return result


def _log_softmax(x: Array) -> Array:
    shifted = _below_maximum(x)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def _sigmoid(x: Array) -> Array:
    """Return 1 / (1 + e^-x); if e^-x overflows, the result is 0, which is correct."""
    one = np.float32(1)
    result: Array = one / (one + np.exp(-x))
    return result


def _softplus(x: Array) -> Array:
    """Return log(1 + e^x), stable at both ends."""
    result: Array = np.maximum(x, np.float32(0)) + np.log1p(np.exp(-np.abs(x)))
    return result


def _exponential_below_zero(x: Array) -> Array:
    """Return e^x - 1 for x < 0, else 0 (NaN stays NaN)."""
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
    """Return the error function in float64, computed for each element by the C library's erf."""
    values: Array = np.frompyfunc(math.erf, 1, 1)(x.astype(np.float64))
    return np.asarray(values, np.float64)


def _gelu(x: Array) -> Array:
    """Return x/2 · (1 + erf(x/√2)): the exact form, not the tanh approximation."""
    result: Array = (x * 0.5 * (1.0 + _erf(x / math.sqrt(2.0)))).astype(np.float32)
    return result


def _hard_sigmoid(x: Array) -> Array:
    result: Array = np.clip(x * np.float32(0.2) + np.float32(0.5), np.float32(0), np.float32(1))
    return result


class ActivationFunction(enum.Enum):
    """An activation function, declared in one line; `value` is its name in documents and in the text form.

    `compute` is the function in NumPy, `aliases` are other names in documents, and `elementwise` is true if
    each result depends on only one element.

    If a target lacks a function, it is lowered by `FORMULAS` in `sensenet.passes.lowering.activations`.
    """

    _value_: str
    compute: Callable[[Array], Array]
    aliases: tuple[str, ...]
    elementwise: bool

    def __new__(
        cls,
        name: str,
        compute: Callable[[Array], Array],
        aliases: tuple[str, ...] = (),
        elementwise: bool = True,
    ) -> ActivationFunction:
        function = object.__new__(cls)
        function._value_ = name
        function.compute, function.aliases, function.elementwise = compute, aliases, elementwise
        return function

    LINEAR = "linear", lambda x: x, ("identity",)
    RELU = "relu", lambda x: np.maximum(x, np.float32(0))
    RELU6 = "relu6", lambda x: np.minimum(np.maximum(x, np.float32(0)), np.float32(6))
    LEAKY_RELU = "leaky_relu", lambda x: np.maximum(x, x * np.float32(LEAKY_RELU_SLOPE))
    MISH = "mish", lambda x: x * np.tanh(_softplus(x))
    TANH = "tanh", np.tanh
    SIGMOID = "sigmoid", _sigmoid
    SOFTMAX = "softmax", _softmax, (), False
    LOG_SOFTMAX = "log_softmax", _log_softmax, (), False
    SOFTPLUS = "softplus", _softplus
    SOFTSIGN = "softsign", lambda x: x / (np.abs(x) + np.float32(1))
    ELU = "elu", _elu
    SELU = "selu", _selu
    GELU = "gelu", _gelu
    SWISH = "swish", lambda x: x * _sigmoid(x), ("silu",)
    EXPONENTIAL = "exponential", np.exp
    HARD_SIGMOID = "hard_sigmoid", _hard_sigmoid

    def __call__(self, x: Array) -> Array:
        """Return the function's value in float32; overflow gives infinity, as in every target."""
        return self.compute(x)


ALIASES = {alias: function for function in ActivationFunction for alias in function.aliases}
"""The functions by their other names in documents."""


def activation_function(name: str | None) -> ActivationFunction | None:
    """Return the function of a name in a document, None for an unknown name; no name means linear."""
    if name is None:
        return ActivationFunction.LINEAR
    if name in ALIASES:
        return ALIASES[name]
    return next((function for function in ActivationFunction if function.value == name), None)
