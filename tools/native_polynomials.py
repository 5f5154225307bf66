"""Print the polynomials of `sensenet.backends.native.arithmetic`, highest power first.

Each is the minimax fit, found by Lawson's iteration of weighted least squares in float64, of a function over
an interval, rounded to float32. The largest error of each, relative to the function that it serves, is
printed behind it.

    python tools/native_polynomials.py
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

POINTS, ITERATIONS = 4000, 400


def fit(
    target: Callable[[Numbers], Numbers],
    weight: Callable[[Numbers], Numbers],
    interval: tuple[float, float],
    degree: int,
) -> tuple[Numbers, float]:
    """Return the coefficients of the polynomial P that keeps abs(weight · (P - target)) least, and that."""
    low, high = interval
    nodes = np.cos(np.linspace(0, math.pi, POINTS))
    x = (low + high) / 2 + (high - low) / 2 * nodes
    powers = np.vander(x, degree + 1)
    wanted, scale = target(x), weight(x)
    lawson = np.full(POINTS, 1 / POINTS)
    best, least = np.zeros(degree + 1), math.inf
    for _ in range(ITERATIONS):
        root = np.sqrt(lawson) * scale
        coefficients = np.linalg.lstsq(powers * root[:, None], wanted * root, rcond=None)[0]
        error = np.abs(scale * (powers @ coefficients - wanted))
        if error.max() < least:
            best, least = coefficients, float(error.max())
        lawson *= error / (lawson @ error)
    return best, least


def _erfc(x: Numbers) -> Numbers:
    return np.vectorize(math.erfc, otypes=[np.float64])(x)


def _series(x: Numbers, terms: Callable[[int], float], first: int) -> Numbers:
    """Return Σ terms(k) · x^(k - first), which keeps the digits that a difference would lose."""
    total = np.zeros_like(x)
    for k in range(60, first - 1, -1):
        total = total * x + terms(k)
    return total


def main() -> None:
    """Print every polynomial."""
    half = math.log(2) / 2 * 1.01
    root = math.sqrt(2)
    fits = {
        "EXPONENTIAL": fit(
            lambda r: _series(r, lambda k: 1 / math.factorial(k), 2),
            lambda r: r * r / np.exp(r),
            (-half, half),
            4,
        ),
        "LOGARITHM": fit(
            lambda f: np.where(
                np.abs(f) < 0.1,
                _series(f, lambda k: (-1.0) ** (k + 1) / k, 3),
                (np.log1p(f) - f + f * f / 2) / np.where(f == 0, 1, f) ** 3,
            ),
            lambda f: np.abs(f**3 / np.where(np.log1p(f) == 0, 1, np.log1p(f))),
            (1 / root - 1, root - 1),
            8,
        ),
        "ERROR_FUNCTION": fit(
            lambda s: np.vectorize(math.erf)(np.sqrt(s)) / np.sqrt(s),
            lambda s: np.sqrt(s) / np.vectorize(math.erf)(np.sqrt(s)),
            (1e-9, 1.0),
            6,
        ),
        "COMPLEMENT": fit(
            lambda t: _erfc(2 / t - 2) * np.exp((2 / t - 2) ** 2) / t,
            lambda t: t / (_erfc(2 / t - 2) * np.exp((2 / t - 2) ** 2)),
            (1 / 6.1, 1 / 1.49),
            7,
        ),
    }
    for name, (coefficients, error) in fits.items():
        numbers = ", ".join(repr(float(np.float32(each))) for each in coefficients)
        print(f"{name} = ({numbers})  # {error:.1e}")


if __name__ == "__main__":
    main()
