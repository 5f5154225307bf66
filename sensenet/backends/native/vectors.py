"""The arithmetic of registers that hold several float32 numbers."""

from __future__ import annotations

from sensenet.backends.native.arithmetic import Arithmetic
from sensenet.backends.native.llvm import FunctionWriter, Register, float_literal, splat, vector_type
from sensenet.records import frozen

MAGIC = 12582912.0
"""1.5 · 2²³: adding it to a small number rounds that, and leaves the integer in the last bits."""


@frozen
class Vectors(Arithmetic):
    """Arithmetic on registers of so many lanes, in a function that is being written."""

    writer: FunctionWriter
    lanes: int

    @property
    def type(self) -> str:
        return vector_type(self.lanes)

    @property
    def _integers(self) -> str:
        return vector_type(self.lanes, "i32")

    def number(self, value: float) -> Register:
        return splat(self.lanes, "float", float_literal(value))

    def _binary(self, operation: str, a: Register, b: Register) -> Register:
        return self.writer.assign(f"{operation} {self.type} {a}, {b}")

    def add(self, a: Register, b: Register) -> Register:
        return self._binary("fadd", a, b)

    def subtract(self, a: Register, b: Register) -> Register:
        return self._binary("fsub", a, b)

    def multiply(self, a: Register, b: Register) -> Register:
        return self._binary("fmul", a, b)

    def divide(self, a: Register, b: Register) -> Register:
        return self._binary("fdiv", a, b)

    def _function(self, name: str, *arguments: Register) -> Register:
        suffix = "f32" if self.lanes == 1 else f"v{self.lanes}f32"
        return self.writer.intrinsic(
            f"llvm.{name}.{suffix}", self.type, [(self.type, each) for each in arguments]
        )

    def fused(self, a: Register, b: Register, c: Register) -> Register:
        return self._function("fma", a, b, c)

    def negate(self, a: Register) -> Register:
        return self.writer.assign(f"fneg {self.type} {a}")

    def absolute(self, a: Register) -> Register:
        return self._function("fabs", a)

    def floor(self, a: Register) -> Register:
        return self._function("floor", a)

    def round_even(self, a: Register) -> Register:
        return self._function("roundeven", a)

    def less(self, a: Register, b: Register) -> Register:
        return self._binary("fcmp olt", a, b)

    def less_equal(self, a: Register, b: Register) -> Register:
        return self._binary("fcmp ole", a, b)

    def equal(self, a: Register, b: Register) -> Register:
        return self._binary("fcmp oeq", a, b)

    def select(self, condition: Register, a: Register, b: Register) -> Register:
        truths = vector_type(self.lanes, "i1")
        return self.writer.assign(f"select {truths} {condition}, {self.type} {a}, {self.type} {b}")

    def _bits(self, a: Register) -> Register:
        return self.writer.assign(f"bitcast {self.type} {a} to {self._integers}")

    def _float_of_bits(self, a: Register) -> Register:
        return self.writer.assign(f"bitcast {self._integers} {a} to {self.type}")

    def _integer(self, operation: str, a: Register, b: int) -> Register:
        constant = splat(self.lanes, "i32", str(b))
        return self.writer.assign(f"{operation} {self._integers} {a}, {constant}")

    def power_of_two(self, n: Register) -> Register:
        bits = self._bits(self.add(n, self.number(MAGIC + 127.0)))
        return self._float_of_bits(self._integer("shl", bits, 23))

    def exponent(self, a: Register) -> Register:
        biased = self._integer("ashr", self._bits(a), 23)
        unbiased = self._integer("add", biased, -127)
        return self.writer.assign(f"sitofp {self._integers} {unbiased} to {self.type}")

    def mantissa(self, a: Register) -> Register:
        kept = self._integer("and", self._bits(a), 0x007FFFFF)
        return self._float_of_bits(self._integer("or", kept, 0x3F800000))
