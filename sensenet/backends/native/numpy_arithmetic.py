"""The operations of native code in NumPy, with the same rounding, to the last bit."""

from __future__ import annotations

import numpy as np

from sensenet.ir.types import Array


class NumpyArithmetic:
    """An `Arithmetic` of float32 arrays."""

    def number(self, value: float) -> Array:
        return np.asarray(value, np.float32)

    def add(self, a: Array, b: Array) -> Array:
        return np.add(a, b)

    def subtract(self, a: Array, b: Array) -> Array:
        return np.subtract(a, b)

    def multiply(self, a: Array, b: Array) -> Array:
        return np.multiply(a, b)

    def divide(self, a: Array, b: Array) -> Array:
        return np.divide(a, b)

    def fused(self, a: Array, b: Array, c: Array) -> Array:
        """Return a · b + c, rounded once.

        The product is exact in float64. The sum is rounded to odd there, so that rounding it again, to
        float32, gives what rounding it once would (Boldo and Melquiond, "Emulation of FMA and correctly
        rounded sums", 2008).
        """
        product = np.multiply(a, b, dtype=np.float64)
        total = np.add(product, c, dtype=np.float64)
        part = total - product
        rest = (product - (total - part)) + (c - part)
        bits = total.view(np.int64)
        inexact = (rest != 0) & np.isfinite(total) & np.isfinite(rest) & (bits & 1 == 0)
        away = (rest > 0) == (total > 0)
        odd = np.where(inexact, bits + np.where(away, 1, -1), bits).view(np.float64)
        result: Array = odd.astype(np.float32)
        return result

    def negate(self, a: Array) -> Array:
        return np.negative(a)

    def absolute(self, a: Array) -> Array:
        return np.absolute(a)

    def floor(self, a: Array) -> Array:
        return np.floor(a)

    def round_even(self, a: Array) -> Array:
        return np.rint(a)

    def less(self, a: Array, b: Array) -> Array:
        return np.less(a, b)

    def less_equal(self, a: Array, b: Array) -> Array:
        return np.less_equal(a, b)

    def equal(self, a: Array, b: Array) -> Array:
        return np.equal(a, b)

    def select(self, condition: Array, a: Array, b: Array) -> Array:
        return np.where(condition, a, b)

    def power_of_two(self, n: Array) -> Array:
        bits = (np.asarray(n) + np.float32(12582912.0 + 127.0)).view(np.int32)
        return np.left_shift(bits, np.int32(23)).view(np.float32)

    def exponent(self, a: Array) -> Array:
        bits = np.asarray(a).view(np.int32)
        return ((bits >> np.int32(23)) - np.int32(127)).astype(np.float32)

    def mantissa(self, a: Array) -> Array:
        bits = np.asarray(a).view(np.int32)
        return ((bits & np.int32(0x007FFFFF)) | np.int32(0x3F800000)).view(np.float32)
