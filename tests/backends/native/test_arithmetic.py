"""The functions of native code, over all of float32, against NumPy's with more bits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensenet.backends.native import arithmetic
from sensenet.backends.native.numpy_arithmetic import NumpyArithmetic
from sensenet.ir.activation import ActivationFunction

TO = NumpyArithmetic()
LEAST_NORMAL = np.float32(2.0**-126)

erfc = np.vectorize(math.erfc, otypes=[np.float64])


def every_kind_of_number():
    """One in 9,973 of all float32 numbers, and many of usual size."""
    bits = np.arange(0, 2**32, 9973, dtype=np.uint64).astype(np.uint32)
    usual = [np.random.default_rng(0).normal(0, 3, 50_000), np.linspace(-105, 100, 50_000)]
    return np.concatenate([bits.view(np.float32), np.float32(usual).ravel()])


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


EXACT = {
    "exp": (arithmetic.exp, np.exp, 1.0),
    "expm1": (arithmetic.expm1, np.expm1, 1.4),
    "log": (arithmetic.log, np.log, 0.8),
    "tanh": (arithmetic.tanh, np.tanh, 2.6),
    "softplus": (arithmetic.softplus, softplus, 2.7),
    "softsign": (arithmetic.softsign, lambda x: x / (1 + np.abs(x)), 1.5),
    "elu": (arithmetic.elu, lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x), 1.0),
    "sigmoid": (arithmetic.sigmoid, lambda x: 1 / (1 + np.exp(-x)), 2.6),
}
"""Each function, the exact one, and the largest error in units in the last place."""


def errors(found, exact):
    """In units in the last place of the exact result, 0 where both are beyond float32's range."""
    rounded = exact.astype(np.float32)
    unit = np.spacing(np.maximum(np.abs(rounded), LEAST_NORMAL)).astype(np.longdouble)
    same = (found == rounded) | (np.isnan(found) & np.isnan(exact))
    with np.errstate(all="ignore"):
        return np.where(same, 0, np.abs(found.astype(np.longdouble) - exact) / unit)


@pytest.mark.parametrize("name", EXACT)
def test_errors_are_as_stated(name):
    function, exact, most = EXACT[name]
    x = every_kind_of_number()
    with np.errstate(all="ignore"):
        if name == "expm1":
            x = x[~(x > 80)]  # its domain
        if name == "sigmoid":
            x = x[~(x < -87)]  # below, the interpreter too returns 0 instead of a subnormal number
        wanted = exact(x.astype(np.longdouble))
        found = errors(function(TO, x), wanted)
    worst = np.argmax(found)
    assert found[worst] <= most, f"{found[worst]} at {x[worst]}"


@pytest.mark.parametrize("function", arithmetic.ACTIVATIONS, ids=lambda each: each.value)
def test_activations_are_those_of_the_interpreter(function):
    x = every_kind_of_number()
    with np.errstate(all="ignore"):
        x = x[~(np.isfinite(x) & (np.abs(x) > 1e30))]  # where x · 0 or infinity - infinity may begin
        wanted, found = function(x), arithmetic.ACTIVATIONS[function](TO, x)
    np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=2e-7)


def test_every_activation_of_one_number_has_a_formula():
    alone = {function for function in ActivationFunction if function.elementwise}
    assert set(arithmetic.ACTIVATIONS) == alone


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(finite, finite, finite)
def test_fused_products_are_rounded_once(a, b, c):
    from fractions import Fraction

    with np.errstate(all="ignore"):
        found = TO.fused(*(np.full(1, each, np.float32) for each in (a, b, c)))[0]
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if abs(exact) >= Fraction(float(np.finfo(np.float32).max)):
        return
    near = np.float32(float(exact))
    candidates = [near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))]
    distances = [abs(Fraction(float(each)) - exact) for each in candidates]
    best = [each for each, distance in zip(candidates, distances, strict=True) if distance == min(distances)]
    even = [each for each in best if int(each.view(np.int32)) % 2 == 0] if len(best) > 1 else best
    assert found == even[0] if even else found in best


@pytest.mark.parametrize("n", range(-126, 128))
def test_powers_of_two_are_exact(n):
    assert TO.power_of_two(np.full(1, n, np.float32))[0] == np.float32(2.0) ** np.float32(n)
