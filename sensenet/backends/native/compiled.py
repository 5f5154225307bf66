"""A plan in machine code, with the memory that it needs."""

from __future__ import annotations

import ctypes
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sensenet.backends.native.cells import MOST_COLUMNS, Prediction, RowFunction, row_function
from sensenet.backends.native.code import Machine
from sensenet.backends.native.module import write_module
from sensenet.backends.native.plan import OUTPUT, DenseStep, EmbeddingStep, ForestStep, Plan, Step
from sensenet.forks import delay_forks
from sensenet.ir.types import Array
from sensenet.llvm.compilation import compile_module, load_llvm
from sensenet.processors import usable_processors
from sensenet.signature import Column

NAME = "predict"

NANOSECONDS_OF_A_PART = 300_000
"""Nanoseconds of work for which a thread pays; threads that share more take parts of this size in turns, so
that all end together, whatever else the processors do."""

MOST_ROWS_OF_A_PART = 8192

NANOSECONDS_TO_WAIT = 50_000
"""Nanoseconds of a row up to which other threads may wait for it: letting them run takes some time too."""


POINTER, COUNT = ctypes.c_void_p, ctypes.c_int64

PREDICT = ctypes.CFUNCTYPE(None, POINTER, POINTER, COUNT, POINTER, POINTER)
"""A function that `write_module` writes: constants, rows, their number, answers, scratch. Other threads run
Python while it does."""


class Compiled:
    """Answers rows in machine code; threads may share it."""

    def __init__(self, plan: Plan) -> None:
        written = write_module(plan, host_machine(), NAME)
        self._code = compile_module(written.text)
        self._predict = PREDICT(self._code.address(NAME))
        self._constants, self._scratch = written.constants, written.scratch
        self._outputs = plan.buffers[OUTPUT].width
        self._nanoseconds = sum(map(_nanoseconds, plan.steps))

    def row_function(self, columns: Sequence[Column]) -> RowFunction | None:
        """Return a function that answers single rows of cells of these columns.

        None if other threads should run meanwhile, or if rows are too long for the stack.
        """
        if self._nanoseconds > NANOSECONDS_TO_WAIT or len(columns) > MOST_COLUMNS or not _has_lock():
            return None
        prediction = Prediction(
            code=self._code,
            name=NAME,
            constants=self._constants,
            scratch=np.empty(self._scratch, np.uint8),
            outputs=self._outputs,
        )
        return row_function(columns, prediction)

    def answer(self, x: Array) -> Array:
        """Return f32[rows, outputs] for f32[rows, columns] without gaps, computed by several threads."""
        answers = np.empty((len(x), self._outputs), np.float32)
        size = min(max(1, NANOSECONDS_OF_A_PART // max(1, self._nanoseconds)), MOST_ROWS_OF_A_PART)
        threads = min(usable_processors(), len(x) // size)
        if threads <= 1:
            self._answer_part(x, answers, np.empty(self._scratch, np.uint8))
            return answers
        parts = deque(slice(start, start + size) for start in range(0, len(x), size))
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(self._answer_parts, x, answers, parts) for _ in range(threads)]:
                done.result()
        return answers

    def _answer_parts(self, x: Array, answers: Array, parts: deque[slice]) -> None:
        """Answer parts of the rows until none is left: several threads may take them from `parts`."""
        scratch = np.empty(self._scratch, np.uint8)
        while parts:
            try:
                part = parts.popleft()
            except IndexError:  # another thread took the last one
                return
            self._answer_part(x[part], answers[part], scratch)

    def _answer_part(self, x: Array, answers: Array, scratch: Array) -> None:
        addresses = x.ctypes.data, len(x), answers.ctypes.data, scratch.ctypes.data
        self._predict(self._constants.ctypes.data, *addresses)


@delay_forks()
def host_machine() -> Machine:
    """Return the machine at hand."""
    features = load_llvm().get_host_cpu_features()
    if features.get("avx512f"):
        return Machine(lanes=16, registers=32)
    if features.get("avx2") and features.get("fma"):
        return Machine(lanes=8, registers=16)
    return Machine(lanes=4, registers=32 if features.get("neon") else 16)


def _has_lock() -> bool:
    """Return whether one thread at a time runs Python, so that all may share memory during a call."""
    is_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return is_enabled()


def _nanoseconds(step: Step) -> int:
    """Return about how long a step takes for a row."""
    match step:
        case DenseStep():
            return 5 + step.kernel.size // 16
        case EmbeddingStep():
            return 5 + step.x.width * (3 + step.y.width // 8)
        case ForestStep():
            return 40 * len(step.op.roots.array)
    return 5 + step.y.width // 4
