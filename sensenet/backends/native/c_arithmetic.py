"""The operations of native code as statements of C99, one variable each, so that each is rounded to float."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable

import numpy as np
from attrs import Factory, define

from sensenet.backends.native.arithmetic import Arithmetic

ZEROS = re.compile(r"\.?0+(?=p)")
"""The zeros at the end of a hexadecimal number, which `float.hex` writes."""


def float_numbers(values: Iterable[float]) -> list[str]:
    """Return float32 numbers, at least one, as literals of C, exactly.

    Those that are not finite are divisions by zero.
    """
    found = ZEROS.sub("", "f ".join(map(float.hex, values)) + "f").split(" ")
    return [NOT_FINITE.get(each, each) for each in found]


NOT_FINITE = {"inff": "(1.0f / 0.0f)", "-inff": "(-1.0f / 0.0f)", "nanf": "(0.0f / 0.0f)"}
"""What `float.hex` writes of numbers that are not finite, and constants of C."""


def bits_of(value: float) -> str:
    """Return the bits of a float32 number as a literal of C."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return f"0x{bits:08x}u"


@define
class CArithmetic(Arithmetic):
    """Arithmetic on variables of a function that is being written: `lines` are its statements."""

    prefix: str
    lines: list[str] = Factory(list)

    def _assign(self, expression: str, kind: str = "float") -> str:
        variable = f"t{len(self.lines)}"
        self.lines.append(f"  const {kind} {variable} = {expression};")
        return variable

    def _call(self, function: str, argument: str) -> str:
        return self._assign(f"{self.prefix}_{function}({argument})")

    def number(self, value: float) -> str:
        if not math.isfinite(value):
            return f"{self.prefix}_of_bits({bits_of(value)})"
        (literal,) = float_numbers([float(np.float32(value))])
        return f"({literal})" if literal.startswith("-") else literal

    def add(self, a: str, b: str) -> str:
        return self._assign(f"{a} + {b}")

    def subtract(self, a: str, b: str) -> str:
        return self._assign(f"{a} - {b}")

    def multiply(self, a: str, b: str) -> str:
        return self._assign(f"{a} * {b}")

    def divide(self, a: str, b: str) -> str:
        return self._assign(f"{a} / {b}")

    def fused(self, a: str, b: str, c: str) -> str:
        return self._assign(f"{self.prefix.upper()}_FUSED({a}, {b}, {c})")

    def negate(self, a: str) -> str:
        return self._assign(f"-{a}")

    def absolute(self, a: str) -> str:
        return self._call("absolute", a)

    def floor(self, a: str) -> str:
        return self._call("floor", a)

    def round_even(self, a: str) -> str:
        return self._call("round", a)

    def less(self, a: str, b: str) -> str:
        return self._assign(f"{a} < {b}", "int")

    def less_equal(self, a: str, b: str) -> str:
        return self._assign(f"{a} <= {b}", "int")

    def equal(self, a: str, b: str) -> str:
        return self._assign(f"{a} == {b}", "int")

    def select(self, condition: str, a: str, b: str) -> str:
        return self._assign(f"{condition} ? {a} : {b}")

    def power_of_two(self, n: str) -> str:
        shifted = self.add(n, self.number(12582912.0 + 127.0))
        return self._call("of_bits", f"{self.prefix}_bits({shifted}) << 23")

    def exponent(self, a: str) -> str:
        return self._assign(f"(float)((int32_t)({self.prefix}_bits({a}) >> 23) - 127)")

    def mantissa(self, a: str) -> str:
        return self._call("of_bits", f"({self.prefix}_bits({a}) & 0x007fffffu) | 0x3f800000u")
