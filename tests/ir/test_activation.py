"""The activation functions against float64, at extremes too."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.activation_references import SCALARS, softmax

from sensenet.ir.activation import ALIASES, ActivationFunction, activation_function

F = ActivationFunction
EXTREMES = np.float32([0.0, -0.0, 1e-45, -1e-45, 1e-30, -1e-30, 88, -88, 104, -104, 1e4, -1e4, 3e38, -3e38])
SMALL_ABSOLUTE = 2e-7
"""Near a function's zero at the far left (gelu, swish …) float32 has no digits left, only smallness."""

AT_INFINITY = {
    F.LINEAR: (math.inf, -math.inf),
    F.RELU: (math.inf, 0),
    F.RELU6: (6, 0),
    F.LEAKY_RELU: (math.inf, -math.inf),
    F.MISH: (math.inf, math.nan),
    F.TANH: (1, -1),
    F.SIGMOID: (1, 0),
    F.SOFTPLUS: (math.inf, 0),
    F.SOFTSIGN: (math.nan, math.nan),
    F.ELU: (math.inf, -1),
    F.SELU: (math.inf, -1.7580993),
    F.GELU: (math.inf, math.nan),
    F.SWISH: (math.inf, math.nan),
    F.EXPONENTIAL: (math.inf, 0),
    F.HARD_SIGMOID: (1, 0),
}
"""At inf and -inf; NaN where the formula has infinity times zero, or by infinity, as in TensorFlow."""


def call(function: ActivationFunction, *values: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        return function(np.float32(values))


def test_every_function_is_tested():
    elementwise = {function for function in F if function.elementwise}
    for table, place in (
        (SCALARS, "SCALARS of tests/support/activation_references.py"),
        (AT_INFINITY, "AT_INFINITY of tests/ir/test_activation.py"),
    ):
        missing = sorted(function.value for function in elementwise - set(table))
        assert not missing, f"activation, step 3: give {missing} an entry in {place}"
        assert set(table) == elementwise


@pytest.mark.parametrize("function", SCALARS, ids=lambda function: function.value)
def test_values_against_float64(function):
    points = np.concatenate([np.linspace(-20, 20, 4001), np.linspace(-1e-3, 1e-3, 101)]).astype(np.float32)
    expected = [SCALARS[function](float(x)) for x in points]
    result = call(function, *points)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=SMALL_ABSOLUTE)


@pytest.mark.parametrize("function", SCALARS, ids=lambda function: function.value)
def test_values_at_extremes(function):
    with np.errstate(over="ignore"):
        expected = np.float32([SCALARS[function](float(x)) for x in EXTREMES])
    np.testing.assert_allclose(call(function, *EXTREMES), expected, rtol=1e-6, atol=SMALL_ABSOLUTE)


@pytest.mark.parametrize("function", SCALARS, ids=lambda function: function.value)
def test_infinity_and_nan(function):
    expected = [*AT_INFINITY[function], math.nan]
    np.testing.assert_allclose(call(function, math.inf, -math.inf, math.nan), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "row", [[1, 2, 3], [1000, 1001, -1000], [-3e38, 3e38, 0], [-math.inf, 0, 1], [0.0], [1e-30, 0]]
)
def test_softmax_of_a_row(row):
    expected = softmax([float(np.float32(x)) for x in row])
    np.testing.assert_allclose(call(F.SOFTMAX, *row), expected, rtol=1e-6, atol=1e-40)
    with np.errstate(divide="ignore"):
        logarithm = np.log(expected)
    finite = np.isfinite(logarithm)
    np.testing.assert_allclose(call(F.LOG_SOFTMAX, *row)[finite], logarithm[finite], rtol=1e-6, atol=1e-7)


def test_log_softmax_keeps_what_softmax_rounds_to_zero():
    assert call(F.LOG_SOFTMAX, 0, 1000).tolist() == [-1000, 0]


@pytest.mark.parametrize("function", [F.SOFTMAX, F.LOG_SOFTMAX])
def test_rows_are_independent(function):
    rows = np.float32([[[1, 2, 3], [3, 2, 1]], [[np.nan, 0, 1], [np.inf, 0, 1]]])
    with np.errstate(all="ignore"):
        result = function(rows)
    assert np.isfinite(result[0]).all()
    assert np.isnan(result[1, :, 0]).all()
    for index in np.ndindex(2, 2):
        np.testing.assert_array_equal(result[index], call(function, *rows[index]))
    with np.errstate(divide="ignore"):
        assert function(np.zeros((2, 0), np.float32)).shape == (2, 0)


def test_names():
    assert activation_function(None) is F.LINEAR
    assert activation_function("identity") is F.LINEAR
    assert activation_function("silu") is F.SWISH
    assert activation_function("relu6") is F.RELU6
    for name in ("RELU", "Relu", "none", "", "hard_swish", "relu_6"):
        assert activation_function(name) is None
    assert not set(ALIASES) & {function.value for function in F}
    assert [function for function in F if not function.elementwise] == [F.SOFTMAX, F.LOG_SOFTMAX]
