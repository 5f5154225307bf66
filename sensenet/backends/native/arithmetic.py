"""The functions that native code computes in float32: formulas over a few operations.

An `Arithmetic` has these operations for numbers of some kind: registers of machine code, expressions of C, or
NumPy arrays, which test the formulas. So a formula is written once.

Errors are in units in the last place (ulp) of the float32 result, the largest over all floats: see
tests/backends/native/test_arithmetic.py. The polynomials are minimax fits of this project, made by
tools/native_polynomials.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sensenet.ir.activation import LEAKY_RELU_SLOPE, SELU_ALPHA, SELU_SCALE, ActivationFunction
from sensenet.ir.op import Op
from sensenet.ir.ops import dense

Number = Any
"""A float32 number, or several in a register."""

Truth = Any
"""The result of a comparison."""


class Arithmetic(Protocol):
    """The operations of formulas, each rounded once to float32, to nearest even."""

    def number(self, value: float) -> Number:
        """Return a constant."""

    def add(self, a: Number, b: Number) -> Number:
        """Return a + b."""

    def subtract(self, a: Number, b: Number) -> Number:
        """Return a - b."""

    def multiply(self, a: Number, b: Number) -> Number:
        """Return a · b."""

    def divide(self, a: Number, b: Number) -> Number:
        """Return a / b."""

    def fused(self, a: Number, b: Number, c: Number) -> Number:
        """Return a · b + c, rounded once if the machine can do so."""

    def negate(self, a: Number) -> Number:
        """Return -a."""

    def absolute(self, a: Number) -> Number:
        """Return abs(a)."""

    def floor(self, a: Number) -> Number:
        """Return the largest integer that is not above a."""

    def round_even(self, a: Number) -> Number:
        """Return the nearest integer, the even one of two."""

    def less(self, a: Number, b: Number) -> Truth:
        """Return a < b, false for NaN."""

    def less_equal(self, a: Number, b: Number) -> Truth:
        """Return a <= b, false for NaN."""

    def equal(self, a: Number, b: Number) -> Truth:
        """Return a == b, false for NaN."""

    def select(self, condition: Truth, a: Number, b: Number) -> Number:
        """Return a if the condition is true, else b."""

    def power_of_two(self, n: Number) -> Number:
        """Return 2ⁿ for an integer from -126 to 127; any number for another."""

    def exponent(self, a: Number) -> Number:
        """Return the exponent of a positive normal number: that of 1.5 is 0."""

    def mantissa(self, a: Number) -> Number:
        """Return a / 2^exponent(a) for a positive normal number, from 1 to 2."""


def maximum(to: Arithmetic, a: Number, b: Number) -> Number:
    """Return the larger number, NaN if one is NaN."""
    return to.select(to.equal(a, a), to.select(to.less(b, a), a, b), a)


def minimum(to: Arithmetic, a: Number, b: Number) -> Number:
    """Return the smaller number, NaN if one is NaN."""
    return to.select(to.equal(a, a), to.select(to.less(a, b), a, b), a)


def at_least(to: Arithmetic, x: Number, least: float) -> Number:
    """Return max(x, least) for a constant, NaN for NaN."""
    bound = to.number(least)
    return to.select(to.less(x, bound), bound, x)


def at_most(to: Arithmetic, x: Number, most: float) -> Number:
    """Return min(x, most) for a constant, NaN for NaN."""
    bound = to.number(most)
    return to.select(to.less(bound, x), bound, x)


def polynomial(to: Arithmetic, x: Number, coefficients: Sequence[float]) -> Number:
    """Return Σ coefficients[i] · x^(n-1-i), by Horner's rule."""
    total = to.number(coefficients[0])
    for coefficient in coefficients[1:]:
        total = to.fused(total, x, to.number(coefficient))
    return total


LN2_HIGH = 0.693359375
"""ln 2 to 9 bits: its product with a small integer is exact."""

LN2_LOW = math.log(2) - LN2_HIGH

EXPONENTIAL = (
    0.0013813144760206342,
    0.008369418792426586,
    0.04166845604777336,
    0.16666515171527863,
    0.4999999403953552,
)
"""P in e^r = 1 + r + r² · P(r), for abs(r) <= ln(2) / 2."""


def _reduce(to: Arithmetic, x: Number) -> tuple[Number, Number]:
    """Return n and e^r - 1, where x = n · ln 2 + r and abs(r) <= ln(2) / 2."""
    n = to.round_even(to.multiply(x, to.number(1 / math.log(2))))
    r = to.fused(n, to.number(-LN2_HIGH), x)
    r = to.fused(n, to.number(-LN2_LOW), r)
    return n, to.fused(to.multiply(r, r), polynomial(to, r, EXPONENTIAL), r)


def exp(to: Arithmetic, x: Number) -> Number:
    """Return e^x; infinity above 88.7, subnormal numbers below -87.3, NaN for NaN."""
    n, small = _reduce(to, at_most(to, at_least(to, x, -104.0), 89.0))
    half = to.floor(to.multiply(n, to.number(0.5)))
    scaled = to.multiply(to.add(small, to.number(1.0)), to.power_of_two(half))
    return to.multiply(scaled, to.power_of_two(to.subtract(n, half)))


def expm1(to: Arithmetic, x: Number) -> Number:
    """Return e^x - 1 for x <= 80: -1 below -20, NaN for NaN."""
    n, small = _reduce(to, at_most(to, at_least(to, x, -25.0), 80.0))
    power = to.power_of_two(n)
    return to.fused(power, small, to.subtract(power, to.number(1.0)))


LOGARITHM = (
    0.06746643781661987,
    -0.11675656586885452,
    0.11888163536787033,
    -0.1240558847784996,
    0.14219552278518677,
    -0.1666799634695053,
    0.2000211924314499,
    -0.25000008940696716,
    0.3333331346511841,
)
"""P in ln(1 + f) = f - f²/2 + f³ · P(f), for √½ - 1 <= f <= √2 - 1."""

LEAST_NORMAL = 2.0**-126


def log(to: Arithmetic, x: Number) -> Number:
    """Return ln x: NaN for negative numbers, -infinity for 0, infinity for infinity."""
    subnormal = to.less(x, to.number(LEAST_NORMAL))
    normal = to.select(subnormal, to.multiply(x, to.number(2.0**23)), x)
    low = to.less(to.mantissa(normal), to.number(math.sqrt(2)))
    exponent = to.subtract(to.exponent(normal), to.select(subnormal, to.number(23.0), to.number(0.0)))
    exponent = to.select(low, exponent, to.add(exponent, to.number(1.0)))
    half = to.multiply(to.mantissa(normal), to.number(0.5))
    f = to.subtract(to.select(low, to.mantissa(normal), half), to.number(1.0))
    square = to.multiply(f, f)
    y = to.multiply(to.multiply(square, f), polynomial(to, f, LOGARITHM))
    y = to.fused(exponent, to.number(LN2_LOW), y)
    y = to.fused(square, to.number(-0.5), y)
    y = to.fused(exponent, to.number(LN2_HIGH), to.add(f, y))
    infinity = to.number(math.inf)
    y = to.select(to.less(x, infinity), y, to.select(to.equal(x, x), infinity, x))
    y = to.select(to.less(x, to.number(0.0)), to.number(math.nan), y)
    return to.select(to.equal(x, to.number(0.0)), to.number(-math.inf), y)


def log1p(to: Arithmetic, x: Number) -> Number:
    """Return ln(1 + x) for 0 <= x <= 1."""
    whole = to.add(x, to.number(1.0))
    added = to.subtract(whole, to.number(1.0))
    same = to.equal(added, to.number(0.0))
    divisor = to.select(same, to.number(1.0), added)
    return to.select(same, x, to.multiply(log(to, whole), to.divide(x, divisor)))


def relu(to: Arithmetic, x: Number) -> Number:
    """Return max(x, 0)."""
    return at_least(to, x, 0.0)


def relu6(to: Arithmetic, x: Number) -> Number:
    """Return min(max(x, 0), 6)."""
    return at_most(to, relu(to, x), 6.0)


def leaky_relu(to: Arithmetic, x: Number) -> Number:
    """Return x, times the slope below 0."""
    return to.select(to.less(x, to.number(0.0)), to.multiply(x, to.number(LEAKY_RELU_SLOPE)), x)


def tanh(to: Arithmetic, x: Number) -> Number:
    """Return tanh x = m / (m + 2), m = e^(2·abs(x)) - 1, with the sign of x."""
    m = expm1(to, to.multiply(to.absolute(x), to.number(2.0)))
    y = to.divide(m, to.add(m, to.number(2.0)))
    return to.select(to.less(x, to.number(0.0)), to.negate(y), to.select(to.equal(x, to.number(0.0)), x, y))


def sigmoid(to: Arithmetic, x: Number) -> Number:
    """Return 1 / (1 + e^-x)."""
    one = to.number(1.0)
    return to.divide(one, to.add(one, exp(to, to.negate(x))))


def softplus(to: Arithmetic, x: Number) -> Number:
    """Return ln(1 + e^x) = max(x, 0) + ln(1 + e^-abs(x))."""
    small = exp(to, to.negate(to.absolute(x)))
    return to.add(relu(to, x), log1p(to, small))


def mish(to: Arithmetic, x: Number) -> Number:
    """Return x · tanh(softplus(x))."""
    return to.multiply(x, tanh(to, softplus(to, x)))


def softsign(to: Arithmetic, x: Number) -> Number:
    """Return x / (1 + abs(x))."""
    return to.divide(x, to.add(to.absolute(x), to.number(1.0)))


def elu(to: Arithmetic, x: Number) -> Number:
    """Return x, e^x - 1 below 0."""
    return to.select(to.less(x, to.number(0.0)), expm1(to, at_most(to, x, 0.0)), x)


def selu(to: Arithmetic, x: Number) -> Number:
    """Return scale · x, scale · alpha · (e^x - 1) below 0."""
    negative = to.multiply(to.number(SELU_ALPHA), expm1(to, at_most(to, x, 0.0)))
    return to.multiply(to.number(SELU_SCALE), to.select(to.less(x, to.number(0.0)), negative, x))


ERROR_FUNCTION = (
    7.853861461626366e-05,
    -0.0008010193705558777,
    0.005188327748328447,
    -0.026853812858462334,
    0.1128358542919159,
    -0.3761262595653534,
    1.1283791065216064,
)
"""P in erf(x) = x · P(x²), for abs(x) <= 1."""

COMPLEMENT = (
    0.09250441938638687,
    -0.22347065806388855,
    0.0791749432682991,
    0.06308157742023468,
    0.17801935970783234,
    0.24712474644184113,
    0.2820214331150055,
    0.28209924697875977,
)
"""P in erfc(x) = e^(-x²) · t · P(t), t = 1 / (1 + x/2), for x >= 1: 0 from 10.2 on."""


def _complement(to: Arithmetic, x: Number) -> Number:
    """Return 1 - erf(x) for x >= 1."""
    x = at_most(to, x, 10.2)
    t = to.divide(to.number(1.0), to.fused(x, to.number(0.5), to.number(1.0)))
    square = to.multiply(x, x)
    rest = to.fused(x, x, to.negate(square))  # e^(-x²) needs more bits of x² than float32 has
    power = exp(to, to.negate(square))
    power = to.fused(power, to.negate(rest), power)
    return to.multiply(power, to.multiply(t, polynomial(to, t, COMPLEMENT)))


def gelu(to: Arithmetic, x: Number) -> Number:
    """Return x/2 · (1 + erf(x/√2)), for negative x as x/2 · erfc(-x/√2), which loses no digits."""
    scaled = to.multiply(x, to.number(math.sqrt(0.5)))
    size = to.absolute(scaled)
    inner = to.multiply(scaled, polynomial(to, to.multiply(scaled, scaled), ERROR_FUNCTION))
    outer = _complement(to, at_least(to, size, 1.0))
    negative = to.less(x, to.number(0.0))
    far = to.select(negative, outer, to.subtract(to.number(2.0), outer))
    factor = to.select(to.less(size, to.number(1.0)), to.add(to.number(1.0), inner), far)
    half = to.multiply(x, to.number(0.5))
    return to.multiply(half, factor)


def swish(to: Arithmetic, x: Number) -> Number:
    """Return x · sigmoid(x)."""
    return to.multiply(x, sigmoid(to, x))


def hard_sigmoid(to: Arithmetic, x: Number) -> Number:
    """Return x/5 + 1/2, between 0 and 1."""
    y = to.add(to.multiply(x, to.number(0.2)), to.number(0.5))
    return at_most(to, at_least(to, y, 0.0), 1.0)


ACTIVATIONS: Mapping[ActivationFunction, Callable[[Arithmetic, Number], Number]] = {
    ActivationFunction.LINEAR: lambda _, x: x,
    ActivationFunction.RELU: relu,
    ActivationFunction.RELU6: relu6,
    ActivationFunction.LEAKY_RELU: leaky_relu,
    ActivationFunction.MISH: mish,
    ActivationFunction.TANH: tanh,
    ActivationFunction.SIGMOID: sigmoid,
    ActivationFunction.SOFTPLUS: softplus,
    ActivationFunction.SOFTSIGN: softsign,
    ActivationFunction.ELU: elu,
    ActivationFunction.SELU: selu,
    ActivationFunction.GELU: gelu,
    ActivationFunction.SWISH: swish,
    ActivationFunction.EXPONENTIAL: exp,
    ActivationFunction.HARD_SIGMOID: hard_sigmoid,
}
"""The activations that compute each number by itself."""


def _truth(compare: Callable[[Arithmetic, Number, Number], Truth]) -> Callable[..., Number]:
    """Return the function that has the number 1 if a comparison is true, else 0."""

    def compute(to: Arithmetic, a: Number, b: Number) -> Number:
        return to.select(compare(to, a, b), to.number(1.0), to.number(0.0))

    return compute


def _select(to: Arithmetic, condition: Number, a: Number, b: Number) -> Number:
    return to.select(to.equal(condition, to.number(0.0)), b, a)


FORMULAS: Mapping[str, Callable[..., Number]] = {
    "add": lambda to, a, b: to.add(a, b),
    "subtract": lambda to, a, b: to.subtract(a, b),
    "multiply": lambda to, a, b: to.multiply(a, b),
    "divide": lambda to, a, b: to.divide(a, b),
    "maximum": maximum,
    "minimum": minimum,
    "equal": _truth(lambda to, a, b: to.equal(a, b)),
    "less_equal": _truth(lambda to, a, b: to.less_equal(a, b)),
    "greater": _truth(lambda to, a, b: to.less(b, a)),
    "select": _select,
    "negate": lambda to, a: to.negate(a),
    "absolute": lambda to, a: to.absolute(a),
    "exp": exp,
    "log": log,
    "floor": lambda to, a: to.floor(a),
    "round": lambda to, a: to.round_even(a),
    "and": lambda to, a, b: to.multiply(a, b),
}
"""The ops that compute each number from those at its position, other than activations, by mnemonic: importing
the classes of all of them would take a first row some milliseconds."""


def formula(op: Op) -> Callable[..., Number]:
    """Return the function of an op: `formula(op)(arithmetic, *operands)`."""
    return ACTIVATIONS[op.function] if isinstance(op, dense.Activation) else FORMULAS[op.mnemonic()]
