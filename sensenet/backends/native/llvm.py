"""Writes functions of LLVM's language, as text.

A `FunctionWriter` names registers by number. Its loops carry values instead of changing variables, as the
language wants it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from attrs import Factory, define

Register = str
"""A register's name, such as %7, or a constant."""


def float_literal(value: float) -> str:
    """Return a float32 number in LLVM's notation: that of float64, in hexadecimal."""
    (single,) = struct.unpack("<f", struct.pack("<f", value))
    return "0x" + struct.pack(">d", single).hex().upper()


def vector_type(lanes: int, element: str = "float") -> str:
    """Return the type of a register of so many lanes."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


def splat(lanes: int, element: str, value: str) -> Register:
    """Return a constant with the same value in all lanes."""
    return value if lanes == 1 else f"splat ({element} {value})"


@define
class FunctionWriter:
    """The lines of one function; `declared` are the intrinsics that it uses."""

    name: str
    parameters: tuple[str, ...]
    declared: set[str]
    lines: list[str] = Factory(list)
    _registers: int = 0
    _label: str = "entry"
    linkage: str = "internal"

    def emit(self, line: str) -> None:
        self.lines.append(f"  {line}")

    def assign(self, expression: str) -> Register:
        """Return a new register with the value of an expression."""
        register = f"%{self._next()}"
        self.emit(f"{register} = {expression}")
        return register

    def _next(self) -> str:
        self._registers += 1
        return f"v{self._registers}"

    def _start_block(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self._label = label

    def intrinsic(self, name: str, result: str, arguments: Sequence[tuple[str, Register]]) -> Register:
        """Return a new register with the result of one of LLVM's functions."""
        types = ", ".join(kind for kind, _ in arguments)
        self.declared.add(f"declare {result} @{name}({types})")
        given = ", ".join(f"{kind} {register}" for kind, register in arguments)
        return self.assign(f"call {result} @{name}({given})")

    def call(self, function: str, arguments: Sequence[tuple[str, Register]]) -> None:
        """Call a function without a result."""
        given = ", ".join(f"{kind} {register}" for kind, register in arguments)
        self.emit(f"call void @{function}({given})")

    # numbers of 64 bits, addresses

    def integer(self, operation: str, a: Register | int, b: Register | int) -> Register:
        """Return an operation on two i64 numbers."""
        return self.assign(f"{operation} i64 {a}, {b}")

    def plus(self, a: Register, b: Register | int) -> Register:
        return a if b == 0 else self.integer("add", a, b)

    def times(self, a: Register, b: int) -> Register:
        return a if b == 1 else self.integer("mul", a, b)

    def address(self, base: Register, index: Register | int, element: str = "float") -> Register:
        """Return the address of an element of an array."""
        return base if index == 0 else self.assign(f"getelementptr {element}, ptr {base}, i64 {index}")

    def load(self, address: Register, lanes: int = 1, element: str = "float") -> Register:
        """Return the elements at an address, which is aligned to one element."""
        size = int(element[1:]) // 8 if element[0] == "i" else 4
        return self.assign(f"load {vector_type(lanes, element)}, ptr {address}, align {size}")

    def store(self, value: Register, address: Register, lanes: int = 1) -> None:
        """Store float32 numbers at an address."""
        self.emit(f"store {vector_type(lanes)} {value}, ptr {address}, align 4")

    def widen(self, value: Register) -> Register:
        """Return an i32 number as i64."""
        return self.assign(f"sext i32 {value} to i64")

    # vectors

    def broadcast(self, value: Register, lanes: int, element: str = "float") -> Register:
        """Return a vector with one number in all lanes."""
        if lanes == 1:
            return value
        kind = vector_type(lanes, element)
        first = self.assign(f"insertelement {kind} poison, {element} {value}, i64 0")
        return self.assign(f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer")

    def shuffle(self, a: Register, b: Register, lanes: int, indices: Sequence[int]) -> Register:
        """Return the elements at `indices` of a and b, one after the other, of so many lanes each."""
        kind = vector_type(lanes)
        chosen = ", ".join(f"i32 {index}" for index in indices)
        return self.assign(f"shufflevector {kind} {a}, {kind} {b}, <{len(indices)} x i32> <{chosen}>")

    def load_part(self, address: Register, count: int, lanes: int, fill: Register) -> Register:
        """Return `count` numbers in the first lanes of a vector, and those of `fill` in the others.

        No more than these are read.
        """
        if count >= lanes:
            return self.load(address, lanes)
        result = fill
        for start, size in pieces(count, lanes):
            loaded = self.load(self.address(address, start), size)
            if size == 1:
                kind = vector_type(lanes)
                result = self.assign(f"insertelement {kind} {result}, float {loaded}, i64 {start}")
                continue
            wide = self.shuffle(loaded, "poison", size, [min(i, size - 1) for i in range(lanes)])
            inside = range(start, start + size)
            indices = [lanes + i - start if i in inside else i for i in range(lanes)]
            result = self.shuffle(result, wide, lanes, indices)
        return result

    def store_part(self, value: Register, address: Register, count: int, lanes: int) -> None:
        """Store the first `count` lanes of a vector, and change nothing behind them."""
        if count >= lanes:
            self.store(value, address, lanes)
            return
        for start, size in pieces(count, lanes):
            if size == 1:
                part = self.assign(f"extractelement {vector_type(lanes)} {value}, i64 {start}")
            else:
                part = self.shuffle(value, "poison", lanes, range(start, start + size))
            self.store(part, self.address(address, start), size)

    # loops

    def loop(
        self,
        start: Register | int,
        stop: Register | int,
        step: int,
        carried: Sequence[tuple[str, Register]],
        body: Callable[[Register, Sequence[Register]], Sequence[Register]],
    ) -> tuple[Register, list[Register]]:
        """Run `body(i, values)` for i = start, start + step, … while i + step <= stop; return i and values.

        `carried` are the types and first values; the body returns the next ones.
        """
        if isinstance(start, int) and isinstance(stop, int):
            return self._static_loop(range(start, stop - step + 1, step), carried, body)
        number = self._next()
        head, inside, after = f"head{number}", f"body{number}", f"after{number}"
        before = self._label
        self.emit(f"br label %{head}")
        self._start_block(head)
        index, limit, passes = f"%i{number}", f"%limit{number}", f"%passes{number}"
        values = [f"%c{number}.{position}" for position in range(len(carried))]
        phis = len(self.lines)
        self.emit(f"{limit} = add i64 {index}, {step}")
        self.emit(f"{passes} = icmp sle i64 {limit}, {stop}")
        self.emit(f"br i1 {passes}, label %{inside}, label %{after}")
        self._start_block(inside)
        following = body(index, values)
        latch = self._label
        self.emit(f"br label %{head}")
        merged = [f"  {index} = phi i64 [ {start}, %{before} ], [ {limit}, %{latch} ]"]
        for (kind, first), value, new in zip(carried, values, following, strict=True):
            merged.append(f"  {value} = phi {kind} [ {first}, %{before} ], [ {new}, %{latch} ]")
        self.lines[phis:phis] = merged
        self._start_block(after)
        return index, values

    def _static_loop(
        self,
        steps: range,
        carried: Sequence[tuple[str, Register]],
        body: Callable[[Register, Sequence[Register]], Sequence[Register]],
    ) -> tuple[Register, list[Register]]:
        """Run a loop whose steps are known: without a test before the first, without a loop for one."""
        after = str(steps.start + len(steps) * steps.step)
        if len(steps) <= 1:
            values = [first for _, first in carried]
            return after, list(body(str(steps.start), values)) if steps else values

        def run(state: Sequence[Register]) -> tuple[Register, Sequence[Register]]:
            index, *values = state
            following = body(index, values)
            new = self.integer("add", index, steps.step)
            return self.assign(f"icmp ne i64 {new}, {after}"), [new, *following]

        _, *values = self.until([("i64", str(steps.start)), *carried], run)
        return after, values

    def each(
        self, start: Register | int, stop: Register | int, step: int, body: Callable[[Register], None]
    ) -> Register:
        """Run `body(i)` as `loop` does, without values; return the first i that was not passed."""

        def run(index: Register, _: Sequence[Register]) -> Sequence[Register]:
            body(index)
            return ()

        return self.loop(start, stop, step, (), run)[0]

    def until(
        self,
        carried: Sequence[tuple[str, Register]],
        body: Callable[[Sequence[Register]], tuple[Register, Sequence[Register]]],
    ) -> list[Register]:
        """Run `body(values)`, which returns whether to go on and the next values; return the last."""
        number = self._next()
        inside, after = f"body{number}", f"after{number}"
        before = self._label
        self.emit(f"br label %{inside}")
        self._start_block(inside)
        values = [f"%c{number}.{position}" for position in range(len(carried))]
        phis = len(self.lines)
        goes_on, following = body(values)
        latch = self._label
        self.emit(f"br i1 {goes_on}, label %{inside}, label %{after}")
        self.lines[phis:phis] = [
            f"  {value} = phi {kind} [ {first}, %{before} ], [ {new}, %{latch} ]"
            for (kind, first), value, new in zip(carried, values, following, strict=True)
        ]
        self._start_block(after)
        return list(following)

    def text(self) -> str:
        """Return the function's definition."""
        parameters = ", ".join(self.parameters)
        linkage = f"{self.linkage} " if self.linkage else ""
        head = f"define {linkage}void @{self.name}({parameters}) #0 {{"
        return "\n".join([head, "entry:", *self.lines, "  ret void", "}", ""])


def pieces(count: int, lanes: int) -> list[tuple[int, int]]:
    """Return (start, size) of parts of `count` numbers: each size a power of two, at most `lanes`."""
    found = []
    start = 0
    size = lanes
    while size:
        while count - start >= size:
            found.append((start, size))
            start += size
        size //= 2
    return found
