"""Answers rows by a plan: in machine code, once that pays.

Compiling takes a tenth of a second, most of it to load LLVM. So the first calls are answered by `reference`,
until those together have taken about as long; then the plan is compiled. Both answer the same, to the last
bit. For a call of many rows, it is compiled at once.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sensenet.backends.native.plan import Plan
from sensenet.backends.native.reference import count_operations, run_plan
from sensenet.forks import PerProcess
from sensenet.ir.types import Array
from sensenet.signature import Column

if TYPE_CHECKING:
    from sensenet.backends.native.cells import RowFunction
    from sensenet.backends.native.compiled import Compiled

OPERATIONS_TO_COMPILE = 100_000
"""Operations of NumPy that take about as long as compiling."""

NUMBERS_OF_AN_OPERATION = 1000
"""Numbers that an operation of NumPy computes while it begins."""

FEW_ROWS = 8
"""Rows that NumPy answers in about the time of one, in a small network."""


class Runner:
    """Answers f32[rows, columns] with f32[rows, outputs]; threads may share it."""

    def __init__(self, plan: Plan, columns: Sequence[Column]) -> None:
        self._plan: Plan | None = plan
        """The plan until it is compiled: machine code has its own copy of the weights."""
        self._columns = columns
        self._operations, self._numbers = count_operations(plan)
        self._spent = 0
        self._compiling = PerProcess(threading.Lock)
        self._compiled: Compiled | None = None
        self._row_function: RowFunction | None = None

    def answer(self, x: Array) -> Array:
        """Return the answers for an array without gaps."""
        plan = self._plan
        if plan is not None and len(x) <= FEW_ROWS:
            self._spent += self._operations + len(x) * self._numbers // NUMBERS_OF_AN_OPERATION
            if self._spent <= OPERATIONS_TO_COMPILE:
                return run_plan(plan, x)
        return self.compile().answer(x)

    def answer_row(self, row: Sequence[Any]) -> Array | None:
        """Return f32[1, outputs] for a row of cells, or None if `answer` is for it.

        Raises anything for cells that are not numbers or None.
        """
        return None if self._row_function is None else self._row_function(row)

    def compile(self) -> Compiled:
        """Return the machine code, compiled at the first call by one thread while others wait."""
        if self._compiled is None:
            from sensenet.backends.native.compiled import Compiled

            with self._compiling.get():
                if self._plan is not None:
                    compiled = Compiled(self._plan)
                    self._row_function = compiled.row_function(self._columns)
                    self._compiled, self._plan = compiled, None
        assert self._compiled is not None
        return self._compiled
