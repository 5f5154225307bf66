"""What each activation function means, written again on Python numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from sensenet.ir.activation import ActivationFunction


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


SELU_ALPHA, SELU_SCALE = 1.67326324235437728, 1.05070098735548049

SCALARS: dict[ActivationFunction, Callable[[float], float]] = {
    ActivationFunction.LINEAR: lambda x: x,
    ActivationFunction.RELU: lambda x: x if x > 0 else 0.0,
    ActivationFunction.RELU6: lambda x: min(max(x, 0.0), 6.0),
    ActivationFunction.LEAKY_RELU: lambda x: x if x > 0 else 0.1 * x,
    ActivationFunction.MISH: lambda x: x * math.tanh(softplus(x)),
    ActivationFunction.TANH: math.tanh,
    ActivationFunction.SIGMOID: sigmoid,
    ActivationFunction.SOFTPLUS: softplus,
    ActivationFunction.SOFTSIGN: lambda x: x / (1 + abs(x)),
    ActivationFunction.ELU: lambda x: x if x > 0 else math.expm1(x),
    ActivationFunction.SELU: lambda x: SELU_SCALE * (x if x > 0 else SELU_ALPHA * math.expm1(x)),
    ActivationFunction.GELU: lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2)),
    ActivationFunction.SWISH: lambda x: x * sigmoid(x),
    ActivationFunction.EXPONENTIAL: exp,
    ActivationFunction.HARD_SIGMOID: lambda x: min(max(0.2 * x + 0.5, 0.0), 1.0),
}
"""The functions of one number, for finite numbers."""


def softmax(row: list[float]) -> list[float]:
    exponentials = [math.exp(x - max(row)) for x in row]
    return [value / math.fsum(exponentials) for value in exponentials]


def activate(function: ActivationFunction, x: np.ndarray) -> np.ndarray:
    if function in SCALARS:
        return np.asarray([SCALARS[function](float(value)) for value in x.ravel()]).reshape(x.shape)
    rows = [softmax(list(map(float, row))) for row in x.reshape(-1, x.shape[-1])]
    result = np.asarray(rows).reshape(x.shape)
    return np.log(result) if function is ActivationFunction.LOG_SOFTMAX else result
