"""What all steps write code with: the machine, the functions and constants of a module, loops over rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import Factory, define

from sensenet.backends.native.llvm import FunctionWriter, Register
from sensenet.backends.native.memory import ConstantBlock
from sensenet.backends.native.plan import Place
from sensenet.backends.native.vectors import Vectors
from sensenet.records import frozen

MOST_UNROLLED = 8
"""The most registers of a row's numbers that a function handles one by one instead of in a loop."""

Call = tuple[str, int, tuple[Place, ...]]
"""A function to call: its name, the first byte of its constants, its places."""

Calls = Sequence[Call]
"""The functions of a step, to call in order."""

Strides = tuple[int, int]
"""The distance between rows of a step's input and of its result, in numbers."""


@frozen(kw_only=True)
class Machine:
    """What code is written for: the float32 numbers of a register, and how many such registers there are."""

    lanes: int
    registers: int
    tables: bool = True
    """Whether small forests become tables, which take more bytes than their trees and less time."""

    def tile(self, vectors: int) -> tuple[int, int]:
        """Return how many vectors of a row, and how many rows, a product keeps in registers."""
        if self.registers >= 32:
            columns = min(vectors, 4)
            return columns, {1: 12, 2: 12, 3: 8, 4: 6}[columns]
        columns = min(vectors, 2)
        return columns, {1: 10, 2: 6}[columns]


@define
class Code:
    """The functions of a module, by what they compute, and its constants."""

    machine: Machine
    strides: Sequence[int]
    """The distance between rows of each buffer, in numbers."""
    constants: ConstantBlock = Factory(ConstantBlock)
    functions: dict[Any, FunctionWriter] = Factory(dict)
    declared: set[str] = Factory(set)

    def stride(self, place: Place) -> int:
        return self.strides[place.buffer]

    def is_dense(self, place: Place) -> bool:
        """Return whether the rows of a place follow each other without gaps."""
        return place.width == self.stride(place)

    def function(self, key: tuple[Any, ...], places: int, write: Callable[[Rows], None]) -> str:
        """Return the name of the function with a key, which `write` writes if there is none yet."""
        if key not in self.functions:
            name = f"{key[0]}_{len(self.functions)}"
            inputs = (f"ptr %x{number}" for number in range(places - 1))
            parameters = ("ptr noalias %constants", *inputs, "ptr %y", "i64 %rows")
            writer = FunctionWriter(name, parameters, self.declared)
            self.functions[key] = writer
            write(Rows(writer, self.machine))
        return self.functions[key].name


@frozen
class Rows:
    """A function that is being written, for a machine."""

    writer: FunctionWriter
    machine: Machine

    def each_row(self, body: Callable[[Register], None]) -> None:
        self.writer.each(0, "%rows", 1, body)

    def each_pair(self, strides: Strides, body: Callable[[Register, Register], None]) -> None:
        """Run `body(x, y)` for each row, with where its first input and its result are."""
        x, y = strides
        self.each_row(lambda index: body(self.row("%x0", x, index), self.row("%y", y, index)))

    def row(self, base: str, stride: int, index: Register) -> Register:
        """Return the address of a row's numbers."""
        return self.writer.address(base, self.writer.times(index, stride))

    def chunks(self, width: int, body: Callable[[Register | int, int], None]) -> None:
        """Run `body(start, count)` for the numbers of a row by parts that fill a register, but the last."""
        lanes = self.machine.lanes
        full = width // lanes
        if full > MOST_UNROLLED:
            self.writer.each(0, full * lanes, lanes, lambda start: body(start, lanes))
        else:
            for number in range(full):
                body(number * lanes, lanes)
        if width % lanes:
            body(full * lanes, width % lanes)

    def vectors(self, count: int) -> Vectors:
        """Return the arithmetic for so many numbers: a register's, or fewer lanes if that is sufficient."""
        lanes = self.machine.lanes
        while lanes // 2 >= count:
            lanes //= 2
        return Vectors(self.writer, lanes)
